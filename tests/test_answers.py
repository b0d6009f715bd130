"""The graders, proven: every answer of the bank gets its points and its message.

This file takes longer than any other, so it is one by itself: another worker does the rest.
"""

import html
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from grading.answers import Answer, unmet
from grading.course import Course
from grading.hand_in import points_of_tests
from grading.sample import find_answers, sample_class
from tests.toy_course import RIGHT_DOUBLE, ROOT, WRONG_DOUBLE, make_course, write_answer

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


def check_answers(course, assignment, answers):
    """Grade answers in a sample class; return what differs from their headers."""
    sample, results = sample_class(course, assignment, answers, place="answers", progress=False)
    nb = nbformat.read(sample.folder("release", assignment) / f"{assignment}.ipynb", as_version=4)
    points = points_of_tests(nb)
    found = {result.student: result for result in results}
    misses = [miss for answer in answers for miss in unmet(answer, found[answer.student], points)]
    for answer in answers:
        page = sample.folder("feedback", assignment, answer.student) / f"{assignment}.html"
        shown = " ".join(html.unescape(re.sub(r"<[^>]+>", "", page.read_text())).lower().split())
        demands = answer.message
        lists = demands.values() if isinstance(demands, dict) else [demands]
        misses += [
            f"{answer.student}: no {word!r} in the feedback"
            for words in lists
            for word in words
            if " ".join(word.lower().split()) not in shown
        ]
    return misses


def with_extremes(answers):
    """Answers, and the two that each assignment must have: the solution and the release."""
    folder = Path("right")
    solution = Answer(folder / "the_solution.md", what="the reference solution")
    untouched = Answer(folder / "the_release.md", what="as handed out", base="release", points=0)
    return [*answers, solution, untouched]


def test_sample_of_the_toy(tmp_path):
    course = Course(make_course(tmp_path))
    write_answer(tmp_path, "right", "adds", "what: x + x", f"```python double\n{RIGHT_DOUBLE}\n```")
    write_answer(
        tmp_path, "wrong", "sign", "what: abs\npoints: {test_double: 0}\nmessage: [absolute value]",
        f"```python double\n{WRONG_DOUBLE}\n```",
    )  # fmt: skip
    write_answer(
        tmp_path,
        "wrong",
        "cut",
        "what: lost\npoints: 0\nmessage: cut off\nstatus: refused\ndamage: {file: truncated}",
    )
    answers = find_answers(course, "toy")
    assert check_answers(course, "toy", with_extremes(answers)) == []
    answers[-1].points = {"test_double": 0, "test_halve": 1}
    answers[-1].message = {"test_double": ["absolute", "ReLU"]}
    misses = check_answers(course, "toy", with_extremes(answers))
    assert [miss.partition(": ")[2] for miss in misses] == [
        "test_halve: 3 points, not 1 (no message)",
        "test_double: no 'ReLU' in 'the sign is lost: did you take the absolute value?'",
        "no 'ReLU' in the feedback",
    ]


def assignments():
    """Name each assignment; those that load the digits must be graded on both data sets."""
    for path in sorted((ROOT / "solutions").glob("*/*.ipynb")):
        loads = "load_mnist(" in path.read_text(encoding="utf-8")
        yield pytest.param(path.stem, marks=[pytest.mark.data] if loads else [])


@pytest.mark.parametrize("assignment", list(assignments()))
def test_answers(assignment):
    """Each answer of the bank gets its points and its message."""
    course = Course(ROOT)
    answers = find_answers(course, assignment)
    assert check_answers(course, assignment, answers) == []


@pytest.mark.parametrize("assignment", list(assignments()))
def test_solution_gets_all_and_release_nothing(assignment, tmp_path):
    for name in ("solutions", "nbgrader_config.py"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    assert check_answers(Course(tmp_path), assignment, with_extremes([])) == []
