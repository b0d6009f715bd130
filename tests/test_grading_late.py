"""What late work loses is worked out from the points, the due date and the extensions of now."""

import nbformat
import pytest

from grading.__main__ import main
from grading.course import Course, CourseError
from grading.grade import grade, stored_results
from grading.release import release
from tests.toy_course import Submission, hand_in, make_course

ZERO = 'c.LateSubmissionPlugin.penalty_method = "zero"'
HALF = """
from nbgrader.plugins import BasePlugin

class Half(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / RULE

c.AssignLatePenalties.plugin_class = Half
"""
DUE = "2030-01-31 12:00:00 UTC"


def late_class(root, rule):
    """A graded class: ada came an hour late, and bob in time."""
    course = Course(make_course(root, rule))
    release(course, "toy")
    nb = nbformat.read(root / "release" / "toy" / "toy.ipynb", as_version=4)
    for student, hour in (("ada", 13), ("bob", 11)):
        hand_in(root, student, Submission(nb).nb)
        path = root / "submitted" / student / "toy" / "timestamp.txt"
        path.write_text(f"2030-01-31 {hour}:00:00 UTC")
    grade(course, "toy", sandbox=False, progress=False, jobs=1)
    return course


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return late_class(tmp_path_factory.mktemp("late"), ZERO)


@pytest.fixture(autouse=True)
def _as_before(request):
    """Each test begins without a due date, extensions and points given by hand."""
    if "course" not in request.fixturenames:
        return
    course = request.getfixturevalue("course")
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("toy", duedate=None)
        for student in ("ada", "bob"):
            gradebook.update_or_create_submission("toy", student, extension=None)
            written = gradebook.find_grade("explain", "toy", "toy", student)
            written.manual_score, written.needs_manual_grade = None, True
        gradebook.db.commit()


def set_due(course, extension=0):
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("toy", duedate=DUE)
        if extension:
            gradebook.grant_extension("toy", "ada", minutes=extension)


def give(course, student, points):
    with course.gradebook() as gradebook:
        written = gradebook.find_grade("explain", "toy", "toy", student)
        written.manual_score, written.needs_manual_grade = points, False
        gradebook.db.commit()


def scores_by(course):
    return {found.student: found.score for found in stored_results(course, "toy")}


def test_without_a_due_date_nobody_is_late(course):
    assert scores_by(course) == {"ada": 5, "bob": 5}


def test_a_due_date_that_is_set_after_grading_counts(course):
    set_due(course)
    assert scores_by(course) == {"ada": 0, "bob": 5}


def test_points_given_by_hand_are_lost_with_the_others(course):
    set_due(course)
    scores_by(course)
    give(course, "ada", 4)
    give(course, "bob", 4)
    assert scores_by(course) == {"ada": 0, "bob": 9}


@pytest.mark.parametrize(("minutes", "score"), [(59, 0), (60, 5)])
def test_an_extension_gives_the_points_back(course, minutes, score):
    set_due(course)
    scores_by(course)
    set_due(course, extension=minutes)
    assert scores_by(course)["ada"] == score


def test_grade_says_it_though_all_is_up_to_date(course):
    set_due(course)
    ada, _ = grade(course, "toy", sandbox=False, progress=False)
    assert (ada.score, ada.reason) == (0, "handed in late: 5 points less")


def test_the_feedback_page_is_made_anew(course):
    page = course.folder("feedback", "toy", "ada") / "toy.html"
    command = ["--course", str(course.root), "feedback", "--student", "ada"]
    assert main(command) == 0
    assert "Handed in late" not in page.read_text(encoding="utf-8")
    set_due(course)
    assert main(command) == 0
    assert "Handed in late: 5.0 points less." in page.read_text(encoding="utf-8")


def test_nbgraders_own_export_sees_the_same(course):
    set_due(course)
    scores_by(course)
    give(course, "ada", 4)
    scores_by(course)
    with course.gradebook() as gradebook:
        found = gradebook.find_submission("toy", "ada")
        assert (found.score, found.late_submission_penalty) == (9, 9)


@pytest.mark.parametrize(
    ("number", "score"),
    [
        pytest.param("2", 2.5, id="half"),
        pytest.param("-1", 5, id="no gift"),
        pytest.param("0.1", 0, id="no debt"),
    ],
)
def test_a_rule_of_ones_own_counts(tmp_path, number, score):
    course = late_class(tmp_path, HALF.replace("RULE", number))
    set_due(course)
    assert scores_by(course) == {"ada": score, "bob": 5}


def test_a_rule_that_fails_is_named(tmp_path):
    course = late_class(tmp_path, HALF.replace("RULE", "0"))
    set_due(course)
    with pytest.raises(CourseError, match="Half fails for ada, 3600 seconds late: ZeroDivisionE"):
        stored_results(course, "toy")
