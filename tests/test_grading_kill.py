"""Kill the grader, again and again: nothing is lost, nothing is done twice, nothing is left."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from pathlib import Path

import nbformat
import pytest

from grading.course import Course
from grading.groups import parent_groups
from grading.release import release
from tests.graders import Graders
from tests.toy_course import WRONG_DOUBLE, Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

JOBS = 2
# when to kill: so many of each, in this order
MOMENTS = ["intake", "start"] * 4 + ["executing", "writing"] * 4 + ["end"] * 4
DAEMON = "import os\nif not os.fork():\n    os.setsid()\n    while True:\n        pass"
ODD = {
    "exits": ("halve", "import os\nos._exit(0)", "crashed", 2, 0),
    "sleeps": ("double", "import time\ntime.sleep(99)", "timed out", 0, 3),
    "daemon": ("double", DAEMON, "graded", 0, 3),
    "wrong": ("double", WRONG_DOUBLE, "graded", 0, 3),
    "syntax": ("double", "def double(x)", "graded", 0, 3),
}
BYTES = {"empty": b"", "list": b"[]", "cut": b'{"cells": ['}
EXPECTED = {name: made[2:] for name, made in ODD.items()}
EXPECTED |= dict.fromkeys(BYTES, ("refused", 0, 0))
STUDENTS = sorted([*ODD, *BYTES, *(f"s{n:02}" for n in range(40 - len(ODD) - len(BYTES)))])


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def make_class(root):
    """The toy course with a class of 40, eight of them broken or hostile."""
    course = Course(make_course(root, "c.ExecuteSubmission.timeout = 3"))
    release(course, "toy")
    released = json.loads((root / "release/toy/toy.ipynb").read_text(encoding="utf-8"))
    for student in STUDENTS:
        if student in BYTES:
            hand_in(root, student, BYTES[student])
            continue
        made = Submission(released)
        if student in ODD:
            made.answer(*ODD[student][:2])
        hand_in(root, student, made.nb)
    return course


class Watched:
    """A class, the graders that work on it, and what was seen of it."""

    def __init__(self, root):
        self.course = make_class(root)
        self.temporary = Path(tempfile.mkdtemp(prefix="kill-"))
        self.graders = Graders(root, self.temporary)
        self.results = root / "_build/grading/results/toy"
        self.staged = root / "_build/grading/staged"
        self.written: dict[str, int] = {}
        self.rewritten: list[str] = []

    def done(self):
        """Who is graded, with the time when it was written down."""
        found = {}
        for path in self.results.glob("*.json"):
            if json.loads(path.read_text(encoding="utf-8"))["key"]:
                found[path.stem] = path.stat().st_mtime_ns
        return found

    def look(self):
        """Note what is written down, and what was so before and has been written again."""
        now = self.done()
        self.rewritten += [name for name, time in self.written.items() if now.get(name) != time]
        self.written = now

    def kill(self, moment, draw):
        """Start a grader, and kill it at such a moment: alone, or with its process group."""
        before = len(self.written)
        pid = self.graders.start("grade", "--jobs", str(JOBS))
        if moment == "intake":
            time.sleep(draw.uniform(0, 0.3))
        elif moment == "start":
            wait_for(lambda: any(self.temporary.glob("grading-*/warm-*")))
            time.sleep(draw.uniform(0, 2))
        elif moment == "executing":
            wait_for(lambda: len(list(self.results.glob("*.json"))) > before)
            time.sleep(draw.uniform(0, 0.6))
        elif moment == "writing":
            wait_for(lambda: (self.staged / "autograded").exists())
            time.sleep(draw.uniform(0, 0.02))
        else:
            wait_for(lambda: len(list(self.results.glob("*.json"))) == len(STUDENTS))
            time.sleep(draw.uniform(0, 0.3))
        with contextlib.suppress(ProcessLookupError):
            draw.choice([os.kill, os.killpg])(pid, signal.SIGKILL)
        status = self.graders.wait(pid)[0]
        self.look()
        return status

    def close(self):
        self.graders.close()
        shutil.rmtree(self.temporary)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The class after twenty kills and one run to the end."""
    watched = Watched(tmp_path_factory.mktemp("killed") / "course")
    draw = random.Random(20)
    try:
        watched.killed = [watched.kill(moment, draw) for moment in MOMENTS]
        watched.status, watched.said = watched.graders.wait(watched.graders.start("grade"))
        watched.look()
        yield watched
    finally:
        watched.close()


