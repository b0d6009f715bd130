"""Grading from end to end: command lines, the sample class, and the real assignments."""

import csv
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from grading.__main__ import main, parser
from grading.course import Course
from grading.ledger import Ledger
from grading.sample import find_answers, sample_class
from tests.toy_course import (
    ROOT,
    WRONG_DOUBLE,
    Submission,
    hand_in,
    make_course,
    write_answer,
)

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


def run(root, *command, **environment):
    """Run a command in the course folder, as an instructor does."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment}
    for name in ("OMP_NUM_THREADS", "VIRTUAL_ENV"):
        env.pop(name, None)
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_nbgraders_own_commands(tmp_path):
    """The standard commands, with the environment's bin not on the PATH."""
    make_course(tmp_path)
    nbgrader = [sys.executable, "-m", "nbgrader"]
    path = {"PATH": "/usr/bin:/bin"}
    run(tmp_path, *nbgrader, "generate_assignment", "toy", **path)
    released = nbformat.read(tmp_path / "release" / "toy" / "toy.ipynb", as_version=4)
    hand_in(tmp_path, "right", Submission(released).nb)
    hand_in(tmp_path, "wrong", Submission(released).answer("double", WRONG_DOUBLE).nb)
    hand_in(tmp_path, "broken", b"{")
    run(tmp_path, *nbgrader, "autograde", "toy", **path)
    run(tmp_path, *nbgrader, "generate_feedback", "toy", **path)
    run(tmp_path, *nbgrader, "export", **path)
    with (tmp_path / "grades.csv").open() as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores == {"right": 5.0, "wrong": 3.0, "broken": 0.0}
    page = (tmp_path / "feedback" / "wrong" / "toy" / "toy.html").read_text()
    assert "the sign is lost" in page
    assert "HIDDEN" not in page


def test_the_commands_of_the_page_are_commands():
    page = (ROOT / "book" / "teach.md").read_text(encoding="utf-8")
    commands = [shlex.split(line) for line in re.findall(r"^grading (.+)$", page, re.M)]
    assert {arguments[0] for arguments in commands} >= {
        *("doctor", "collect", "grade", "feedback", "report"),
    }
    for arguments in commands:
        assert parser().parse_args(arguments).command == arguments[0]


def test_command_line(tmp_path):
    make_course(tmp_path)
    command = [sys.executable, "-m", "grading"]
    assert "release/toy: made" in run(tmp_path, *command, "release")
    assert "release/toy: up to date" in run(tmp_path, *command, "release", "toy")
    nothing = run(tmp_path, *command, "grade")
    assert "nothing is submitted for toy; take what came back with" in nothing
    released = nbformat.read(tmp_path / "release" / "toy" / "toy.ipynb", as_version=4)
    # the bar comes after a second, and a fast machine grades in less
    slow = f"import time\ntime.sleep(1.5)\n{WRONG_DOUBLE}"
    hand_in(tmp_path, "ada", Submission(released).answer("double", slow).nb)
    first = run(tmp_path, *command, "grade")
    assert re.search(r"^ada +3/10 +needs manual grading +test_double: the sign", first, re.M)
    again = run(tmp_path, *command, "grade")
    assert "grading toy" in first
    assert "grading toy" not in again
    assert again in first


def test_ctrl_c_loses_nothing(tmp_path):
    """Stopped in the middle of a submission, grading leaves no process and goes on from there."""
    make_course(tmp_path)
    command = [sys.executable, "-m", "grading"]
    run(tmp_path, *command, "release")
    released = nbformat.read(tmp_path / "release" / "toy" / "toy.ipynb", as_version=4)
    hand_in(tmp_path, "ada", Submission(released).nb)
    mark = tmp_path / "started"
    waiting = f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))"
    waiting += "\ntime.sleep(999)"
    hand_in(tmp_path, "bob", Submission(released).answer("double", waiting).nb)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, "grade", "--no-sandbox"],  # the mark lies outside
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        # What runs in the background of a shell ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: mark.exists() and mark.read_text())
    wait_for((tmp_path / "_build/grading/results/toy/ada.json").exists)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=180)
    assert process.returncode == 130
    last = "stopped; toy: 1 of 2 are graded; start it again and it goes on where it was\n"
    assert stderr.decode().endswith(last)
    assert b"Traceback" not in stderr
    assert b"WARNING" not in stderr, "a kernel writes into the progress bar"
    wait_for(lambda: not Path(f"/proc/{mark.read_text()}").exists())
    before = (tmp_path / "autograded/ada/toy/toy.ipynb").stat().st_mtime_ns
    assert not (tmp_path / "autograded/bob/toy/toy.ipynb").exists()
    (tmp_path / "submitted/bob/toy/toy.ipynb").write_text(nbformat.writes(Submission(released).nb))
    table = run(tmp_path, *command, "grade", "--no-sandbox")
    assert re.search(r"^ada +5/10 .*\nbob +5/10 ", table, re.M)
    assert (tmp_path / "autograded/ada/toy/toy.ipynb").stat().st_mtime_ns == before


