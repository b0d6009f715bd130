"""What a test's last value is worth, as Python, NumPy and PyTorch show numbers."""

import pytest
from nbformat.v4 import new_code_cell, new_output
from nbgrader.utils import determine_grade

from grading.verdict import settle
from tests.toy_course import nbgrader


def points_for(text):
    """The points of a test of two points that ends with a value."""
    value = new_output("execute_result", data={"text/plain": text}, execution_count=1)
    metadata = nbgrader("test", grade=True, points=2)
    cell = new_code_cell("score", metadata=metadata, outputs=[value], execution_count=1)
    settle(cell, "it was skipped")
    return determine_grade(cell)[0]


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("0.5", 0.5),
        ("np.float64(0.5)", 0.5),
        ("np.float32(1.25)", 1.25),
        ("np.int64(1)", 1),
        ("array(0.5)", 0.5),
        ("array(0.5, dtype=float32)", 0.5),
        ("tensor(0.5)", 0.5),
        ("tensor(0.)", 0),
        ("tensor(0.5000, dtype=torch.float64)", 0.5),
        ("tensor(0.5000, grad_fn=<MeanBackward0>)", 0.5),
        ("tensor(2)", 2),
    ],
)
def test_a_number_counts_however_it_is_shown(text, points):
    assert points_for(text) == points


@pytest.mark.parametrize(
    "text",
    ["nan", "np.float64(nan)", "tensor(nan)", "tensor(inf)", "np.float64(-0.5)", "tensor(3.)"],
)
def test_a_number_that_is_no_partial_credit_earns_nothing(text):
    assert points_for(text) == 0


def test_a_value_that_is_no_number_earns_all_points():
    assert points_for("'well done'") == 2
