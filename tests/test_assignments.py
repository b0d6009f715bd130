"""The assignments as documents: what each promises, and what its answers try.

That the tests in them judge as they should is proven by grading the answers: see `test_answers.py`.
"""

import ast
import collections
import itertools
import re
from functools import cached_property
from pathlib import Path

import nbformat
import pytest

from grading.answers import read_answers
from grading.audit import loses
from grading.questions import find_questions

ROOT = Path(__file__).parents[1]
ANSWERS = ROOT / "tests" / "answers"


def info(cell):
    return cell.metadata.get("nbgrader", {})


class Assignment:
    """A source notebook, its cells by kind and grade_id, and the answers that try it."""

    def __init__(self, path):
        self.name = path.stem
        self.notebook = nbformat.read(path, as_version=4)
        self.cells = self.notebook.cells
        code = [cell for cell in self.cells if cell.cell_type == "code"]
        self.code = code
        self.tests = {info(c).grade_id: c for c in code if info(c).get("grade")}
        self.solutions = {info(c).grade_id: c for c in code if info(c).get("solution")}
        written = [c for c in self.cells if c.cell_type == "markdown" and info(c).get("grade")]
        self.written = {info(c).grade_id: c for c in written}

    @cached_property
    def answers(self):
        return read_answers(ANSWERS / self.name)

    def steps(self):
        """Each cell, and the heading `## Step n. Title (p points)` under which it stands."""
        step = None
        for cell in self.cells:
            heading = re.search(r"^## Step (\d+)\. (.*) \(\d+ points\)$", cell.source, re.MULTILINE)
            step = f"{heading[1]}. {heading[2]}" if heading else step
            if step:
                yield step, cell

    def points_by_step(self):
        found = collections.Counter()
        for step, cell in self.steps():
            found[step] += info(cell).get("points", 0)
        return dict(found)

    def solutions_by_step(self):
        """The names of the code cells that a student fills, under each heading that has some."""
        found = collections.defaultdict(set)
        for step, cell in self.steps():
            if info(cell).get("grade_id") in self.solutions:
                found[step].add(info(cell).grade_id)
        return found


ASSIGNMENTS = [Assignment(path) for path in sorted((ROOT / "solutions").glob("*/*.ipynb"))]
each = pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda a: a.name)
CELLS = [(a.name, i, cell) for a in ASSIGNMENTS for i, cell in enumerate(a.code)]


@each
def test_the_notebook_is_valid_and_holds_no_outputs(assignment):
    nbformat.validate(assignment.notebook)
    assert (assignment.notebook.nbformat, assignment.notebook.nbformat_minor) == (4, 5)
    assert not any(cell.outputs or cell.execution_count for cell in assignment.code)
    assert all(info(cell).schema_version == 3 for cell in assignment.code)


@each
def test_points_are_those_of_the_table_and_sum_to_100(assignment):
    first, points = assignment.cells[0].source, assignment.points_by_step()
    table = dict(re.findall(r"^\| (\d+\. .*) \| (\d+) \|$", first, re.MULTILINE))
    assert {step: int(number) for step, number in table.items()} == points
    assert sum(points.values()) == 100
    for step, number in points.items():
        assert any(f"## Step {step} ({number} points)" in cell.source for cell in assignment.cells)


@each
def test_the_first_cell_says_what_to_expect(assignment):
    first = assignment.cells[0].source
    for promise in ("**You will practice**", "**It builds on**", "**Time:**", "**Validate**"):
        assert promise in first


@each
def test_the_page_for_students_lists_it(assignment):
    name = assignment.name
    row = f"\n| [{name}](../release/{name}/{name}) | "
    assert row in (ROOT / "book" / "practice.md").read_text()


@each
def test_a_written_answer_has_a_rubric(assignment):
    assert assignment.written
    for cell in assignment.written.values():
        assert "### BEGIN SOLUTION" in cell.source or "rubric" in cell.source.lower()


@each
def test_each_check_runs_the_function_of_its_name(assignment):
    """A cell that only defines a function would give full marks to anything."""
    for name, cell in assignment.tests.items():
        assert cell.source.endswith(f"\n\n\n{name}()"), name
        assert f"\ndef {name}(" in f"\n{cell.source}", name


