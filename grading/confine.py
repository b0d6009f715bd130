"""What a freshly forked process does to lock itself in: enter a room, and give up all rights.

The room is a set of namespaces that bubblewrap has made (`grading.room`). A program that bubblewrap
starts would have to import torch once more. So a copy of the warm process walks in instead: Linux
lets a process join the namespaces of another one. Used on Linux alone, by `grading.warm`.
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct
from pathlib import Path

# include/uapi/linux/sched.h, prctl.h and capability.h
NEW_USER = 0x10000000
NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
SET_PDEATHSIG, CAPBSET_DROP, SET_NO_NEW_PRIVS = 1, 24, 38
CAPABILITY_VERSION_3 = 0x20080522
HIGHEST_CAPABILITY = 63

LIMITS = {
    "cpu_time": resource.RLIMIT_CPU,
    "file_size": resource.RLIMIT_FSIZE,
    "processes": resource.RLIMIT_NPROC,
    "memory": resource.RLIMIT_DATA,
}


def walk_in(pid: int, groups: list[str], limits: dict[str, int], user: int | None) -> int:
    """Enter the room whose first process is ``pid``; two processes return from this, one inside.

    Args:
        pid: a process in the room.
        groups: the folders of control groups to join.
        limits: by the names of `LIMITS`, in seconds, bytes or numbers.
        user: the user and group to become, where this process is root; else None.

    Returns:
        0 inside the room; outside, the number under which the process inside is known there.

    Raises:
        OSError: if the room cannot be entered.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for group in groups:
        Path(group, "cgroup.procs").write_text("0")
    room = os.pidfd_open(pid)
    # all at once: to join the others takes rights that only the room's own user namespace gives
    _check(libc.setns(room, NAMESPACES | (NEW_USER if user is None else 0)))
    os.close(room)
    inside = os.fork()  # what joins a namespace of processes is the next child
    if inside:
        return inside
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, limit in limits.items():
        limit += _data_size() if name == "memory" else 0
        # at the first limit of time a signal says why; at the second there is no more to say
        last = limit + 2 if name == "cpu_time" else limit
        resource.setrlimit(LIMITS[name], (limit, last))
    for capability in range(HIGHEST_CAPABILITY + 1):
        libc.prctl(CAPBSET_DROP, capability, 0, 0, 0)  # fails for numbers that this Linux lacks
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _give_up_rights(libc)
    return 0


def _data_size() -> int:
    """What this process has of memory already, in bytes, as RLIMIT_DATA counts it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmData:")))


def _give_up_rights(libc: ctypes.CDLL) -> None:
    """No capability, now or through any program; and no life after the process outside."""
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    _check(libc.capset(header, bytes(24)))
    _check(libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(libc.prctl(SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"this process could not be locked in: {os.strerror(number)}")


def wait_and_end_like(pid: int) -> None:
    """Wait for a child, and end in the way it ended."""
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):  # SIGKILL and SIGSTOP need no handler
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))
