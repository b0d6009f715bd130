"""What the commands say when there is nothing to do, or something is wrong."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from grading import commands
from grading.__main__ import main
from grading.course import Course
from grading.grade import grade
from grading.release import release
from grading.results import Result
from tests.toy_course import Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The toy course: ada is graded, bob handed in later, and one folder has a bad name."""
    course = Course(make_course(tmp_path_factory.mktemp("graded") / "course"))
    release(course, "toy")
    released = json.loads((course.root / "release/toy/toy.ipynb").read_text(encoding="utf-8"))
    for student in ("ada", "e*e"):
        hand_in(course.root, student, Submission(released).nb)
    grade(course, "toy", progress=False)
    hand_in(course.root, "bob", Submission(released).nb)
    return course.root


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The toy course, released; nobody handed in anything."""
    root = make_course(tmp_path_factory.mktemp("empty") / "course")
    release(Course(root), "toy")
    return root


@pytest.fixture
def run(capsys):
    """Run a command; return its exit status and what it said."""

    def run(root, *arguments):
        status = main(["--course", str(root), *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.mark.parametrize("command", ["grade", "feedback"])
def test_a_student_who_is_not_there_is_an_error(graded, run, command):
    told = "--student ghost: there is no folder submitted/ghost/toy"
    assert run(graded, command, "--student", "ghost") == (1, "", f"error: {told}\n")


def test_a_program_is_told_the_error(graded, run):
    status, out, err = run(graded, "feedback", "--student", "ghost", "--json")
    assert (status, json.loads(out)) == (1, {"error": err.strip().removeprefix("error: ")})


def test_feedback_says_who_gets_no_page_and_why(graded, run, tmp_path, monkeypatch):
    root = shutil.copytree(graded, tmp_path / "course")
    (root / "submitted/dan").mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: Path(p).name != "dan" and real(p, mode))
    status, out, _ = run(root, "feedback")
    assert status == 0
    assert out.splitlines() == [
        "toy: 1 page written, 0 up to date, in feedback/<student>/toy/",
        "  without a page: 3 of 4",
        "  bob: not graded yet: run `python -m grading grade toy`",
        "  dan: the student's folder cannot be read: give yourself the right to",
        "  e*e: the student's folder has a name with '*', which nbgrader cannot keep: rename it",
    ]
    assert "not graded: submitted/dan cannot be read" in run(root, "grade")[1]


def test_who_is_not_in_the_gradebook_does_not_keep_others_from_their_pages(graded, run, tmp_path):
    root = shutil.copytree(graded, tmp_path / "course")
    shutil.copytree(root / "autograded/ada", root / "autograded/bob")
    status, out, _ = run(root, "feedback")
    assert status == 1
    assert out.splitlines()[0].startswith("toy: 1 page written, 0 up to date")
    told = "  bob: is not in the gradebook: run `python -m grading grade toy`"
    assert told in out.splitlines()
    assert (root / "feedback/ada/toy/toy.html").is_file()


@pytest.mark.parametrize("command", ["feedback", "report"])
@pytest.mark.parametrize(
    ("named", "status", "told"),
    [
        ([], 0, "nothing is graded; run `python -m grading grade`\n"),
        (["toy"], 1, "toy: nothing is graded; run `python -m grading grade toy`\n"),
    ],
    ids=["all", "one that is named"],
)
def test_where_nothing_is_graded_it_says_what_to_do(empty, run, command, named, status, told):
    assert run(empty, command, *named) == (status, told, "")


def test_where_nothing_is_submitted_it_says_what_to_do(empty, run):
    status, out, _ = run(empty, "grade")
    assert status == 0
    assert "nothing is submitted for toy; take what came back with" in out
    assert "`python -m grading collect PATH`, or put it at submitted/<student>/" in out


def test_a_link_among_the_submissions_is_one_line(graded, run, tmp_path):
    root = shutil.copytree(graded, tmp_path / "course")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("one", "two"):
        (elsewhere / name).touch()
    (root / "submitted/link").symlink_to(elsewhere)
    said = run(root, "grade", "--student", "ada")[1].splitlines()
    lines = [line for line in said if line.startswith("not graded: submitted/link")]
    assert lines == ["not graded: submitted/link; it is a link: put there what it leads to"]


def test_who_is_not_in_the_gradebook_gets_no_score_of_0(graded, run, tmp_path):
    root = shutil.copytree(graded, tmp_path / "course")
    results = root / "_build/grading/results/toy"
    shutil.copy(results / "ada.json", results / "bob.json")
    out = run(root, "report")[1]
    assert "  not in the gradebook: bob; run `python -m grading grade toy`\n" in out
    assert "\nbob," not in (root / "reports/toy.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("content", [b'{"key": "', b"[]", b'{"key": 3}', b"\xff\xfe"])
def test_a_stored_result_that_cannot_be_read_is_named(graded, run, tmp_path, content):
    root = shutil.copytree(graded, tmp_path / "course")
    (root / "_build/grading/results/toy/ada.json").write_bytes(content)
    out = run(root, "report")[1]
    assert "not graded yet, and in none of the files: 2" in out  # and bob
    cure = "run `python -m grading grade toy`"
    assert f"not graded, since the stored result cannot be read: ada; {cure}\n" in out
    (root / "submitted/e*e").rename(root / "submitted/.gone")
    out = run(root, "report")[1]
    assert out.startswith("toy: nothing is graded; ")
    assert "cannot be read: ada; " in out


@pytest.mark.parametrize("command", ["report", "feedback"])
def test_what_was_handed_in_since_it_was_graded_is_named(graded, run, tmp_path, command):
    root = shutil.copytree(graded, tmp_path / "course")
    assert "handed in anew" not in run(root, command)[1]
    path = root / "submitted/ada/toy/toy.ipynb"
    path.write_bytes(path.read_bytes() + b"\n")
    cure = "run `python -m grading grade toy`"
    assert f"  handed in anew, not graded yet: ada; {cure}\n" in run(root, command)[1]


def test_a_grading_that_went_wrong_is_an_error(graded, run, monkeypatch):
    found = [Result("toy", "ada"), Result("toy", "bob", "failed", "no disk")]
    monkeypatch.setattr(commands.grade, "grade", lambda *_, **__: found)
    assert run(graded, "grade")[0] == 1
    found.pop()
    assert run(graded, "grade")[0] == 0


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "JSON"])
def test_a_reader_that_has_seen_enough_is_no_error(empty, capfd, monkeypatch, form):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:  # to close it writes what is left, as Python's end does
        monkeypatch.setattr(sys, "stdout", pipe)
        with pytest.raises(SystemExit, match="1"):
            main(["--course", str(empty), *form, "report"])
    assert capfd.readouterr().err == ""


def test_all_say_the_same_words_of_an_ending(graded, run):
    row = json.loads(run(graded, "grade", "--student", "ada", "--json")[1])
    row = row["results"][0]["submissions"][0]
    assert (row["status"], row["reason"]) == ("needs manual grading", "explain waits to be read")
    table = run(graded, "grade", "--student", "ada")[1]
    assert "needs manual grading  explain waits to be read" in table
    run(graded, "report", "toy", "--format", "plain")
    csv = (graded / "reports/toy.csv").read_text(encoding="utf-8-sig")
    assert "needs manual grading,explain waits to be read,yes" in csv
