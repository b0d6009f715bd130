"""Outputs that come faster than they are read, or are more than there is room for."""

import time

import pytest
from jupyter_client import KernelManager
from nbformat.v4 import new_code_cell
from nbgrader.utils import determine_grade

from grading.execute import ExecuteSubmission
from grading.warm_process import name_kernelspec
from tests.probes import execute, run
from tests.toy_course import nbgrader

DISPLAYS = "from IPython.display import clear_output, display\n"
FLOOD = f"{DISPLAYS}while True:\n    clear_output()"
RAISE = "raise ValueError('x' * 3_000_000)"
PRINT = "print('x' * 3_000_000)"
DEAF = "get_ipython().kernel.iopub_socket.io_thread.send_multipart = lambda *_, **__: None"
STOP_LATE = """\
import os, signal, sys
sys.stdout.flush = lambda: os.kill(os.getpid(), signal.SIGINT)"""


@pytest.fixture
def slow_reader(monkeypatch):
    """Take 2 ms for each message, as the grader does on a busy machine."""
    process = ExecuteSubmission.process_message

    def slowly(*args):
        time.sleep(0.002)
        process(*args)

    monkeypatch.setattr(ExecuteSubmission, "process_message", slowly)


@pytest.mark.usefixtures("slow_reader")
@pytest.mark.parametrize("show", ["display(i)", "print(i, flush=True)"])
def test_all_that_a_cell_shows_reaches_a_slow_reader(show):
    cell = f"{DISPLAYS}for i in range(2000): {show}"
    nb = execute(cell, "print('next')", output_limit=100, timeout=300)
    assert "grading" not in nb.metadata
    shown = nb.cells[0].outputs
    shown = [o.text if o.output_type == "stream" else o.data["text/plain"] for o in shown]
    assert [int(n) for text in shown for n in text.split()] == list(range(2000))
    assert nb.cells[1].outputs[0].text == "next\n"


@pytest.mark.usefixtures("slow_reader")
@pytest.mark.parametrize("cell", [FLOOD, f"{DISPLAYS}for i in range(1500): display(i)", PRINT])
def test_a_cell_that_is_stopped_for_its_output_costs_the_next_ones_nothing(cell):
    (said, error, _), ending = run(cell, "1 / 0", "double = 2", output_limit=2)
    assert said.endswith("brought it to more than 2 MB of output; the rest is left out")
    assert error == "division by zero"
    assert ending == {}


def test_each_cell_that_brings_much_more_is_stopped_and_one_that_brings_little_is_not():
    (_, little, endless, last), ending = run(PRINT, "print('a')", FLOOD, "1 / 0", output_limit=2)
    assert little == ""
    assert endless.endswith("brought it to more than 2 MB of output; the rest is left out")
    assert (last, ending) == ("division by zero", {})


def test_a_cell_whose_output_only_just_finds_no_room_is_told_and_loses_nothing():
    nb = execute("print('x' * 1_996_000)", "for n in range(3): display(n)", output_limit=2)
    told = nb.cells[1].outputs[-1]
    assert (told.output_type, told.name) == ("stream", "stdout")
    assert told.text == "more than 2 MB of output; the rest is left out\n"


def test_a_test_that_draws_where_no_room_is_left_keeps_its_points():
    metadata = nbgrader("test", grade=True, points=5) | {"grading": "test"}
    test = new_code_cell("print('y' * 500_000)\nassert True", metadata=metadata)
    nb = execute("print('x' * 2_010_000)", test, output_limit=2)
    assert determine_grade(nb.cells[1])[0] == 5


def test_an_error_is_shown_however_long_it_is():
    nb = execute(RAISE, "1 / 0", output_limit=2)
    assert [o.ename for o in nb.cells[0].outputs if o.output_type == "error"] == [
        "OutputLimit",
        "ValueError",
    ]
    assert nb.cells[1].outputs[0].ename == "ZeroDivisionError"


def test_where_the_end_of_a_cell_is_not_told_the_reason_says_so():
    _, ending = run(DEAF, "print('next')", iopub_timeout=1)
    assert ending["status"] == "timed out"
    assert ending["reason"].endswith("ended, but its last output did not come within 1 s")


def test_an_interruption_after_the_end_of_a_cell_does_not_take_its_answer():
    (said, *_), ending = run(STOP_LATE, "print('next')", timeout=5)
    assert (said, ending) == ("", {})


def test_a_client_that_reads_no_output_does_not_hold_up_a_kernel_of_its_own():
    name_kernelspec()
    manager = KernelManager(kernel_name="sandbox")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.execute("for n in range(3000): print(n, flush=True)")
        assert client.get_shell_msg(timeout=60)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
