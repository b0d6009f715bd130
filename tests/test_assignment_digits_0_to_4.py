"""The assignment `digits_0_to_4` as a document: what it promises, and what its answers try.

That its tests judge as they should is proven by grading the answers: see `test_grading.py`.
"""

import ast
import collections
import itertools
import re
from pathlib import Path

import nbformat
import pytest

from grading.answers import read_answers

ROOT = Path(__file__).parents[1]
NAME = "digits_0_to_4"
NB = nbformat.read(ROOT / "solutions" / NAME / f"{NAME}.ipynb", as_version=4)
ANSWERS = read_answers(ROOT / "tests" / "answers" / NAME)


def info(cell):
    return cell.metadata.get("nbgrader", {})


TESTS = {info(c).grade_id: c for c in NB.cells if info(c).get("grade") and c.cell_type == "code"}
SOLUTIONS = {
    info(c).grade_id: c for c in NB.cells if info(c).get("solution") and c.cell_type == "code"
}


def points_by_step():
    """Points of the cells under each heading `## Step n. Title (p points)`."""
    found, step = collections.Counter(), None
    for cell in NB.cells:
        heading = re.search(r"^## Step (\d)\. (.*) \(\d+ points\)$", cell.source, re.MULTILINE)
        step = f"{heading[1]}. {heading[2]}" if heading else step
        found[step] += info(cell).get("points", 0)
    del found[None]
    return dict(found)


def test_the_notebook_is_valid_and_holds_no_outputs():
    nbformat.validate(NB)
    assert (NB.nbformat, NB.nbformat_minor) == (4, 5)
    code = [cell for cell in NB.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert all(info(cell).schema_version == 3 for cell in code)


def test_points_are_those_of_the_table_and_sum_to_100():
    table = dict(re.findall(r"^\| (\d\. .*) \| (\d+) \|$", NB.cells[0].source, re.MULTILINE))
    assert {step: int(points) for step, points in table.items()} == points_by_step()
    assert sum(points_by_step().values()) == 100
    for step, points in points_by_step().items():
        assert any(f"## Step {step} ({points} points)" in cell.source for cell in NB.cells)


def test_each_check_runs_the_function_of_its_name():
    """A cell that only defines a function would give full marks to anything."""
    for name, cell in TESTS.items():
        assert cell.source.endswith(f"\n\n\n{name}()"), name
        assert f"\ndef {name}(" in f"\n{cell.source}", name


def test_each_solution_is_followed_by_a_check():
    graded = [cell for cell in NB.cells if info(cell).get("solution") or info(cell).get("grade")]
    for first, second in itertools.pairwise(graded):
        if info(first).grade_id in SOLUTIONS:
            assert info(second).grade_id in TESTS, info(first).grade_id


@pytest.mark.parametrize("cell", NB.cells, ids=lambda cell: cell.id)
def test_each_assertion_says_what_is_wrong(cell):
    if cell.cell_type == "code":
        asserts = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Assert)]
        assert all(node.msg is not None for node in asserts)
        assert all(len(line) <= 100 for line in cell.source.splitlines())


def test_hidden_parts_stand_in_checks_only():
    for cell in NB.cells:
        hidden, solution = "BEGIN HIDDEN TESTS" in cell.source, "BEGIN SOLUTION" in cell.source
        assert not hidden or info(cell).grade_id in TESTS
        assert solution == bool(info(cell).get("solution"))


def test_each_check_is_failed_by_a_wrong_answer_that_is_told_why():
    told = collections.Counter()
    for answer in ANSWERS:
        if isinstance(answer.points, dict) and isinstance(answer.message, dict):
            told.update(set(answer.points) & set(answer.message))
    assert set(told) == set(TESTS)


def test_answers_are_about_cells_that_exist():
    for answer in ANSWERS:
        names = set(answer.points) if isinstance(answer.points, dict) else set()
        names |= set(answer.message) if isinstance(answer.message, dict) else set()
        assert names <= set(TESTS), answer.path
        assert set(answer.cells) <= {*SOLUTIONS, "findings"}, answer.path


def test_each_function_is_written_rightly_in_four_other_ways():
    right = [answer for answer in ANSWERS if answer.path.parent.name == "right"]
    written = {name: {a.cells[name][1] for a in right if name in a.cells} for name in SOLUTIONS}
    few = {name: len(texts) for name, texts in written.items() if len(texts) < 4}
    assert few == {}
    for name, texts in written.items():
        assert SOLUTIONS[name].source not in texts, name


def test_the_threshold_of_the_accuracy_leaves_a_margin():
    """In 200 runs with other seeds, the lowest accuracy of a right solution is well above."""
    found = re.search(r"threshold = (\{.*?\})", TESTS["test_train_and_test_accuracy"].source)
    threshold = ast.literal_eval(found[1])
    table = (ROOT / "tests" / "answers" / NAME / "thresholds.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (mnist|digits) \| (\d+) \| none \| ([.\d]+) \|", table, re.MULTILINE)
    assert {data for data, _, _ in rows} == set(threshold)
    for data, runs, lowest in rows:
        assert int(runs) >= 200
        assert float(lowest) - threshold[data] > 0.01
