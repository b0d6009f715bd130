"""Honest submissions get the points that plain nbgrader gives; whole banks: tests/honest.py."""

import json

import pytest

from grading.course import Course
from grading.release import release
from tests.honest import differences, grade_twice, hand_in_answers, known_differences
from tests.toy_course import RIGHT_DOUBLE, WRONG_DOUBLE, Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore")  # what nbgrader's own commands warn of

WARNS = "import warnings\ndef halve(x):\n    warnings.warn('slow', stacklevel=2)\n    return x / 2"
TOY = {
    "right": {},
    "other_right": {"double": "double = (2).__mul__", "halve": "halve = lambda x: x * 0.5"},
    "half_right": {"double": WRONG_DOUBLE},
    "all_wrong": {"double": "def double(x):\n    return x", "halve": "def halve(x):\n    return 2"},
    "floor": {"halve": "def halve(x):\n    return x // FACTOR"},
    "misnamed": {"double": RIGHT_DOUBLE.replace("double", "twice")},
    "unfinished": {"double": "def double(x)\n    return 2 * x"},
    "empty_cell": {"halve": ""},
    "loud": {"double": "print('hello')\ndef double(x):\n    print(x)\n    return 2 * x"},
    "shows": {"double": "def double(x):\n    return 2 * x\n\ndouble(3)"},
    "warns": {"halve": WARNS},
    "writes_to_stderr": {"double": "import sys\nprint('x', file=sys.stderr)\n" + RIGHT_DOUBLE},
    "interrupts_itself": {"halve": "raise KeyboardInterrupt"},
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Both tables of the toy class."""
    course = Course(make_course(tmp_path_factory.mktemp("honest") / "toy"))
    release(course, "toy")
    released = json.loads((course.root / "release/toy/toy.ipynb").read_text(encoding="utf-8"))
    for student, cells in TOY.items():
        made = Submission(released)
        for name, text in cells.items():
            made.answer(name, text)
        hand_in(course.root, student, made.nb)
    return grade_twice(course, "toy")


@pytest.mark.parametrize("student", TOY)
def test_the_toy_class_gets_nbgraders_points(toy, student):
    plain, ours = ({key: row[key] for key in row if key[0] == student} for row in toy)
    assert len(plain) == 2
    assert differences(plain, ours) == known_differences("toy", {student})


def test_the_toy_class_gets_all_kinds_of_points(toy):
    plain, _ = toy
    assert set(plain.values()) == {0, 2, 3}


@pytest.mark.parametrize(
    ("assignment", "students"),
    [
        pytest.param("signals", {"eli", "gus", "rosa"}, id="signals"),
        pytest.param("optimizers", {"bea", "ken", "uli"}, id="optimizers"),
    ],
)
def test_a_sample_of_the_bank_gets_nbgraders_points(tmp_path, assignment, students):
    course = hand_in_answers(tmp_path / assignment, assignment, students)
    plain, ours = grade_twice(course, assignment)
    assert {student for student, _ in plain} == students
    assert min(plain.values()) == 0 < max(plain.values())
    assert differences(plain, ours) == known_differences(assignment, students)
