"""Messages that fill the memory of the process that grades: it ends their kernel, and goes on."""

import nbformat
import pytest

from grading.course import Course
from grading.grade import grade, stored_results
from grading.release import release
from tests import bombs
from tests.memory import grade_and_measure
from tests.toy_course import MAX, Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

NEIGHBORS = ("aaron", "zoe")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All floods and two neighbours, graded with the course's own limits.

    Returns:
        The course, the results, and the most memory, in MB of each process.
    """
    course = Course(make_course(tmp_path_factory.mktemp("floods")))
    assert release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)
    for name, source in bombs.FLOODS.items():
        answer = Submission(released).answer("halve", source + bombs.WAIT)
        hand_in(course.root, name, answer.nb)
    for name in NEIGHBORS:
        hand_in(course.root, name, Submission(released).nb)
    memory = grade_and_measure(course.root, "toy", jobs=2, pause=0.05)
    results = {result.student: result for result in stored_results(course, "toy")}
    return course, results, memory


@pytest.mark.parametrize("name", bombs.FLOODS)
def test_a_flood_ends_its_own_run_and_keeps_what_was_earned_before(graded, name):
    result = graded[1][name]
    assert (result.status, result.reason) == ("crashed", bombs.FULL)
    assert result.points == {**MAX, "test_halve": 0}


@pytest.mark.parametrize("name", NEIGHBORS)
def test_whoever_sits_beside_keeps_the_points(graded, name):
    assert (graded[1][name].status, graded[1][name].points) == ("graded", MAX)


def test_the_graders_own_processes_take_less_than_a_gigabyte_and_a_half(graded):
    assert 0 < sum(graded[2].values()) < 1500


def test_a_flood_is_not_run_again(graded, monkeypatch):
    course = graded[0]
    monkeypatch.setattr("grading.workers.run_all", lambda *_, **__: pytest.fail("it runs again"))
    again = grade(course, "toy", progress=False)
    assert {result.student: result for result in again} == graded[1]
