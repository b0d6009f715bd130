"""Attacks inside the process of a submission: none raises a score but those that are said to."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from grading.course import Course
from grading.grade import grade
from grading.release import release
from tests import attacks_in_process as table
from tests.toy_course import Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
ATTACKS = table.attacks()
# an answer that stands after tests, and shows what is left of their text
LATER = """\
import linecache, sys
shell = get_ipython()
history = shell.history_manager
print(In, _ih, _i, _ii, _iii, history.input_hist_raw, history.db_input_cache)
print([value for name, value in globals().items() if name.startswith("_i")])
print(linecache.cache.values(), shell.last_execution_result, sys.__dict__.get("last_value"))
print(shell.kernel.get_parent("shell")["content"])
def exact(x):
    return 2 * abs(x)"""


class Untouched(Submission):
    """A submission that begins as it was handed out."""

    def __init__(self, released):
        self.nb = nbformat.from_dict(released)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A course whose cells may not run for long."""
    return make_course(
        tmp_path_factory.mktemp("attacks"),
        "c.ExecuteSubmission.timeout = 5\nc.ExecuteSubmission.iopub_timeout = 2\n"
        "c.ExecuteSubmission.time_limit = 30",
    )


@pytest.fixture(scope="module")
def results(root):
    """All attacks, a wrong and a right submission, graded in one go: student → result."""
    nbformat.write(table.source_notebook(), root / "solutions" / "toy" / "toy.ipynb")
    course = Course(root)
    assert release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)

    def submission(cell, answers):
        made = Untouched(released)
        for name in table.TESTS:
            made.answer(name, answers.get(name, table.ANSWERS[name]))
        return (made.insert("given", new_code_cell(cell)) if cell else made).nb

    for attack in ATTACKS:
        hand_in(root, attack.name, submission(attack.cell, attack.answers))
    hand_in(root, "wrong", submission("", {}))
    hand_in(root, "right", submission("", table.RIGHT))
    own_names = {**table.RIGHT, "plain": "def plain(x):\n    return sum(x)"}
    hand_in(root, "own_names", submission("def sum(x):\n    return 2 * x", own_names))
    hand_in(root, "reads_later", submission("", {"exact": LATER}))
    return {result.student: result for result in grade(course, "toy", progress=False)}


@pytest.mark.parametrize(
    "attack", ATTACKS, ids=[f"{table.fate(attack)}-{attack.name}" for attack in ATTACKS]
)
def test_an_attack_earns_what_the_table_says(results, attack):
    result = results[attack.name]
    earned = tuple(name for name in table.TESTS if result.points[f"test_{name}"])
    assert earned == attack.earns, (result.status, result.reason, result.messages)


def test_each_attack_ends_with_a_status_of_its_own_making(results):
    assert {result.status for result in results.values()} <= {"graded", "timed out", "crashed"}


def test_a_wrong_answer_earns_nothing_and_a_right_one_all(results):
    assert results["wrong"].score == 0
    assert results["right"].score == len(table.TESTS), results["right"].messages


def test_whoever_gives_a_builtins_name_to_a_right_function_keeps_all_points(results):
    assert results["own_names"].score == len(table.TESTS), results["own_names"].messages


def test_the_table_has_at_least_forty_attacks_and_no_name_twice():
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 40
    assert set(names) >= table.HARMLESS


def test_whoever_replaces_a_judge_while_the_test_runs_is_told(results):
    message = results["patches_when_called"].messages["test_tensor"]
    assert re.fullmatch(r"Replaced: \S+ was replaced while the test ran", message)


def test_a_forged_end_of_a_cell_is_told(results):
    message = results["reply_at_the_test"].messages["test_plain"]
    assert message == "NoProof: something other than the kernel said that this cell had ended"


def test_a_test_leaves_no_text_for_later_cells_where_a_kernel_keeps_it(root, results):
    assert results["reads_later"].status == "graded"
    nb = nbformat.read(root / "autograded" / "reads_later" / "toy" / "toy.ipynb", as_version=4)
    [cell] = [cell for cell in nb.cells if cell.metadata.nbgrader.get("grade_id") == "exact"]
    [shown] = [output.text for output in cell.outputs]
    assert "def is_close" in shown  # a locked cell, which everybody can read
    assert "the sign is lost" not in shown


def test_whoever_rewrites_the_names_of_builtins_is_told(results):
    message = results["rewrites_certain_names"].messages["test_helped"]
    assert message == "Replaced: abs was replaced while the test ran"


def test_whoever_rewrites_a_constant_is_told(results):
    message = results["constant_when_called"].messages["test_helped"]
    assert message == "Replaced: TOL was replaced while the test ran"
