"""Submissions that take all they can get: each ends with its status, and costs nobody else."""

import re

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell

from grading.course import Course
from grading.grade import stored_results
from grading.release import release
from tests import bombs
from tests.memory import grade_and_measure
from tests.toy_course import MAX, Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

NEIGHBORS = ("aaron", "zoe")
LOST = {**MAX, "test_halve": 0}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All bombs and two neighbours, graded in one go.

    Returns:
        The course, the results, and the most memory, in MB of each process.
    """
    course = Course(make_course(tmp_path_factory.mktemp("bombs"), bombs.LIMITS))
    assert release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)
    for name, source in bombs.answers().items():
        hand_in(course.root, name, Submission(released).answer("halve", source).nb)
    dodges = [new_code_cell(bombs.DODGES) for _ in range(12)]
    hand_in(course.root, "dodges", Submission(released).insert("double", *dodges).nb)
    for name in NEIGHBORS:
        hand_in(course.root, name, Submission(released).nb)
    memory = grade_and_measure(course.root, "toy", jobs=4, pause=0.5)
    results = {result.student: result for result in stored_results(course, "toy")}
    return course, results, memory


@pytest.fixture(scope="module")
def results(graded):
    return graded[1]


def outputs(graded, student, name):
    """The outputs of a cell in a graded notebook."""
    path = graded[0].folder("autograded", "toy", student) / "toy.ipynb"
    nb = nbformat.read(path, as_version=4)
    nbformat.validate(nb)
    found = (cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)
    return next(found).outputs


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        pytest.param(name, *case[1:], id=name)
        for name, case in {**bombs.ENDLESS, **bombs.MEMORIES, **bombs.CRASHES}.items()
    ],
)
def test_what_is_stopped_has_a_status_and_a_reason_that_names_the_cell(
    results, name, status, words
):
    assert (results[name].status, results[name].points) == (status, LOST), results[name].reason
    assert re.match(words, results[name].reason), results[name].reason


@pytest.mark.parametrize(
    ("name", "words"),
    [pytest.param(name, case[1], id=name) for name, case in bombs.SURVIVED.items()],
)
def test_what_goes_on_loses_its_own_points_and_is_told_why(results, name, words):
    assert (results[name].status, results[name].points) == ("graded", LOST), results[name].reason
    assert words in results[name].messages.get("halve", "")


@pytest.mark.parametrize("name", [*bombs.HARMLESS, "forged", *NEIGHBORS])
def test_who_does_no_harm_and_whoever_sits_beside_keeps_the_points(results, name):
    assert (results[name].status, results[name].points) == ("graded", MAX), results[name].messages


def test_a_run_ends_at_its_time_limit_though_each_cell_lets_itself_be_stopped(results):
    result = results["dodges"]
    assert (result.status, result.points) == ("timed out", {"test_double": 0, "test_halve": 0})
    assert result.reason.startswith("all cells together had 24 s, which were over before a cell")


@pytest.mark.parametrize("name", ["forged", "traceback", "updates", "file_descriptor"])
def test_what_is_kept_of_a_flood_is_a_valid_notebook_of_bearable_size(graded, name):
    assert len(str(outputs(graded, name, "halve"))) < 500_000


def test_of_a_line_that_is_written_over_what_stayed_is_kept(graded):
    assert outputs(graded, "carriage_returns", "halve")[0].text.startswith("99999\n")


def test_the_graders_own_processes_take_less_than_a_gigabyte_and_a_half(graded):
    assert 0 < sum(graded[2].values()) < 1500


def test_no_process_is_left(graded):
    assert ["sleep", "987"] not in [
        process.info["cmdline"] for process in psutil.process_iter(["cmdline"])
    ]
