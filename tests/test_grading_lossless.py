"""Outputs that come faster than they are read: none is lost, and a test's points least of all."""

import time

import pytest
from nbformat.v4 import new_code_cell
from nbgrader.utils import determine_grade

from grading.execute import ExecuteSubmission
from tests.probes import execute, run
from tests.toy_course import nbgrader

DISPLAYS = "from IPython.display import clear_output, display\n"
FLOOD = f"{DISPLAYS}while True:\n    clear_output()"
PRINT = "print('x' * 3_000_000)"
RAISE = "raise ValueError('x' * 3_000_000)"
DEAF = "get_ipython().kernel.iopub_socket.io_thread.send_multipart = lambda *_, **__: None"
STOP_LATE = """\
import os, signal, sys
sys.stdout.flush = lambda: os.kill(os.getpid(), signal.SIGINT)"""
CLEAR = """\
kernel = get_ipython().kernel
def clear():
    kernel.session.send(kernel.iopub_socket, "clear_output", {}, parent=kernel.get_parent())
get_ipython().events.register("post_run_cell", lambda _: clear())"""


@pytest.fixture
def slow_reader(monkeypatch):
    """Take 2 ms for each message, as the grader does on a busy machine."""
    process = ExecuteSubmission.process_message

    def slowly(*args):
        time.sleep(0.002)
        process(*args)

    monkeypatch.setattr(ExecuteSubmission, "process_message", slowly)


def points(*cells, test="0.5"):
    """The points, of 5, of a test that comes after some cells."""
    metadata = nbgrader("test", grade=True, points=5) | {"grading": "test"}
    nb = execute(*cells, new_code_cell(test, metadata=metadata), output_limit=2)
    return determine_grade(nb.cells[-1])[0]


@pytest.mark.usefixtures("slow_reader")
@pytest.mark.parametrize("show", ["display(i)", "print(i, flush=True)"])
def test_all_that_a_cell_shows_reaches_a_slow_reader(show):
    cell = f"{DISPLAYS}for i in range(3000): {show}"
    nb = execute(cell, "print('next')", output_limit=100)
    assert "grading" not in nb.metadata
    shown = [
        o.text if o.output_type == "stream" else o.data["text/plain"] for o in nb.cells[0].outputs
    ]
    assert [int(n) for text in shown for n in text.split()] == list(range(3000))
    assert nb.cells[1].outputs[0].text == "next\n"


@pytest.mark.usefixtures("slow_reader")
@pytest.mark.parametrize("cell", [FLOOD, f"{DISPLAYS}for i in range(1000): display(i)", PRINT])
def test_a_cell_that_takes_all_the_output_costs_the_next_ones_nothing(cell):
    (said, error, _), ending = run(cell, "1 / 0", "double = 2", output_limit=2)
    assert said.endswith("brought it to more than 2 MB of output; the rest is left out")
    assert error == "division by zero"
    assert ending == {}


@pytest.mark.parametrize("cell", ["pass", FLOOD, PRINT, RAISE, CLEAR])
def test_nothing_that_is_shown_takes_away_the_value_of_a_test(cell):
    assert points(cell) == 0.5


def test_what_a_test_shows_in_place_of_a_number_where_no_room_is_left_counts_as_ever():
    assert points(PRINT, test="'well done'") == points("pass", test="'well done'") == 5
    assert points(PRINT, test="float('nan')") == points("pass", test="float('nan')") == 0
    assert points(PRINT, test="7.0; 0.5") == points("pass", test="7.0; 0.5") == 0.5


def test_where_the_end_of_a_cell_is_not_told_the_reason_says_so():
    _, ending = run(DEAF, "print('next')", iopub_timeout=1)
    assert ending["status"] == "timed out"
    assert ending["reason"].endswith("ended, but its last output did not come within 1 s")


def test_an_interruption_after_the_end_of_a_cell_does_not_take_its_answer():
    (said, *_), ending = run(STOP_LATE, "print('next')", timeout=5)
    assert (said, ending) == ("", {})
