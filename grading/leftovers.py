"""What a grader leaves behind that was killed: found and removed when the next one starts.

A grader and the processes that it starts keep all temporary files in one folder, and hold a lock on
it that ends with the grader, in whatever way it ends. So a folder that nobody holds is left over.
Control groups carry the number of the process that made them.
"""

import contextlib
import errno
import fcntl
import functools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.util import Finalize
from pathlib import Path

from grading.groups import parent_groups

PREFIX = "grading-"
GROUP = re.compile(r"grading-(\d+)-\w+")
DEEPEST = 55  # bytes of the path around it; that of a socket in it has 107 at most
SECONDS = 2.0  # to wait for the last processes of a control group to be gone


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Keep what is written for a time inside this ``with`` block in the folder of this process.

    The programs that are started inside do the same as long as they live.
    """
    folder = str(own_folder())
    mine = {"TMPDIR": folder, "JUPYTER_RUNTIME_DIR": folder}  # files on running kernels, the latter
    before = {name: os.environ.get(name) for name in mine}
    place, tempfile.tempdir = tempfile.tempdir, folder
    os.environ.update(mine)
    try:
        yield
    finally:
        tempfile.tempdir = place
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})


@functools.cache
def own_folder() -> Path:
    """The folder of this process, removed when it ends.

    Raises:
        OSError: if sockets in it would have too long a path.
    """
    if len(os.fsencode(place := tempfile.gettempdir())) > DEEPEST:
        reason = f"sockets need a path for temporary files of at most {DEEPEST} bytes: set TMPDIR"
        raise OSError(errno.ENAMETOOLONG, reason, place)
    held = None
    while held is None:  # a grader that looks for what is left over may be first to hold it
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = _hold(folder)
    # after what multiprocessing keeps there, which goes at -100
    Finalize(None, _remove, (folder, held), exitpriority=-200)
    return folder


def sweep() -> None:
    """Remove what graders of this user left behind that have ended; those at work keep theirs."""
    own = own_folder()
    for folder in own.parent.glob(f"{PREFIX}*"):
        if folder != own and _is_mine(folder) and (held := _hold(folder)) is not None:
            _remove(folder, held)
    end = time.monotonic() + SECONDS
    while (left := _left_groups()) and time.monotonic() < end:
        for group in left:
            with contextlib.suppress(OSError):  # a process is in it, still
                group.rmdir()
        time.sleep(0.005)


def _hold(folder: Path) -> int | None:
    """Take the lock on a folder, as long as this process lives; None if it is gone or another's."""
    with contextlib.suppress(OSError):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder.stat()  # it may have been removed just before
        except OSError:
            os.close(held)
        else:
            return held
    return None


def _remove(folder: Path, held: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)


def _is_mine(folder: Path) -> bool:
    return not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.geteuid()


def _left_groups() -> list[Path]:
    """The control groups whose maker has ended."""
    groups = [group for place in set(parent_groups().values()) for group in place.glob("grading-*")]
    numbers = [(GROUP.fullmatch(group.name), group) for group in groups]
    return [group for found, group in numbers if found and _has_ended(found[1])]


def _has_ended(pid: str) -> bool:
    try:
        state = Path("/proc", pid, "stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return True
    return state.split()[0] == "Z"  # nobody has asked how it ended
