"""What a submission's processes cannot do: gain rights, outlive the room, take more than is due."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import grading.groups
from grading import seccomp
from grading.room import obstacle
from tests.attacks_processes import KERNEL, PROCESSES, RIGHTS
from tests.probes import attempt, run

pytestmark = pytest.mark.skipif(bool(obstacle()), reason=obstacle())

LIMITED = {"memory", "pids"}
FINE = (["fine\n"], {})


@pytest.fixture(scope="module")
def submission(tmp_path_factory):
    """A folder with a data file, and with a program that would run as its owner."""
    folder = tmp_path_factory.mktemp("submission")
    (folder / "data.csv").write_text("1,2")
    shutil.copy("/usr/bin/id", folder / "rootid")
    (folder / "rootid").chmod(0o4755)
    return folder


@pytest.fixture(scope="module")
def found(submission):
    """What became of all attacks; tried in two kernels of one grader."""
    calls = {call: seccomp.number(call) for call in seccomp.CALLS}
    host = {"calls": calls, "grader": os.getpid()}
    seen = attempt(RIGHTS | PROCESSES, host, folder=submission)
    return seen | attempt(KERNEL, host, folder=submission)


@pytest.mark.parametrize("attack", RIGHTS | PROCESSES)
def test_a_process_cannot(found, attack):
    assert found[attack][0] == "stopped", found[attack]


@pytest.mark.parametrize("attack", KERNEL)
def test_a_process_may_not_ask_linux(found, attack):
    error = "OSError(38" if attack == "clone3" else "PermissionError(1,"
    assert found[attack][1].startswith(error), found[attack]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program that runs as root")
def test_the_program_of_roots_would_make_another_user_root(submission, tmp_path):
    shutil.copy("/usr/bin/id", tmp_path / "rootid")
    (tmp_path / "rootid").chmod(0o4755)
    command = ["setpriv", "--reuid=65534", str(tmp_path / "rootid"), "-u"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "0\n"


def in_namespace(name):
    """The processes of the host that are in a namespace of processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/ns/pid"):
        try:
            if str(path.readlink()) == name:
                found.append(int(path.parts[2]))
        except OSError:  # it has ended, or is another user's
            continue
    return found


def wait_until(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


DAEMON = """\
import ctypes, os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # not to be ended with its parent
        try:
            os.open('/proc/1/fd/0', os.O_WRONLY)  # would keep the room open
        except OSError:
            pass
        time.sleep(60)
    os._exit(0)
time.sleep(0.1)
print(os.readlink('/proc/self/ns/pid'))"""


def test_no_daemon_outlives_the_run():
    (said,), ending = run(DAEMON)
    assert said.startswith("pid:[")
    assert ending == {}
    assert wait_until(lambda: not in_namespace(said.strip()))


FORKS = """\
import os
if os.fork() == 0:
    while True:
        try:
            os.fork()
        except OSError:
            pass"""
COUNT = """\
import os
print(sum(name.isdigit() for name in os.listdir('/proc')) <= 64)"""
THREADS = """\
import threading, time
try:
    for started in range(1000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
except RuntimeError as error:
    print(started < 64, error)"""
MEMORY = "held = bytearray(600 * 2**20)"
MANY_PROCESSES = """\
import os, time
for _ in range(4):
    if os.fork() == 0:
        held = bytearray(150 * 2**20)
        time.sleep(60)
print(os.WTERMSIG(os.wait()[1]))"""
DISK = """\
import pathlib
full = []
for folder in ('/tmp', '/submission', '/dev/shm'):
    try:
        for number in range(8):
            with open(f'{folder}/{number}', 'wb') as file:
                file.write(bytes(2**20))
    except OSError as error:
        full.append(error.strerror)
    for number in range(8):
        pathlib.Path(f'{folder}/{number}').unlink(missing_ok=True)
print(full)"""
FILE = """\
try:
    open('/tmp/long', 'wb').write(bytes(2 * 2**20))
except OSError as error:
    print(error.strerror)"""


@pytest.fixture(params=["control groups", "limits of each process"])
def limited(request, monkeypatch):
    """With control groups, where there are any, and without."""
    if request.param != "control groups":
        monkeypatch.setattr(grading.groups, "parent_groups", dict)
    elif LIMITED - set(grading.groups.parent_groups()):
        pytest.skip("control groups cannot be written here")


def test_a_fork_bomb_hurts_nobody_else(limited):
    (_, count), ending = run(FORKS, COUNT, limits={"processes": 64})
    assert (count, ending) == ("True\n", {})
    assert run("print('fine')") == FINE


def test_threads_are_limited(limited):
    (said, goes_on), ending = run(THREADS, "print('on')", limits={"processes": 64})
    assert said == "True can't start new thread\n"
    assert (goes_on, ending) == ("on\n", {})


def test_memory_is_limited(limited):
    _, ending = run(MEMORY, limits={"memory": 400})
    assert ending["status"] == "out of memory"
    assert run("print('fine')") == FINE


@pytest.mark.skipif(
    bool(LIMITED - set(grading.groups.parent_groups())), reason="control groups cannot be written"
)
def test_memory_of_all_processes_together_is_limited():
    assert run(MANY_PROCESSES, limits={"memory": 400}) == ([f"{signal.SIGKILL.value}\n"], {})


@pytest.mark.parametrize(
    ("code", "limit", "said"),
    [
        pytest.param(DISK, {"disk": 4}, str(["No space left on device"] * 3), id="disk"),
        pytest.param(FILE, {"file_size": 1}, "File too large", id="file size"),
    ],
)
def test_what_is_written_is_limited_and_the_run_goes_on(code, limit, said):
    (found, goes_on), ending = run(code, "print('fine')", limits=limit)
    assert said in found  # beside it IPython may say that its history found no place
    assert "fine" in goes_on
    assert ending == {}


def test_a_message_that_is_too_large_is_not_taken():
    (said,), ending = run("print('x' * (60 * 2**20))")
    assert "MB of output; the rest is left out" in said
    assert "xxx" not in said
    assert ending == {}
    assert run("print('fine')") == FINE


def test_one_that_would_fill_the_graders_memory_ends_the_kernel():
    (said,), ending = run("print('x' * (400 * 2**20))")
    assert "xxx" not in said
    assert ending["status"] == "crashed"
    assert "filled 200 MB of the grader's memory with output" in ending["reason"]
    assert run("print('fine')") == FINE


def test_time_of_the_processor_is_limited():
    _, ending = run("while True: pass", limits={"cpu_time": 1})
    assert ending["status"] == "timed out"
    assert "used up the time of the processor" in ending["reason"]
    assert run("print('fine')") == FINE


GRADER = """\
import sys, time
from jupyter_client import KernelManager
from grading.warm_process import WARM, name_kernelspec
name_kernelspec()
manager = KernelManager(kernel_name="sandbox")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready()
client.execute_interactive(sys.argv[1])
room = manager.provisioner.room
print(WARM._process.pid, manager.provisioner.process.group, room._process.pid, flush=True)
time.sleep(60)"""


def test_all_ends_when_the_grader_is_killed(tmp_path):
    command = [sys.executable, "-c", GRADER, DAEMON]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as grader:
        name = grader.stdout.readline().strip()
        own = [int(pid) for pid in grader.stdout.readline().split()]
        assert len(in_namespace(name)) > 2
        grader.send_signal(signal.SIGKILL)
    gone = wait_until(lambda: not in_namespace(name))
    assert gone
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in own))
