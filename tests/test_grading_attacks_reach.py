"""What a submission cannot reach: files, processes, memory, sockets and servers of the host."""

import contextlib
import ctypes
import os
import secrets
import socket
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from grading import seccomp
from grading.room import Room, obstacle
from grading.warm_process import ADDRESS, WARM
from tests.attacks_reach import CLOSED, COPY, REACH
from tests.probes import attempt
from tests.toy_course import make_course

pytestmark = pytest.mark.skipif(bool(obstacle()), reason=obstacle())

ROOT = Path(__file__).resolve().parents[1]
CREATE = 0o1000  # IPC_CREAT
SESSION_KEYRING = -3
UNLINK = 9  # KEYCTL_UNLINK
libc = ctypes.CDLL(None, use_errno=True)


def decoy_files(root, elsewhere):
    """A course with all that a student would like to read."""
    course = make_course(root / "course")
    files = {
        "solution": course / "solutions" / "toy" / "toy.ipynb",
        "settings": course / "nbgrader_config.py",
        "gradebook": course / "gradebook.db",
        "other": course / "submitted" / "bob" / "toy" / "toy.ipynb",
        "result": course / "_build" / "grading" / "results" / "toy" / "bob.json",
        "temporary": root / "secret.txt",
        "elsewhere": elsewhere / "secret.txt",
    }
    for path in files.values():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("secret")
    return {name: str(path) for name, path in files.items()} | {"course": str(course)}


def submission(root, course):
    """A folder with data files and with links that lead out of it."""
    folder = root / "ada"
    (folder / "data").mkdir(parents=True)
    for path in (folder / "data.csv", folder / "data" / "more.csv", folder / "toy.ipynb"):
        path.write_text("1,2")
    (folder / "link.csv").symlink_to(course["solution"])
    (folder / "data" / "link.csv").symlink_to(course["solution"])
    (folder / "folder_link").symlink_to(course["course"])
    return folder


@contextlib.contextmanager
def servers(folder, name):
    """Listening sockets of the host, of several kinds, and one who knocks at a port."""
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        listeners = {"listener": str(folder / "s"), "abstract": f"\0{name}"}
        for address in listeners.values():
            unix = stack.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(address)
            unix.listen()
        with socket.create_server(("127.0.0.1", 0)) as free:
            knocks = free.getsockname()[1]
        end = threading.Event()

        def answer():
            udp.settimeout(0.02)
            while not end.is_set():
                with contextlib.suppress(OSError):
                    udp.sendto(*udp.recvfrom(1))
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", knocks)).close()

        thread = threading.Thread(target=answer)
        thread.start()
        ports = {"tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1], "knocks": knocks}
        try:
            yield listeners | ports
        finally:
            end.set()
            thread.join()


@contextlib.contextmanager
def memory(name, key):
    """What programs of the host share: memory, semaphores, message queues, a key."""
    segment = libc.shmget(key, 4096, CREATE | 0o666)
    semaphore = libc.semget(key, 1, CREATE | 0o666)
    queue = libc.msgget(key, CREATE | 0o666)
    named = libc.mq_open(f"/{name}".encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
    added = [b"user", name.encode(), b"secret", 6, SESSION_KEYRING]
    secret = libc.syscall(seccomp.number("add_key"), *added)
    shared = Path("/dev/shm", name)
    shared.write_text("secret")
    try:
        assert min(segment, semaphore, queue, named, secret) >= 0
        yield {"name": name, "key": key}
    finally:
        libc.shmctl(segment, 0, None)
        libc.semctl(semaphore, 0, 0)
        libc.msgctl(queue, 0, None)
        libc.mq_unlink(f"/{name}".encode())
        libc.syscall(seccomp.number("keyctl"), UNLINK, secret, SESSION_KEYRING)
        shared.unlink()


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Decoys of all kinds, and the names under which an attack looks for them."""
    root = tmp_path_factory.mktemp("host")
    name, key = f"decoy-{secrets.token_hex(8)}", secrets.randbelow(2**31)
    patch = pytest.MonkeyPatch()
    with contextlib.ExitStack() as stack:
        elsewhere = stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp"))
        sockets = stack.enter_context(tempfile.TemporaryDirectory())
        course = decoy_files(root, Path(elsewhere))
        folder = submission(root, course)
        other = stack.enter_context(Room(memory=64, processes=8, disk=1))
        (other.sockets / "decoy").write_text("secret")
        patch.setenv("GRADER_PASSWORD", "secret")
        shared = stack.enter_context(memory(name, key))
        reached = stack.enter_context(servers(Path(sockets), name))
        patch.delenv(ADDRESS, raising=False)
        WARM.close()  # the next one starts with what the grader has by now
        WARM.ask(poll=1)
        stack.callback(WARM.close)
        stack.callback(patch.undo)
        python = [*Path(sys.prefix).parts, *Path(sys.base_prefix).parts, *ROOT.parts]
        yield {
            **course,
            **shared,
            **reached,
            **{"folder": str(folder), "checkout": str(ROOT), "variable": "GRADER_PASSWORD"},
            **{"grader": os.getpid(), "warm": WARM._address, "warm_pid": WARM._process.pid},
            **{"other_room": str(other.sockets), "other_pid": other.pid},
            **{"home": str(Path.home()), "python": python},
            "calls": {call: seccomp.number(call) for call in seccomp.CALLS},
        }


@pytest.fixture(scope="module")
def inside(host):
    return attempt(REACH | CLOSED, host, folder=host["folder"])


@pytest.fixture(scope="module")
def outside(host):
    return attempt(REACH, host, folder=host["folder"], isolate=False)


@pytest.mark.parametrize("attack", REACH | CLOSED)
def test_a_submission_does_not_reach(inside, attack):
    assert inside[attack][0] == "stopped", inside[attack]


@pytest.mark.parametrize("attack", REACH)
def test_without_a_room_it_would_be_reached(outside, attack):
    assert outside[attack][0] == "got", outside[attack]


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """What became of the files in a room, and the originals before and after."""
    folder = tmp_path_factory.mktemp("copied")
    (folder / "data").mkdir()
    for name in ("data.csv", "data/more.csv"):
        (folder / name).write_text("1,2")

    def look():
        return {
            path: (path.stat().st_mode, path.stat().st_mtime_ns, path.is_dir() or path.read_text())
            for path in folder.rglob("*")
        }

    before = look()
    return attempt(COPY, {}, folder=folder), before, look()


@pytest.mark.parametrize("change", COPY)
def test_a_notebook_does_what_it_likes_with_its_own_files(copied, change):
    assert copied[0][change][0] == "got", copied[0][change]


def test_the_files_that_were_handed_in_stay_as_they_are(copied):
    assert copied[1] == copied[2]
