"""What a freshly forked process does to lock itself in: enter a room, and give up all rights.

The room is a set of namespaces that bubblewrap has made (`grading.room`). A program that bubblewrap
starts would have to import torch once more. So a copy of the warm process walks in instead: Linux
lets a process join the namespaces of another one. Used on Linux alone, by `grading.warm`.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import signal
import struct
from pathlib import Path

from grading import seccomp
from grading.room import SOCKETS

# include/uapi/linux: sched.h, mount.h, nsfs.h, keyctl.h, prctl.h and capability.h
NEW_USER = 0x10000000
NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
NO_SUID, NO_DEVICES, NO_PROGRAMS, REMOUNT, NO_LINKS, BIND = 2, 4, 8, 32, 256, 4096
LINKS_REFUSED = 0x2000  # as statvfs tells it
GET_USER_NAMESPACE = 0xB701
JOIN_SESSION_KEYRING = 1
SET_PDEATHSIG, CAPBSET_DROP, SET_NO_NEW_PRIVS = 1, 24, 38
CAPABILITY_VERSION_3 = 0x20080522
HIGHEST_CAPABILITY = 63

TERMINALS = 64  # of those that all programs of the machine share; `!ls` in a notebook takes one

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
        OSError: if the room cannot be entered, or not all can be locked.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.getuid(), os.getgid()
    for group in groups:
        Path(group, "cgroup.procs").write_text("0")
    _join(libc, pid, user is None)
    _follow_no_links(libc)
    _limit_terminals(libc)
    # 1, not 0: only at 1 Linux does not start a program that the host has for dumps, core(5)
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    inside = os.fork()  # what joins a namespace of processes is the next child
    if inside:
        return inside
    _let_go(libc)
    _limit(limits)
    if user is None:
        _become_stranger(libc, *own)
    for capability in range(HIGHEST_CAPABILITY + 1):
        libc.prctl(CAPBSET_DROP, capability, 0, 0, 0)  # fails for numbers that this Linux lacks
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _give_up_rights(libc)
    seccomp.install(libc)
    return 0


def _join(libc: ctypes.CDLL, pid: int, with_user: bool) -> None:
    """Join the namespaces of a process; first that of users, which gives the right to the rest."""
    if with_user:
        mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
        # the one that owns the mounts: bubblewrap's process itself sits in another one below it
        owner = fcntl.ioctl(mounts, GET_USER_NAMESPACE)
        _check(libc.setns(owner, NEW_USER))
        os.close(owner)
        os.close(mounts)
    room = os.pidfd_open(pid)
    _check(libc.setns(room, NAMESPACES))
    os.close(room)


def _follow_no_links(libc: ctypes.CDLL) -> None:
    """Let no link lead out of the folder that the grader reaches into: it would lead the grader."""
    flags = REMOUNT | BIND | NO_SUID | NO_DEVICES | NO_LINKS
    _check(libc.mount(None, SOCKETS.encode(), None, flags, None))
    if not os.statvfs(SOCKETS).f_flag & LINKS_REFUSED:
        raise OSError(errno.ENOSYS, "links in a room cannot be switched off: Linux is before 5.10")


def _limit_terminals(libc: ctypes.CDLL) -> None:
    """Leave terminals to others; the other options are those that bubblewrap has mounted with."""
    options = f"ptmxmode=0666,mode=620,max={TERMINALS}".encode()
    flags = REMOUNT | NO_SUID | NO_PROGRAMS
    _check(libc.mount(None, b"/dev/pts", None, flags, options))


def _let_go(libc: ctypes.CDLL) -> None:
    """Leave the grader's standard streams and its keys outside."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    if nothing > 2:
        os.close(nothing)
    call = seccomp.number("keyctl")
    # fails where there are no keys, or where nobody may use them
    if call is not None and libc.syscall(call, JOIN_SESSION_KEYRING, None) < 0:
        _check(ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM))


def _limit(limits: dict[str, int]) -> None:
    """Take the limits that hold for each process by itself."""
    for name, limit in limits.items():
        limit += _data_size() if name == "memory" else 0
        # at the first limit of time a signal says why; at the second there is no more to say
        last = limit + 2 if name == "cpu_time" else limit
        resource.setrlimit(LIMITS[name], (limit, last))


def _become_stranger(libc: ctypes.CDLL, user: int, group: int) -> None:
    """Take a namespace of users for oneself: from there the room's first process is a stranger's.

    The grader, that process and the submission are one user on the host. In one namespace they
    could write each other's memory.
    """
    outer = os.getuid(), os.getgid()
    _check(libc.unshare(NEW_USER))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {outer[0]} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {outer[1]} 1")


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
    """Raise what the C library says, unless the result is 0."""
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
