"""A room for one kernel: namespaces that bubblewrap makes, with limits on memory and processes.

Inside there is a read-only system with Python and `deeplearn`, a copy of the submission's data
files, and empty folders; copy and folders are gone with the room. There is no network, no other
process, and nothing of the course.
"""

import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from grading.beside import to_copy, to_show
from grading.groups import ControlGroups
from grading.shown import closed, python_folders

WORK = "/submission"  # where the notebook runs
SOCKETS = "/run/kernel"
CONNECTION = f"{SOCKETS}/kernel.json"  # how to reach the kernel; no file of a student lies there
LINUX = 5, 10  # the first one that switches off links in a folder
CURE = "or grade without isolation, with your rights, what you would run yourself: --no-sandbox"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime", "/etc/ssl")
MEBIBYTE = 2**20


class NoRoom(Exception):
    """This machine does not isolate; the message says what is missing, and the way out."""


@functools.cache
def obstacle() -> str:
    """What keeps this machine from isolating, with the cure; empty if nothing does."""
    if sys.platform != "linux":
        return (
            f"submissions are isolated on Linux alone, not on {sys.platform}: use a virtual machine"
        )
    if not shutil.which("bwrap"):
        return "bubblewrap is missing: install it (Debian: sudo apt-get install bubblewrap)"
    version = re.match(r"(\d+)\.(\d+)", platform.release())
    if not version or tuple(map(int, version.groups())) < LINUX:
        return f"Linux {LINUX[0]}.{LINUX[1]} or newer is needed, this is {platform.release()}"
    if found := closed():
        return found
    try:
        with Room(memory=256, processes=16, disk=1):
            return ""
    except NoRoom as error:
        return str(error)


def check_isolation() -> None:
    """Raise `NoRoom` where this machine does not isolate."""
    found = obstacle()
    if found:
        raise NoRoom(f"submissions cannot be isolated here: {found}; {CURE}")


class Room:
    """Namespaces and control groups, held open until `close`; or until this process ends.

    Args:
        folder: its files, but for notebooks and links, are copied to ``/submission``, where they
            belong to who runs in the room. Where they are more than a submission can be, as in a
            course that is open in JupyterLab, they are only readable there.
        memory: the limit for all processes together, in MiB.
        processes: the limit for processes and threads together.
        disk: the limit for what is written, MiB: at ``/submission``, ``/tmp``, ``/dev/shm`` each.
            What is copied comes on top.
        readable: further folders that are readable where they are.

    Attributes:
        pid: the room's first process, as it is known outside.
        sockets: a path by which the folder ``/run/kernel`` inside is reached from outside.

    Raises:
        NoRoom: if bubblewrap fails, with its words.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        memory: int,
        processes: int,
        disk: int,
        readable: Iterable[Path] = (),
    ):
        copied = to_copy(folder, disk * MEBIBYTE) if folder else {}
        shown = to_show(folder, WORK) if copied is None else []
        copied = copied or {}
        self._process: subprocess.Popen | None = None
        self._link = tempfile.TemporaryDirectory(prefix="room-")
        self.groups = ControlGroups(memory=memory * MEBIBYTE, pids=processes)
        try:
            self.pid = self._start(
                _arguments(readable, shown, disk * MEBIBYTE, sum(copied.values()))
            )
            # a short path: those of sockets end at 107 letters
            self.sockets = Path(self._link.name, "k")
            self._root = Path("/proc", str(self.pid), "root")
            self.sockets.symlink_to(self._root / SOCKETS[1:])
            for path in copied:
                self._copy(path, f"{WORK}/{path.relative_to(folder)}")
        except BaseException:
            self.close()
            raise

    @property
    def user(self) -> int | None:
        """Who runs in the room, where this process is root: a user that nobody else is."""
        return 2**20 + self.pid if os.geteuid() == 0 else None

    def close(self) -> None:
        """End all that runs in the room."""
        if self._process:
            self._process.kill()
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                stream.close()  # the room's first process reads stdin to its end
            self._process.wait()
        self.groups.remove()
        self._link.cleanup()

    def _start(self, arguments: list[str]) -> int:
        """Start bubblewrap; return the number of the room's first process.

        Whoever ends while bubblewrap starts must not take only a half of it along: the other half
        would wait for ever. So it has a session of its own, and writes to no pipe before it is up.
        """
        pipe = subprocess.PIPE
        with tempfile.TemporaryFile() as info:
            self._process = subprocess.Popen(
                ["bwrap", "--info-fd", str(info.fileno()), *arguments],
                **{"stdin": pipe, "stdout": pipe, "stderr": pipe},
                pass_fds=[info.fileno()],
                start_new_session=True,
            )
            ready = self._process.stdout.readline()
            info.seek(0)
            told = info.read()
        if not ready:
            said = self._process.stderr.read().decode(errors="replace").strip()
            raise NoRoom(f"bubblewrap failed ({said}); allow users namespaces: user_namespaces(7)")
        return json.loads(told)["child-pid"]

    def _copy(self, path: Path, place: str) -> None:
        """Copy a file, or make a folder, for the user of the room; nobody else is in it yet."""
        copy = self._root / place[1:]
        if path.is_dir():
            copy.mkdir()
        else:
            shutil.copyfile(path, copy, follow_symlinks=False)
        if self.user is not None:
            os.chown(copy, self.user, self.user)
        copy.chmod(0o755 if path.is_dir() else 0o644)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _arguments(readable: Iterable[Path], shown: list[str], disk: int, copied: int) -> list[str]:
    """What bubblewrap is told of a room, with so many bytes to write, and to hold copies."""
    user = [] if os.geteuid() == 0 else ["--unshare-user"]
    empty = ["--perms", "1777", "--size", str(disk), "--tmpfs"]
    work = ["--perms", "1777", "--size", str(disk + copied), "--tmpfs"]
    return [
        *(*user, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--new-session", "--clearenv", "--hostname", "room"),
        *("--proc", "/proc", "--dev", "/dev", *empty, "/dev/shm", "--remount-ro", "/dev"),
        *(*empty, "/tmp", *work, WORK),
        *("--perms", "1777", "--size", str(MEBIBYTE), "--tmpfs", SOCKETS),
        *_mounts(readable),
        *shown,
        *("--remount-ro", "/", "--chdir", "/", "--as-pid-1"),
        # says that the room is ready, and holds it open until the grader closes the pipe or ends
        *("/bin/sh", "-c", "echo; exec /bin/cat"),
    ]


def _mounts(readable: Iterable[Path]) -> list[str]:
    """What is readable in the room, as arguments of bubblewrap."""
    arguments = []
    for name in SYSTEM:
        if Path(name).is_symlink():
            arguments += ["--symlink", str(Path(name).readlink()), name]
        elif Path(name).is_dir():
            arguments += ["--ro-bind", name, name]
    arguments += ["--perms", "0755", "--dir", "/etc"]  # else nobody but root could enter it
    for name in SETTINGS:
        arguments += ["--ro-bind-try", name, name]
    parents: dict[str, None] = {}
    binds = []
    for path in [*python_folders(), *readable]:
        real = path.resolve()
        if not real.is_dir() or real.is_relative_to("/usr"):
            continue
        for place in dict.fromkeys([path.absolute(), real]):
            parents |= dict.fromkeys(str(parent) for parent in list(place.parents)[-2::-1])
            binds += ["--ro-bind", str(real), str(place)]
    for parent in parents:
        if parent not in {"/tmp", "/run", "/usr"}:
            arguments += ["--perms", "0755", "--dir", parent]
    return arguments + binds
