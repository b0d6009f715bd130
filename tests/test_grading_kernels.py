"""Kernels that are forked: each as good as new, and none left behind."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

from grading.execute import ExecuteSubmission
from grading.warm_process import ADDRESS, WARM, WarmProcess, name_kernelspec

name_kernelspec()


def run(*cells, isolate=True, **settings):
    """Run cells in a forked kernel; return what they print, and the notebook's ending."""
    nb = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    config = Config(SandboxProvisioner={"isolate": isolate})
    step = ExecuteSubmission(kernel_name="sandbox", config=config, **settings)
    nb, _ = step.preprocess(nb, {"metadata": {"path": str(Path.cwd())}})
    texts = [
        "".join(o.get("text", "") or o.get("evalue", "") for o in cell.outputs) for cell in nb.cells
    ]
    return texts, nb.metadata.get("grading", {})


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
    )
    assert texts[0] == f"yes {tmp_path}\n"
    assert str(Path(__file__).parent) not in texts[1]


def test_a_cell_that_does_not_end_is_interrupted():
    texts, ending = run("while True: pass", "print('next')", timeout=2)
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
        run(f"import os\n{write}", timeout=10)
    assert run("print('fine')")[0] == ["fine\n"]


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


@pytest.mark.parametrize("pid", [1, 999_999])
def test_a_process_that_is_no_kernel_counts_as_ended(pid):
    assert WARM.ask(poll=pid) == {"exit_code": 1}


def test_interrupting_the_grader_leaves_the_process_alone():
    WARM.ask(poll=1)
    os.kill(WARM._process.pid, signal.SIGINT)
    assert WARM.ask(poll=1) == {"exit_code": 1}
