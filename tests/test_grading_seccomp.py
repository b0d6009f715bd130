"""The filter for calls: its numbers, what it decides on each machine, and that Linux takes it."""

import ctypes
import ctypes.util
import errno
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from grading import seccomp

ALLOWED, KILLED = seccomp.ALLOW, seccomp.KILL
REFUSED = seccomp.REFUSE | errno.EPERM
MISSING = seccomp.REFUSE | errno.ENOSYS
NO_FAMILY = seccomp.REFUSE | errno.EOPNOTSUPP
i386, FORK_SIGNALS = 0x40000003, 0x1200000 | signal.SIGCHLD


def decide(machine, number, argument=0, program_of=None):
    """What the filter of a machine says to a call: a machine for classic BPF, in ten lines."""
    words = {0: number, 4: program_of or seccomp.MACHINES[machine], 16: argument & 0xFFFFFFFF}
    program, place, loaded = seccomp.program(machine), 0, None
    while True:
        operation, if_true, if_false, operand = program[place]
        place += 1
        if operation == seccomp.RETURN:
            return operand
        if operation == seccomp.LOAD:
            loaded = words[operand]
            continue
        holds = {
            seccomp.EQUAL: loaded == operand,
            seccomp.NOT_SMALLER: loaded >= operand,
            seccomp.HAS_BIT: bool(loaded & operand),
        }
        place += if_true if holds[operation] else if_false


@pytest.mark.parametrize("machine", seccomp.MACHINES)
@pytest.mark.parametrize(
    ("call", "argument", "expected"),
    [
        pytest.param("socket", socket.AF_UNIX, ALLOWED, id="local socket"),
        pytest.param("socket", socket.AF_INET6, ALLOWED, id="socket of IPv6"),
        pytest.param("socket", 40, NO_FAMILY, id="socket of virtual machines"),
        pytest.param("socketpair", 1, ALLOWED, id="pair"),
        pytest.param("socketpair", 30, REFUSED, id="odd pair"),
        pytest.param("clone", FORK_SIGNALS, ALLOWED, id="fork"),
        *(
            pytest.param("clone", 1 << bit, REFUSED, id=f"namespace {bit}")
            for bit in (17, 25, 26, 27, 28, 29, 30)
        ),
        pytest.param("unshare", 0x400, ALLOWED, id="own descriptors"),
        pytest.param("unshare", 0x80, REFUSED, id="own time"),
        pytest.param("unshare", 0x10000400, REFUSED, id="one of several flags"),
        pytest.param("clone3", 0, MISSING, id="clone3"),
        pytest.param("personality", 0xFFFFFFFF, ALLOWED, id="question"),
        pytest.param("personality", 8, REFUSED, id="other personality"),
        pytest.param("keyctl", 0, REFUSED, id="keys"),
    ],
)
def test_decision(machine, call, argument, expected):
    number = seccomp.CALLS[call][list(seccomp.MACHINES).index(machine)]
    assert decide(machine, number, argument) == expected


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_each_call_of_the_table_is_decided_on(machine):
    column = list(seccomp.MACHINES).index(machine)
    numbers = {numbers[column] for numbers in seccomp.CALLS.values()} - {None}
    decided = {number for number in range(500) if decide(machine, number, 0x10000080) != ALLOWED}
    assert decided == numbers


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_programs_of_other_machines_are_killed(machine):
    assert decide(machine, 20, program_of=i386) == KILLED
    assert decide(machine, seccomp.FOREIGN | 39) == KILLED


def test_numbers_are_those_of_libseccomp():
    name = ctypes.util.find_library("seccomp")
    if name is None:
        pytest.skip("libseccomp, which knows the numbers too, is not on this machine")
    resolve = ctypes.CDLL(name).seccomp_syscall_resolve_name_arch
    for call, numbers in seccomp.CALLS.items():
        found = [resolve(machine, call.encode()) for machine in seccomp.MACHINES.values()]
        assert tuple(number if number >= 0 else None for number in found) == numbers, call


def filtered(function):
    """Run a function under the filter, in a process of its own; return how that process ended."""
    child = os.fork()
    if child == 0:
        result = 1
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(38, 1, 0, 0, 0)
            assert seccomp.install(libc)
            result = 0 if function() is not False else 2
        finally:
            os._exit(result)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def number_of_threads():
    thread = threading.Thread(target=os.getpid)
    thread.start()
    thread.join()


def connect_to_oneself():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def forked_workers():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.map(abs, [-1]) == [1]


def train_a_little():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    batches = DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2, num_workers=1)
    return len(list(batches)) == 2


def draw():
    import matplotlib.pyplot as plt

    plt.figure().canvas.draw()


@pytest.mark.skipif(seccomp.machine() is None, reason="no filter for this machine")
@pytest.mark.parametrize(
    "work",
    [
        pytest.param(number_of_threads, id="threads"),
        pytest.param(lambda: subprocess.run(["true"], check=True), id="programs"),
        pytest.param(lambda: subprocess.run([sys.executable, "-c", ""], check=True), id="Python"),
        pytest.param(lambda: socket.socketpair(), id="pairs"),
        pytest.param(lambda: socket.getaddrinfo("127.0.0.1", 80), id="addresses"),
        pytest.param(connect_to_oneself, id="own servers"),
        pytest.param(forked_workers, id="multiprocessing"),
        pytest.param(train_a_little, id="torch"),
        pytest.param(draw, id="figures"),
    ],
)
def test_ordinary_work_goes_on(work):
    assert filtered(work) == 0


@pytest.mark.skipif(seccomp.machine() is None, reason="no filter for this machine")
@pytest.mark.parametrize("kind", [16, 17, 38, 40], ids=["NETLINK", "PACKET", "ALG", "VSOCK"])
def test_other_sockets_are_not_made(kind):
    def make():
        with pytest.raises(OSError, match="not supported"):
            socket.socket(kind, socket.SOCK_RAW)

    assert filtered(make) == 0


@pytest.mark.skipif(seccomp.machine() != "x86_64", reason="x32 is a form of x86_64")
def test_a_call_in_the_form_of_x32_ends_the_process():
    ask = ctypes.CDLL(None).syscall
    assert filtered(lambda: ask(seccomp.FOREIGN | 39)) == -signal.SIGSYS
