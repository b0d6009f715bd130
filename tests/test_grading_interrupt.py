"""A grader that is told to stop, and results that cannot be written down."""

import contextlib
import io
import json
import os
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output
from nbgrader.preprocessors import SaveAutoGrades
from sqlalchemy import Engine, event

import grading.grade
import grading.gradebook
from grading import leftovers
from grading.__main__ import main
from grading.course import Course, CourseError
from grading.grade import grade, stored_results
from grading.groups import parent_groups
from grading.release import release
from grading.task import Outcome, instructor_copy, read_scores, rebuild
from tests.graders import Graders
from tests.toy_course import Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

STUDENTS = ("ada", "bob", "cyd")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The toy course with three submissions."""
    course = Course(make_course(tmp_path_factory.mktemp("template") / "course"))
    release(course, "toy")
    for student in STUDENTS:
        write(course, student, "x / 2")
    return course.root


@pytest.fixture
def course(template, tmp_path):
    """A copy of it."""
    return Course(shutil.copytree(template, tmp_path / "course"))


def write(course, student, result):
    """Hand in a notebook, in place of the one that is there."""
    folder = course.root / "submitted" / student
    shutil.rmtree(folder, ignore_errors=True)
    released = json.loads((course.root / "release/toy/toy.ipynb").read_text(encoding="utf-8"))
    made = Submission(released).answer("halve", f"def halve(x):\n    return {result}")
    hand_in(course.root, student, made.nb)


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def stopping(tmp_path_factory):
    """A class of which two can be graded and two sleep; and the graders that are to be stopped."""
    course = Course(make_course(tmp_path_factory.mktemp("stopped") / "course"))
    release(course, "toy")
    for student, result in {"a": "x / 2", "b": "3", "y": "x", "z": "x"}.items():
        write(course, student, result)
    for student in ("y", "z"):
        path = course.root / "submitted" / student / "toy/toy.ipynb"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("return x + x", "return x + x\\nimport time; time.sleep(99)"))
    temporary = Path(tempfile.mkdtemp(prefix="stop-"))
    graders = Graders(course.root, temporary)
    yield course, graders, temporary
    graders.close()
    shutil.rmtree(temporary)


@pytest.mark.parametrize(
    ("number", "to_group", "times"),
    [
        pytest.param(signal.SIGINT, True, 1, id="Ctrl-C in a terminal"),
        pytest.param(signal.SIGINT, True, 9, id="Ctrl-C, again and again"),
        pytest.param(signal.SIGTERM, False, 1, id="kill"),
        pytest.param(signal.SIGTERM, True, 1, id="kill, the whole group"),
        pytest.param(signal.SIGHUP, True, 1, id="the terminal is closed"),
    ],
)
def test_a_grader_that_is_told_to_stop_does(stopping, number, to_group, times):
    course, graders, temporary = stopping
    results = course.root / "_build/grading/results/toy"
    pid = graders.start("grade", "--jobs", "2")
    wait_for(lambda: len(list(results.glob("*.json"))) == 2)
    wait_for(lambda: len(list(temporary.glob("grading-*/room-*"))) >= 2)
    begun = {str(process.pid) for process in graders.descendants()}
    begin = time.monotonic()
    for again in range(times):
        time.sleep(0.1 * bool(again))
        with contextlib.suppress(ProcessLookupError):  # it has ended by then
            (os.killpg if to_group else os.kill)(pid, number)
    status, said = graders.wait(pid)
    seconds = time.monotonic() - begin
    last = "stopped; toy: 2 of 4 are graded; start it again and it goes on where it was\n"
    assert (status, said.splitlines(keepends=True)[-1]) == (130, last)
    assert "Traceback" not in said
    assert seconds < 5  # 2 where nothing else runs
    assert list(temporary.iterdir()) == []
    wait_for(lambda: not graders.descendants(), seconds=10)
    leftovers.sweep()  # as the next grader does, where a process took long to end
    groups = [group for place in parent_groups().values() for group in place.glob("grading-*")]
    assert [group for group in groups if group.name.split("-")[1] in begun] == []


@pytest.fixture
def instant(monkeypatch):
    """Submissions are graded in this process, and not run: `halve` is right if it says x / 2."""

    def runner(*_):
        return lambda tasks: ((student, outcome(*task)) for student, task in tasks)

    monkeypatch.setattr(grading.grade, "_runner", runner)


def outcome(package, submission):
    found = Outcome()
    nb = rebuild(instructor_copy(package, "toy"), submission.notebooks["toy"])
    if not any("x / 2" in cell.source for cell in nb.cells):
        test = next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("points") == 3)
        test.outputs = [new_output("error", ename="AssertionError", evalue="no", traceback=[])]
    read_scores(nb, found)
    found.notebooks["toy"] = nbformat.writes(nb)
    return found


def state(course, student):
    """All that is known of a student: points in the gradebook, the graded notebook, the result."""
    query = """
        SELECT SUM(grade.auto_score) FROM grade
        JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
        WHERE submitted_assignment.student_id = ?"""
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as connection:
        (total,) = connection.execute(query, (student,)).fetchone()
    path = course.root / "autograded" / student / "toy/toy.ipynb"
    result = next((r for r in stored_results(course, "toy") if r.student == student), None)
    score = None if result is None else result.score
    return total, path.read_bytes() if path.exists() else None, score


@contextlib.contextmanager
def nothing_of_bob(monkeypatch):
    """nbgrader fails for bob, after the points of his first test."""
    real = SaveAutoGrades.preprocess_cell

    def preprocess_cell(step, cell, resources, index):
        if step.student_id == "bob" and "test_halve" in str(cell.metadata):
            raise RuntimeError("it is broken")
        return real(step, cell, resources, index)

    with monkeypatch.context() as patched:
        patched.setattr(SaveAutoGrades, "preprocess_cell", preprocess_cell)
        yield


@pytest.fixture
def stopped_after_one(course, instant, monkeypatch):
    """A graded class that has handed in anew; the next grader is stopped after the first one."""
    grade(course, "toy", progress=False)
    for student in STUDENTS:
        write(course, student, "3")
    runner = grading.grade._runner

    def stop(outcomes):
        yield next(outcomes)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(grading.grade, "_runner", lambda *_: lambda t: stop(runner()(t)))
        yield ["--course", str(course.root), "grade", "--diff"]


HALVE_IS_LOST = "test_halve: 3 → 0 points"


def test_a_grader_that_is_stopped_says_whose_score_has_moved(stopped_after_one, capsys):
    assert main(stopped_after_one) == 130
    assert capsys.readouterr().out == f"\ntoy\nmoved: 1\nada  {HALVE_IS_LOST} (no)\n"
    assert main(stopped_after_one) == 130
    assert capsys.readouterr().out == f"\ntoy\nmoved: 1\nbob  {HALVE_IS_LOST} (no)\n"


def test_it_tells_a_program_too(stopped_after_one, capsys):
    assert main(["--json", *stopped_after_one]) == 130
    said = json.loads(capsys.readouterr().out)
    assert said["error"].startswith("stopped; toy: 1 of 3 are graded; start it again")
    (found,) = said["results"]
    assert (found["assignment"], found["moved"]) == ("toy", {"ada": [f"{HALVE_IS_LOST} (no)"]})


def test_what_a_terminal_cannot_show_is_written_in_letters(stopped_after_one, monkeypatch):
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="ascii"))
    assert main(stopped_after_one) == 130
    assert HALVE_IS_LOST.encode("ascii", "backslashreplace") in shown.getvalue()


def test_what_cannot_be_written_down_is_undone(course, instant, monkeypatch):
    with nothing_of_bob(monkeypatch):
        found = {result.student: result for result in grade(course, "toy", progress=False)}
    assert [result.status for result in found.values()] == ["graded", "failed", "graded"]
    assert found["bob"].reason.startswith("it could not be written down: it is broken")
    assert state(course, "bob") == (None, None, 0)


def test_what_was_there_before_stands(course, instant, monkeypatch):
    grade(course, "toy", progress=False)
    before = state(course, "bob")
    write(course, "bob", "3")
    with nothing_of_bob(monkeypatch):
        for _ in range(2):
            bob = grade(course, "toy", progress=False)[1]
            assert (bob.status, bob.score, sum(bob.points.values())) == ("failed", 5, 5)
            assert bob.reason.endswith("what it got before stands")
            assert state(course, "bob") == before
    bob = grade(course, "toy", progress=False)[1]
    assert (bob.status, bob.score, bob.points["test_halve"]) == ("graded", 2, 0)


def test_a_failure_of_grading_leaves_what_was_there_before(course, instant, monkeypatch):
    grade(course, "toy", progress=False)
    before = state(course, "bob")
    write(course, "bob", "3")
    broken = Outcome(status="failed", reason="grading went wrong")
    monkeypatch.setattr(grading.grade, "_runner", lambda *_: lambda tasks: fail(tasks, broken))
    bob = grade(course, "toy", progress=False)[1]
    assert (bob.status, bob.score) == ("failed", 5)
    assert bob.reason == "grading went wrong; what it got before stands"
    assert state(course, "bob") == before


def fail(tasks, broken):
    for student, _ in tasks:
        yield student, broken


MOVED = "after the notebook was put in its place"


@pytest.mark.parametrize("earlier", [True, False], ids=["again", "for the first time"])
@pytest.mark.parametrize("moment", ["between two cells", "before the notebook is moved", MOVED])
def test_stopped_while_writing(course, instant, monkeypatch, moment, earlier):
    """What was done of a submission is undone, and done anew by the next run."""
    if earlier:
        grade(course, "toy", progress=False)
    before = state(course, "ada")
    write(course, "ada", "3")
    real = shutil.move

    def stop(*_, **__):
        raise KeyboardInterrupt

    def move(source, target):
        real(source, target)
        if "autograded" in source.parts[-4:]:
            stop()

    at = {
        "between two cells": (SaveAutoGrades, "_add_comment", stop),
        MOVED: (shutil, "move", move),
    }
    with monkeypatch.context() as patched:
        patched.setattr(*at.get(moment, (shutil, "move", stop)))
        with pytest.raises(KeyboardInterrupt, match=f"toy: {2 * earlier} of 3 are graded"):
            grade(course, "toy", progress=False)
    assert state(course, "ada") == before
    found = grade(course, "toy", progress=False)
    assert [result.score for result in found] == [2, 5, 5]
    assert not (course.root / "_build/grading/staged").exists()


def stop_after_one(tasks):
    student, task = next(tasks)
    yield student, outcome(*task)
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("force", "told"),
    [
        pytest.param(
            ["--force"],
            "stopped; toy: 1 of 3 were graded anew; started again with --force all are graded anew;"
            " without it the rest keeps its former result",
            id="force",
        ),
        pytest.param(
            [],
            "stopped; toy: 2 of 3 are graded; start it again and it goes on where it was",
            id="two of three are out of date",
        ),
    ],
)
def test_stopped_it_counts_what_is_up_to_date(course, instant, monkeypatch, capsys, force, told):
    grade(course, "toy", progress=False)
    for student in ("ada", "cyd"):
        write(course, student, "3")
    monkeypatch.setattr(grading.grade, "_runner", lambda *_: stop_after_one)
    assert main(["--course", str(course.root), "grade", "--json", *force]) == 130
    said = capsys.readouterr()
    assert said.err.strip() == told
    assert json.loads(said.out) == {"error": told}


def test_a_full_disk_stops_grading_with_one_line(course, instant):
    """The file that is to hold bob's result is one to which nothing can be written."""
    part = course.root / "_build/grading/results/toy/bob.json.part"
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    cause = (
        r"what bob got cannot be written down \(.*No space left.*\); free some space; then start"
    )
    with pytest.raises(CourseError, match=cause):
        grade(course, "toy", progress=False)
    assert not part.is_symlink()
    assert state(course, "cyd") == (None, None, None)
    assert [result.score for result in grade(course, "toy", progress=False)] == [5, 5, 5]


