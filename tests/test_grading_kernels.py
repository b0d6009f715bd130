"""Kernels that are forked: each as good as new, and none left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jupyter_client import KernelManager

from grading.warm_process import ADDRESS, WARM, WarmProcess
from tests.probes import run


def running(pid):
    """Whether a process is there and not only waiting to be buried."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def wait_until_gone(pid):
    deadline = time.monotonic() + 20
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(pid)


def test_a_forked_kernel_has_torch_and_draws_figures():
    texts, ending = run(
        "import sys; print('torch' in sys.modules)",
        "import torch; print((torch.ones(300, 300) @ torch.ones(300, 1))[0].item())",
        "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.show(); print(plt.get_backend())",
    )
    true, product, backend = (text.split()[-1] for text in texts)
    assert (true, product) == ("True", "300.0")
    assert backend.endswith("inline")
    assert ending == {}


def test_settings_of_the_system_can_be_read():
    assert run("print(len(open('/etc/ld.so.cache', 'rb').read(1)))")[0] == ["1\n"]


def test_what_one_kernel_changes_no_other_sees():
    change = "import os, torch; torch.Tensor.item = lambda self: 1; os.environ['LEFT'] = 'here'"
    run(change + "; torch.manual_seed(1)")
    seen = "print(torch.tensor(2).item(), 'LEFT' in os.environ, torch.initial_seed() == 1)"
    assert run(f"import os, torch; {seen}")[0] == ["2 False False\n"]


def test_draws_without_a_seed_are_the_same_in_each_grading():
    cell = "import random, numpy, torch; print(random.random(), numpy.random.rand(), torch.rand(1))"
    sets = "print({'a', 'b', 'c', 'd', 'e'})"
    first, second = (run(cell, sets)[0] for _ in range(2))
    assert first == second


def test_environment_and_folder_are_those_of_the_grader(tmp_path, monkeypatch):
    monkeypatch.setenv("SEEN", "yes")
    monkeypatch.chdir(tmp_path)
    texts, _ = run(
        "import os; print(os.environ['SEEN'], os.getcwd())",
        "import sys; print(sys.path)",
        isolate=False,
        folder=tmp_path,
    )
    assert texts[0] == f"yes {tmp_path}\n"
    assert str(Path(__file__).parent) not in texts[1]


def test_without_a_room_nobody_else_reads_what_a_kernel_says():
    app = "from ipykernel.kernelapp import IPKernelApp as App; app = App.instance()"
    texts, _ = run(f"{app}; print(app.transport, bool(app.curve_secretkey))", isolate=False)
    assert texts == ["tcp True\n"]


@pytest.mark.parametrize("cell", ["while True: pass", "import asyncio\nawait asyncio.sleep(100)"])
def test_a_cell_that_does_not_end_is_interrupted(cell):
    texts, ending = run(cell, "print('next')", timeout=2)
    assert "still running after 2 s" in texts[0]
    assert texts[1] == "next\n"
    assert ending["status"] == "timed out"


def test_a_kernel_that_dies_costs_its_own_submission():
    texts, ending = run("import os; os._exit(3)", "print('next')")
    assert ending["status"] == "crashed"
    assert texts[1] == ""
    assert run("print('fine')")[0] == ["fine\n"]


def test_a_submission_that_kills_the_process_it_came_from():
    _, ending = run("import os, signal; os.kill(os.getppid(), signal.SIGKILL)", "print('x')")
    assert ending.get("status", "crashed") == "crashed"  # or it got to its end before
    assert run("print('fine')")[0] == ["fine\n"]


def test_a_submission_cannot_reach_the_channel_of_the_grader():
    write = "for f in range(3, 60):\n    try: os.write(f, b'x\\n')\n    except OSError: pass"
    with contextlib.suppress(Exception):  # it hurts its own kernel, and nobody else's
        run(f"import os\n{write}", timeout=5, iopub_timeout=1)
    assert run("print('fine')")[0] == ["fine\n"]


DESCRIPTORS = """\
import json, os
found = {}
for name in os.listdir('/proc/self/fd'):
    try:
        found[int(name)] = os.readlink(f'/proc/self/fd/{name}')
    except FileNotFoundError:  # the one of the listing itself
        pass
print(json.dumps(found))"""


