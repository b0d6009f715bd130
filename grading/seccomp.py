"""Which calls of Linux a submission may not make: a filter that the kernel applies to each call.

Namespaces and lost rights stop most attacks already. This closes what they leave open: sockets of
families that know no namespace, new namespaces with rights inside, and parts of Linux in which
faults are found every year. A filter is a program of classic BPF: seccomp(2). It holds for the
process and all that it starts, and cannot be taken off.
"""

import ctypes
import errno
import os
import socket
import struct
import sys

# the machines whose numbers are below, with what Linux calls their programs: linux/audit.h
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# numbers of calls, in the order of the machines; None where there is no such call
CALLS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clone": (56, 220),
    "clone3": (435, 435),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}

FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6) if sys.platform == "linux" else ()
NEW_NAMESPACES = 0x7E020000  # of all kinds that clone(2) knows; unshare(2) knows one more
NEW_TIME = 0x80

# classic BPF, linux/filter.h: load a word, and jump if it is equal, not smaller, or has a bit set
LOAD, EQUAL, NOT_SMALLER, HAS_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16  # where the words lie that it may load
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000

# calls that are allowed with some values of the first argument: how it is compared, with what, and
# whether a match allows
ARGUMENTS = {
    "clone": (HAS_BIT, (NEW_NAMESPACES,), False),
    "unshare": (HAS_BIT, (NEW_NAMESPACES | NEW_TIME,), False),
    "socket": (EQUAL, FAMILIES, True),
    "socketpair": (EQUAL, FAMILIES, True),
    "personality": (EQUAL, (0xFFFFFFFF,), True),  # the question which one it is
}
# what a call fails with, if not with EPERM
ERRORS = {
    "clone3": errno.ENOSYS,  # its flags cannot be looked at; the C library then takes clone
    "socket": errno.EOPNOTSUPP,  # with EPERM ZeroMQ would abort where it asks for interfaces
}

FOREIGN = 0x40000000  # from here on: calls in the form of x32, with other numbers
SET_SECCOMP, FILTER = 22, 2


class Program(ctypes.Structure):
    """A filter as prctl(2) takes it."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def machine() -> str | None:
    """The name of this machine in the table; None if it is not there."""
    name = os.uname().machine
    return name if name in MACHINES and sys.maxsize > 2**32 else None


def number(call: str) -> int | None:
    """The number of a call on this machine; None if it is not known."""
    return CALLS[call][list(MACHINES).index(machine())] if machine() else None


def program(name: str) -> list[tuple[int, int, int, int]]:
    """Write the filter for a machine.

    Args:
        name: one of `MACHINES`.

    Returns:
        Instructions: operation, how many to skip if a comparison holds, how many if not, operand.
    """
    column = list(MACHINES).index(name)
    found = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, MACHINES[name]), (RETURN, 0, 0, KILL)]
    found += [(LOAD, 0, 0, NUMBER), (NOT_SMALLER, 0, 1, FOREIGN), (RETURN, 0, 0, KILL)]
    for call, numbers in CALLS.items():
        if numbers[column] is None:
            continue
        refuse = (RETURN, 0, 0, REFUSE | ERRORS.get(call, errno.EPERM))
        block = _look_at_argument(*ARGUMENTS[call], refuse) if call in ARGUMENTS else [refuse]
        found += [(EQUAL, 0, len(block), numbers[column]), *block]
    return [*found, (RETURN, 0, 0, ALLOW)]


def _look_at_argument(test: int, values: tuple[int, ...], allows: bool, refuse: tuple) -> list:
    """Compare the lower half of the first argument, which is all that Linux looks at."""
    allow = (RETURN, 0, 0, ALLOW)
    tests = [(test, len(values) - place, 0, value) for place, value in enumerate(values)]
    last = [refuse, allow] if allows else [allow, refuse]
    return [(LOAD, 0, 0, FIRST_ARGUMENT), *tests, *last]


def install(libc: ctypes.CDLL) -> bool:
    """Put this process under the filter; it must have given up new privileges before.

    Args:
        libc: the C library, opened with ``use_errno``.

    Returns:
        Whether there is a filter for this machine.

    Raises:
        OSError: if Linux does not take it.
    """
    name = machine()
    if name is None:
        return False
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program(name))
    filter_ = Program(len(code) // 8, code)
    if libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(filter_), 0, 0):
        failed = ctypes.get_errno()
        raise OSError(failed, f"the filter for calls was not taken: {os.strerror(failed)}")
    return True
