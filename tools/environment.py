"""Make `.venv`, bring it up to date, or leave it alone where nothing has changed.

`make` calls this with the machine's Python before anything is installed. So it uses the standard
library alone, and no syntax newer than Python 3.8: an old Python must reach the line that says so.
"""

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STATE = VENV / ".made-by-make"
UNFINISHED = "unfinished"
PYTHON_VERSION = (3, 11)
NEEDED_GB = 3.0
DISK_IS_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def check_python(version):
    """Refuse any Python but the one that requirements.txt was resolved for and tested with."""
    if tuple(version[:2]) != PYTHON_VERSION:
        found = ".".join(str(part) for part in version[:3])
        raise SystemExit(
            f"The course needs Python 3.11, and this is Python {found}: "
            "install Python 3.11, then name it: make PYTHON=/path/to/python3.11"
        )


def check_writable(folder):
    """Refuse a checkout that this user cannot write to."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SystemExit(
            f"You may not write to {folder}: clone the course into a folder of your own, "
            "and run the same command there"
        )


def check_space(folder, needed_gb=NEEDED_GB):
    """Refuse to start what cannot be finished; return the free space in GB."""
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise SystemExit(
            f"The environment needs about {needed_gb:.0f} GB, and {folder} has {free_gb:.1f} GB "
            "free: make room, and run the same command again"
        )
    return free_gb


def wanted_state():
    """Return what STATE holds when the environment is complete.

    The path is part of it, because an environment that was moved no longer starts its programs.
    """
    import tomllib  # here, because Python has it since 3.11 only

    with (ROOT / "pyproject.toml").open("rb") as file:
        tables = tomllib.load(file)
    installed = [tables.get("build-system"), tables.get("project")]  # not the settings of the tools
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    digest.update(json.dumps(installed).encode())
    return f"{ROOT}\n{digest.hexdigest()}\n"


def next_step(state, wanted, python_starts=True, anything_there=True):
    """Return "make", "update" or "nothing", from what STATE holds (None: no such file)."""
    if state is None and anything_there:
        raise SystemExit(
            f"{VENV} was not made by this Makefile: move it away or remove it, "
            "and run the same command again"
        )
    if state == wanted and python_starts:
        return "nothing"
    was_complete_here = state is not None and state.startswith(wanted.splitlines()[0] + "\n")
    return "update" if was_complete_here and python_starts else "make"


def run(*command):
    """Run a command in the new environment; its progress is seen, its errors are read first."""
    temporary = VENV / "tmp"  # on the disk whose space was checked; /tmp may be small
    temporary.mkdir(exist_ok=True)
    settings = {
        "TMPDIR": str(temporary),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_USER": "0",
    }
    result = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if result.returncode:
        if any(reason in result.stderr for reason in DISK_IS_FULL):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sys.stderr.write(result.stderr)
        raise SystemExit(
            f"{' '.join(Path(command[0]).parts[-1:] + command[1:4])} failed for the reason above: "
            "put it right (is there a network?), and run the same command again"
        )
    shutil.rmtree(temporary)


def pip_installer(python):
    """Return the command that puts pip into the environment: Python's own, else with its pip."""
    if importlib.util.find_spec("ensurepip"):
        return [python, "-m", "ensurepip", "--default-pip"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", python, "install", "pip"]
    raise SystemExit(
        "This Python has neither ensurepip nor pip: install one of them "
        "(Debian, Ubuntu: apt-get install python3-venv), and run the same command again"
    )


def clear():
    """Empty the environment's folder. STATE stays, so that an interruption here is recognized."""
    for path in VENV.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != STATE:
            path.unlink()


def make(python):
    """Make the environment from nothing, without its packages."""
    installer = pip_installer(python)
    if STATE.exists():
        print("The environment in .venv is unfinished or was moved: it is made anew.", flush=True)
        clear()
    check_space(ROOT)
    VENV.mkdir(exist_ok=True)
    STATE.write_text(UNFINISHED)
    print(f"Making .venv with Python {sys.version.split()[0]} …", flush=True)
    venv.EnvBuilder(symlinks=True, with_pip=False).create(VENV)
    run(*installer)


def install(python):
    """Install what requirements.txt pins, then the course itself, which stays editable."""
    STATE.write_text(UNFINISHED)
    pinned = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    print(f"Installing {len(pinned)} packages; the first time takes minutes …", flush=True)
    run(python, "-m", "pip", "install", "--requirement", "requirements.txt")
    run(python, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--editable", ".")
    for leftover in ROOT.glob("*.egg-info"):  # the installed course keeps a copy of its own
        shutil.rmtree(leftover)


@contextlib.contextmanager
def one_at_a_time():
    """Let a second `make` wait for the first."""
    with Path(__file__).open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another make is at work on .venv: waiting for it …", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            pass  # some network file systems lock nothing
        yield


def main():
    check_python(sys.version_info)
    check_writable(ROOT)
    python = VENV / "bin" / "python"
    with one_at_a_time():
        state = STATE.read_text() if STATE.exists() else None
        wanted = wanted_state()
        anything_there = VENV.exists() and any(VENV.iterdir())
        step = next_step(state, wanted, python.exists(), anything_there)
        if step == "nothing":
            return
        try:
            if step == "make":
                make(python)
            install(python)
            STATE.write_text(wanted)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            clear()
            raise SystemExit(
                "The disk ran full, and what was unfinished in .venv is removed: it needs about "
                f"{NEEDED_GB:.0f} GB, and several more where pip takes PyTorch's CUDA build; "
                "make room, and run the same command again"
            ) from None
        print("The environment is ready.", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("Interrupted: run the same command to go on.") from None