def test_what_lies_at_another_place_is_named(tmp_path, capsys):
    make_course(tmp_path)
    course = ["--course", str(tmp_path)]
    assert main([*course, "release"]) == 0
    released = nbformat.read(tmp_path / "release" / "toy" / "toy.ipynb", as_version=4)
    hand_in(tmp_path, "ada", Submission(released).nb)
    (tmp_path / "submitted/bob.ipynb").write_text("{}")
    (tmp_path / "submitted/cyd").mkdir()
    (tmp_path / "submitted/cyd/toy.ipynb").write_text("{}")
    (tmp_path / "submitted/dan/toi").mkdir(parents=True)
    assert main([*course, "grade"]) == 0
    said = re.findall("^not graded: (.*?); move it to", capsys.readouterr().out, re.MULTILINE)
    assert said == ["submitted/bob.ipynb", "submitted/cyd/toy.ipynb", "submitted/dan/toi"]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--course", "nowhere", "grade"], "holds no nbgrader_config.py; run this from the course"),
        (["release", "tony"], "error: there is no assignment 'tony'; there are: toy"),
        (["sample"], "error: there are no answers to toy; write some in "),
    ],
)
def test_a_mistake_on_the_command_line_is_told_in_one_line(tmp_path, capsys, arguments, message):
    make_course(tmp_path)
    course = [] if "--course" in arguments else ["--course", str(tmp_path)]
    assert main([*course, *arguments]) == 1
    stderr = capsys.readouterr().err
    assert message in stderr
    assert len(stderr.splitlines()) == 1


def test_an_answer_that_is_wrong_in_form_is_told_in_one_line(tmp_path, capsys):
    make_course(tmp_path)
    path = write_answer(tmp_path, "wrong", "ada", "what: x")
    assert main(["--course", str(tmp_path), "sample"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: points is missing")


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    make_course(tmp_path)
    (tmp_path / "_build").write_text("a file where a folder should be")
    assert main(["--course", str(tmp_path), "release"]) == 1
    stderr = capsys.readouterr().err
    assert stderr.startswith("error: ")
    assert str(tmp_path / "_build") in stderr


def test_the_sample_class_is_those_who_are_named_for_it(tmp_path, capsys):
    make_course(tmp_path)
    write_answer(tmp_path, "right", "ada", "what: x\nsample: true")
    write_answer(tmp_path, "right", "bob", "what: y")
    assert main(["--course", str(tmp_path), "sample"]) == 0
    table = capsys.readouterr().out
    assert re.search(r"^ada +5/10 ", table, re.M)
    assert "bob" not in table


def test_sample_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    course = Course(make_course(tmp_path))
    for name in ("ada", "bob", "cyd"):
        write_answer(tmp_path, "right", name, f"what: {name}")
    answers = find_answers(course, "toy")

    original = Ledger.record

    def stop_at_bob(ledger, student, *args):
        if student == "bob":
            raise KeyboardInterrupt
        return original(ledger, student, *args)

    monkeypatch.setattr(Ledger, "record", stop_at_bob)
    with pytest.raises(KeyboardInterrupt):
        sample_class(course, "toy", answers, progress=False, jobs=1)
    graded = tmp_path / "_build/sample_class/toy/autograded"
    before = (graded / "ada/toy/toy.ipynb").stat().st_mtime_ns
    monkeypatch.undo()
    _, results = sample_class(course, "toy", answers, progress=False)
    assert [result.score for result in results] == [5, 5, 5]
    assert (graded / "ada/toy/toy.ipynb").stat().st_mtime_ns == before
    assert not (tmp_path / "gradebook.db").exists(), "the real course is not touched"