def test_a_gradebook_without_space_stops_grading_with_one_line(course, instant):
    grade(course, "toy", students=["ada"], progress=False)
    before = state(course, "ada")

    def limit(connection, _):
        connection.execute("PRAGMA max_page_count = 1")  # as many as there are

    told = r"what new.. got .*disk is full.*free some space"
    with listening("connect", limit), pytest.raises(CourseError, match=told):
        fill(course)
    assert state(course, "ada") == before
    assert len(grade(course, "toy", progress=False)) == 3 + MORE


MORE = 40  # students that fill more than the pages that are there


def fill(course):
    for number in range(MORE):
        write(course, f"new{number:02}", "x / 2")
    grade(course, "toy", progress=False)


@contextlib.contextmanager
def listening(name, function):
    event.listen(Engine, name, function)
    try:
        yield
    finally:
        event.remove(Engine, name, function)


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_gradebook_is_waited_for(course, instant, lock):
    connection = sqlite3.connect(course.root / "gradebook.db", check_same_thread=False)
    connection.execute(f"BEGIN {lock}")
    release_it = threading.Timer(1, connection.rollback)
    release_it.start()
    try:
        assert [result.score for result in grade(course, "toy", progress=False)] == [5, 5, 5]
    finally:
        release_it.join()
        connection.close()


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_gradebook_that_stays_locked_is_told_in_one_line(course, instant, monkeypatch, lock):
    monkeypatch.setattr(grading.gradebook, "PATIENCE", 0.2)
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as connection:
        connection.execute(f"BEGIN {lock}")
        with pytest.raises(
            CourseError, match=r"database is locked.*such as formgrader: let it end"
        ):
            grade(course, "toy", progress=False)
    assert not (course.root / "autograded").exists()
    assert [result.score for result in grade(course, "toy", progress=False)] == [5, 5, 5]


def test_a_damaged_gradebook_is_told_in_one_line(course, instant):
    grade(course, "toy", progress=False)
    path = course.root / "gradebook.db"
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = bytes(len(content) - 4096 * 3)
    path.write_bytes(content)
    with pytest.raises(CourseError, match=r"malformed.*take it from a backup"):
        grade(course, "toy", progress=False)
    assert path.read_bytes() == content
