"""What this machine can do for grading: found out by trying."""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

from grading import seccomp
from grading.execute import ExecuteSubmission
from grading.groups import ControlGroups
from grading.room import CURE, MEBIBYTE, obstacle
from grading.warm_process import name_kernelspec

PROBE = """\
import json, os, pathlib, socket
def can(function):
    try:
        function()
    except OSError:
        return False
    return True
def status(name):
    return pathlib.Path("/proc/self/status").read_text().split(name + ":")[1].split()[0]
mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
print(json.dumps({
    "network": can(lambda: socket.create_connection(("192.0.2.1", 9), 0.2)),
    "files": [p for p in %s if os.path.isfile(p) or os.path.isdir(p) and os.listdir(p)],
    "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    "user": os.getuid(),
    "rights": status("CapBnd"),
    "filter": status("Seccomp") == "2",
    "links": not any("nosymfollow" in line for line in mounts if " /run/kernel " in line),
    "namespaces": {name: os.readlink("/proc/self/ns/" + name) for name in
                   ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")},
    "system": can(lambda: pathlib.Path("/usr/trial").write_text("x")),
}))"""


WITHOUT = {  # what it is like without a control group
    "memory": "memory is limited for each process, not for all of a submission together",
    "pids": "processes are counted by Linux for each user",
    "cpu": "a submission with many processes slows down those beside it",
}
NAMESPACES = {"ipc", "mnt", "net", "pid", "uts"}  # those that a room cannot go without


@dataclass
class Finding:
    """One thing that grading needs or can use.

    Attributes:
        what: what was looked at.
        good: whether it is as it should be.
        found: in words.
        cure: what to do if it is not.
        needed: whether grading in isolation does not go without it.
    """

    what: str
    good: bool
    found: str
    cure: str = ""
    needed: bool = True


def examine() -> Iterator[Finding]:
    """Look at each thing in turn."""
    yield Finding("system", True, f"{platform.system()} {platform.release()}")
    yield Finding("cores", True, f"{os.cpu_count()}: as many submissions run at a time")
    yield _bubblewrap()
    problem = obstacle()
    yield Finding("isolation", not problem, problem or "namespaces can be made", CURE)
    if not problem:
        yield from _inside()
        yield _groups()
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    alembic = shutil.which("alembic", path=places)
    found = alembic or "alembic, which makes it, is not found"
    cure = "install it: pip install alembic"
    yield Finding("nbgrader's gradebook", bool(alembic), found, cure)
    yield _package("distributed", "many machines (--scheduler)", "pip install 'dask[distributed]'")
    yield _package("psycopg", "a gradebook on PostgreSQL", "pip install 'psycopg[binary]'")


def _bubblewrap() -> Finding:
    path = shutil.which("bwrap")
    cure = "install it (Debian: sudo apt-get install bubblewrap)"
    if not path:
        return Finding("bubblewrap", False, "not found", cure)
    version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip()
    return Finding("bubblewrap", True, f"{version}, {path}")


def _inside() -> Iterator[Finding]:
    """Start a kernel in a room, and ask it what it can reach."""
    name_kernelspec()
    settings = Path.cwd() / "nbgrader_config.py"
    paths = [str(Path.home() / ".profile"), str(settings), "/etc/shadow", "/home", "/var"]
    nb = new_notebook(cells=[new_code_cell(PROBE % json.dumps(paths))])
    step = ExecuteSubmission(kernel_name="sandbox", shutdown_kernel="immediate")
    try:
        with tempfile.TemporaryDirectory() as folder:
            nb, _ = step.preprocess(nb, {"metadata": {"path": folder}})
        said = "".join(output.get("text", "") for output in nb.cells[0].outputs)
        seen = json.loads(said)
    except (RuntimeError, OSError, ValueError) as error:
        found = f"{error}; it said {str(nb.cells[0].outputs)[:300]}"
        yield Finding("a kernel in isolation", False, found, CURE)
        return
    yield from judge(seen)


def judge(seen: dict) -> Iterator[Finding]:
    """Say whether what a submission's kernel has seen is what it may see.

    Args:
        seen: what `PROBE` has printed there.
    """
    own = {name for name, place in seen["namespaces"].items() if place != _namespace(name)}
    found = f"its own: {', '.join(sorted(own)) or 'none'}"
    cure = "allow users namespaces: user_namespaces(7)"
    yield Finding("inside: namespaces", own >= NAMESPACES, found, cure)
    yield Finding("inside: no network", not seen["network"], f"reachable: {seen['network']}")
    files = ", ".join(seen["files"]) or "none"
    yield Finding("inside: none of your files", not seen["files"], f"visible: {files}")
    others = seen["processes"] <= 3
    yield Finding("inside: no other process", others, f"{seen['processes']} visible, its own")
    powerless = int(seen["rights"], 16) == 0 and seen["user"] != 0
    yield Finding("inside: no rights", powerless, f"user {seen['user']}, rights {seen['rights']}")
    yield Finding("inside: read-only system", not seen["system"], f"writable: {seen['system']}")
    cure = "grade on Linux 5.10 or newer"
    yield Finding("inside: no link leads out", not seen["links"], f"allowed: {seen['links']}", cure)
    known = " and ".join(seccomp.MACHINES)
    found = "on" if seen["filter"] else f"off: there is none for {platform.machine()}"
    cure = f"the other walls stand; for this one, grade on {known}"
    yield Finding("inside: filter for calls", seen["filter"], found, cure, needed=False)


def _namespace(name: str) -> str | None:
    """The grader's own namespace of a kind."""
    path = Path("/proc/self/ns", name)
    return str(path.readlink()) if path.is_symlink() else None


def _groups() -> Finding:
    groups = ControlGroups(memory=64 * MEBIBYTE, pids=8)
    groups.remove()
    held = [kind for kind in WITHOUT if kind in groups.holds]
    lacking = [words for kind, words in WITHOUT.items() if kind not in held]
    found = f"for {', '.join(held)}" if held else "this user cannot make any"
    cure = (
        f"{'; '.join(lacking)}; to have all, run as root, or in a group that systemd delegates "
        "(systemd-run --user -p Delegate=yes)"
    )
    return Finding("control groups", not lacking, found, cure, needed=False)


def _package(name: str, what: str, cure: str) -> Finding:
    there = importlib.util.find_spec(name) is not None
    return Finding(what, there, f"{name} is {'' if there else 'not '}installed", cure, needed=False)