def opened(pid):
    """What the descriptors of a process of the host lead to."""
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(path.readlink()))
    return found


def test_a_submission_has_no_descriptor_of_the_grader():
    (said,), _ = run(DESCRIPTORS)
    found = {path for path in json.loads(said).values() if not path.startswith("anon_inode:")}
    assert found & (opened("self") | opened(WARM._process.pid)) <= {os.devnull}
    named = {path for path in found if path.startswith("/")}
    assert named
    assert all(path == os.devnull or path.startswith("/tmp/ipython/") for path in named)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel in a room, and a function that runs code in it."""
    monkeypatch.chdir(tmp_path)
    manager = KernelManager(kernel_name="sandbox")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready()

    def run_code(code):
        reply = client.execute_interactive(code, output_hook=lambda message: None)
        assert reply["content"]["status"] == "ok", reply["content"]

    yield manager.provisioner.room, run_code
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_link_of_a_submission_leads_the_grader_nowhere(kernel, tmp_path):
    room, run_code = kernel
    (tmp_path / "secret").write_text("secret")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind("socket")  # relative: a socket's path must be short
        listener.listen()
        targets = {"file": tmp_path / "secret", "socket": tmp_path / "socket", "folder": tmp_path}
        for name, target in targets.items():
            run_code(f"import os; os.symlink({str(target)!r}, '/run/kernel/{name}')")
        assert (room.sockets / "file").is_symlink()
        with pytest.raises(OSError, match="symbolic links"):
            (room.sockets / "file").read_text()
        with pytest.raises(OSError, match="symbolic links"):
            (room.sockets / "folder" / "secret").read_text()
        with pytest.raises(OSError, match="symbolic links"):
            client.connect(str(room.sockets / "socket"))


OLD_LINUX = """\
import os
from grading import confine
from grading.room import Room
confine.NO_LINKS = 0  # an old Linux takes no notice of what it does not know
with Room(memory=64, processes=16, disk=1) as room:
    if os.fork() == 0:
        try:
            confine.walk_in(room.pid, [], {}, room.user)
        except OSError as error:
            print(error, flush=True)
        os._exit(0)
    os.wait()"""


def test_a_room_in_which_links_stay_on_is_not_entered():
    command = [sys.executable, "-c", OLD_LINUX]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "links in a room cannot be switched off" in said


def test_a_process_that_a_submission_leaves_does_not_hold_up_the_next():
    start = time.monotonic()
    leave = (
        "import os, signal, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(20); os._exit(0)"
    )
    run(leave, "os.kill(os.getppid(), signal.SIGKILL)")
    assert run("print('fine')")[0] == ["fine\n"]
    assert time.monotonic() - start < 18


def test_nothing_is_left_when_the_grader_ends(monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    warm = WarmProcess()
    loop = ["-c", "IPKernelApp.exec_lines=['pass']"]
    kernel = warm.ask(arguments=loop, folder="/", env=dict(os.environ))["pid"]
    parent = warm._process.pid
    assert running(kernel)
    warm.close()
    wait_until_gone(kernel)
    wait_until_gone(parent)


def test_the_process_reads_no_settings_from_a_folder_of_all_users():
    WARM.ask(poll=1)
    lines = Path(f"/proc/{WARM._process.pid}/environ").read_text(encoding="utf-8").split("\0")
    variables = dict(line.partition("=")[::2] for line in lines)
    for name in ("HOME", "MPLCONFIGDIR", "IPYTHONDIR"):
        place = Path(variables[name])
        nearest = next(path for path in [place, *place.parents] if path.exists())
        assert nearest.stat().st_mode & 0o022 == 0, nearest
        assert nearest.stat().st_uid == os.geteuid(), nearest


@pytest.mark.parametrize("pid", [1, 999_999])
def test_a_process_that_is_no_kernel_counts_as_ended(pid):
    assert WARM.ask(poll=pid) == {"exit_code": 1}


def test_interrupting_the_grader_leaves_the_process_alone():
    WARM.ask(poll=1)
    os.kill(WARM._process.pid, signal.SIGINT)
    assert WARM.ask(poll=1) == {"exit_code": 1}