def rows(course, query):
    path = course.root / "gradebook.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_the_grader_was_killed(watched):
    assert len(MOMENTS) == 20
    # one that is killed near its end may have ended just before
    assert watched.killed.count(-signal.SIGKILL) >= 16


def test_the_last_run_goes_on_to_the_end(watched):
    assert (watched.status, "Traceback" in watched.said) == (0, False)


def test_all_are_graded(watched):
    assert sorted(watched.written) == STUDENTS


def test_what_was_written_down_is_not_done_again(watched):
    assert watched.rewritten == []
    log = (watched.course.root / "_build/grading/nbgrader.log").read_text(encoding="utf-8")
    # a kill costs at most the one that was being written
    assert log.count("INFO Autograde toy") <= len(STUDENTS) + len(MOMENTS)


@pytest.mark.parametrize("student", STUDENTS)
def test_status_and_points_are_those_of_an_undisturbed_run(watched, student):
    status, double, halve = EXPECTED.get(student, ("graded", 2, 3))
    path = watched.results / f"{student}.json"
    result = json.loads(path.read_text(encoding="utf-8"))["result"]
    points = {"test_double": double, "test_halve": halve}
    assert (result["status"], result["points"]) == (status, points)
    query = f"""
        SELECT base_cell.name, grade.auto_score FROM grade
        JOIN base_cell ON base_cell.id = grade.cell_id
        JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
        WHERE submitted_assignment.student_id = '{student}' AND base_cell.name LIKE 'test%'"""
    assert dict(rows(watched.course, query)) == points


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("PRAGMA integrity_check", [("ok",)], id="whole"),
        pytest.param("PRAGMA foreign_key_check", [], id="keys"),
        pytest.param(
            "SELECT student_id, COUNT(*) FROM submitted_assignment GROUP BY 1 ORDER BY 1",
            [(student, 1) for student in STUDENTS],
            id="one submission each",
        ),
        pytest.param(
            "SELECT COUNT(*), COUNT(DISTINCT notebook_id || ' ' || cell_id) FROM grade",
            [(3 * len(STUDENTS), 3 * len(STUDENTS))],
            id="one grade for each cell",
        ),
        pytest.param(
            "SELECT COUNT(*), COUNT(DISTINCT notebook_id || ' ' || cell_id) FROM comment",
            [(3 * len(STUDENTS), 3 * len(STUDENTS))],
            id="one comment for each cell",
        ),
    ],
)
def test_the_gradebook_is_in_order(watched, query, found):
    assert rows(watched.course, query) == found


def test_graded_notebooks_are_whole(watched):
    folder = watched.course.root / "autograded"
    assert sorted(path.name for path in folder.iterdir()) == STUDENTS
    for student in STUDENTS:
        assert [path.name for path in (folder / student / "toy").iterdir()] == ["toy.ipynb"]
        nbformat.read(folder / student / "toy" / "toy.ipynb", as_version=4)


def test_no_file_is_left(watched):
    assert not watched.staged.exists()
    assert list(watched.course.root.rglob("*.part")) == []
    assert list(watched.temporary.iterdir()) == []


def test_no_process_is_left(watched):
    wait_for(lambda: not watched.graders.descendants(), seconds=20)


def test_no_control_group_is_left(watched):
    def makers():
        """The processes that made control groups; tests beside this one may have made some, too."""
        places = parent_groups().values()
        return {group.name.split("-")[1] for place in places for group in place.glob("grading-*")}

    wait_for(lambda: all(Path("/proc", maker).exists() for maker in makers()), seconds=60)