@each
def test_each_solution_is_followed_by_a_check(assignment):
    graded = [c for c in assignment.cells if info(c).get("solution") or info(c).get("grade")]
    for first, second in itertools.pairwise(graded):
        if info(first).grade_id in assignment.solutions:
            assert info(second).grade_id in assignment.tests, info(first).grade_id


@pytest.mark.parametrize(("name", "number", "cell"), CELLS, ids=lambda v: str(v)[:30])
def test_each_assertion_says_what_is_wrong(name, number, cell):
    asserts = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Assert)]
    assert all(node.msg is not None for node in asserts)
    assert all(len(line) <= 100 for line in cell.source.splitlines())


@each
def test_hidden_parts_stand_in_checks_only(assignment):
    for cell in assignment.code:
        hidden, solution = "BEGIN HIDDEN TESTS" in cell.source, "BEGIN SOLUTION" in cell.source
        assert not hidden or info(cell).grade_id in assignment.tests
        assert solution == bool(info(cell).get("solution"))


@each
def test_each_check_is_failed_by_a_wrong_answer_that_is_told_why(assignment):
    told = collections.Counter()
    for answer in assignment.answers:
        if isinstance(answer.points, dict) and isinstance(answer.message, dict):
            told.update(set(answer.points) & set(answer.message))
    assert set(told) == set(assignment.tests)


@each
def test_answers_are_about_cells_that_exist(assignment):
    for answer in assignment.answers:
        names = set(answer.points) if isinstance(answer.points, dict) else set()
        names |= set(answer.message) if isinstance(answer.message, dict) else set()
        assert names <= set(assignment.tests), answer.path
        assert set(answer.cells) <= {*assignment.solutions, *assignment.written}, answer.path


@each
def test_each_function_is_written_rightly_in_four_other_ways(assignment):
    right = [answer for answer in assignment.answers if answer.path.parent.name == "right"]
    for name, cell in assignment.solutions.items():
        written = {answer.cells[name][1] for answer in right if name in answer.cells}
        assert len(written) >= 4, name
        assert cell.source not in written, name


@each
def test_each_question_is_answered_wrongly_in_eight_ways(assignment):
    """A question is a function; where networks learn the digits, a step of the exercise."""
    asked = {name: {name} for name in assignment.solutions}
    if any("load_mnist(" in cell.source for cell in assignment.code):
        asked = assignment.solutions_by_step()
    tests = {question.name: question.tests for question in find_questions(assignment.notebook)}
    for question, names in asked.items():
        answers = [answer for answer in assignment.answers if names & set(answer.cells)]
        right = [answer for answer in answers if answer.path.parent.name == "right"]
        points = {test: info(assignment.tests[test]).points for n in names for test in tests[n]}
        wrong = [answer for answer in answers if loses_some(answer, points)]
        assert len(right) >= 4, question
        assert len(wrong) >= 8, question


def loses_some(answer, points):
    """Whether an answer is to lose at one of these checks."""
    if not isinstance(answer.points, dict):
        return False
    return loses({name: got for name, got in answer.points.items() if name in points}, points)


@each
def test_the_checks_leave_names_to_students(assignment):
    """A helper that is called as a tool of the checks would break them."""
    for cell in assignment.code:
        if info(cell).get("grade_id", "").endswith("tools"):
            for node in ast.parse(cell.source).body:
                names = [t.id for t in getattr(node, "targets", [])]
                names += [node.name] if hasattr(node, "name") else []
                assert all(name.startswith("_") for name in names), names


@each
def test_the_threshold_of_an_accuracy_leaves_a_margin(assignment):
    """In 200 runs with other seeds, the lowest accuracy of a right solution is well above."""
    sources = "\n".join(cell.source for cell in assignment.tests.values())
    thresholds = [ast.literal_eval(text) for text in re.findall(r"threshold = (\{.*?\})", sources)]
    if not thresholds:
        return
    table = (ANSWERS / assignment.name / "thresholds.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (mnist|digits) \| (\d+) \| none \| ([.\d]+) \|", table, re.MULTILINE)
    for threshold in thresholds:
        assert {data for data, _, _ in rows} == set(threshold)
        for data, runs, lowest in rows:
            assert int(runs) >= 200
            assert float(lowest) - threshold[data] > 0.01
