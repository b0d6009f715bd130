"""Answers that no page can be made of in time: their neighbours get their pages all the same."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell

from grading.__main__ import main
from grading.course import Course
from grading.feedback import write_feedback
from grading.grade import grade
from grading.release import release
from tests.toy_course import ROOT, WRONG_DOUBLE, Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

HONEST = ("ada", "bob")
SHOWN = "from IPython.display import HTML, display\n"
# what is shown plainly, so that the page is made all the same
PLAIN = {
    "code": "x = 1\n" + "a." * 100_000,
    "colors": 'print("\\x1b[1mx" * 200_000)',
    "deep": f"{SHOWN}display(HTML('<div>' * 50_000))",
    "names": '"' + "\\N{" * 50_000,
    "blanks": "match" + " " * 100_000,
}
# each list is shallow, all together are not: the library that cleans them is deaf for minutes
SLOW = f"{SHOWN}for _ in range(200):\n    display(HTML('<ul><li>' * 900))"
LIMIT = 5


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A graded class, and what each honest student's page is without the others."""
    limit = f"c.FeedbackPages.time_limit = {LIMIT}"
    course = Course(make_course(tmp_path_factory.mktemp("limits") / "course", limit))
    release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)
    for student in HONEST:
        hand_in(course.root, student, Submission(released).answer("double", WRONG_DOUBLE).nb)
    formulas = Submission(released).answer("explain", "\\begin{a}" * 100_000)
    hand_in(course.root, "formulas", formulas.nb)
    for student, source in {**PLAIN, "slow": SLOW}.items():
        made = Submission(released).answer("double", WRONG_DOUBLE)
        hand_in(course.root, student, made.insert("double", new_code_cell(source)).nb)
    results = grade(course, "toy", progress=False)
    assert {result.status for result in results} == {"graded"}
    with course.gradebook() as gradebook:
        gradebook.find_comment("double", "toy", "toy", "slow").manual_comment = "Look at -3."
        gradebook.db.commit()
    alone = {}
    for student in HONEST:
        write_feedback(course, "toy", student)
        alone[student] = page_of(course.root, student).read_bytes()
    shutil.rmtree(course.root / "feedback")
    for stamp in course.work.glob("feedback-*"):
        stamp.unlink()
    return course.root, alone


@pytest.fixture(scope="module")
def made(template, tmp_path_factory):
    """The class after `feedback`, and what that said."""
    root = shutil.copytree(template[0], tmp_path_factory.mktemp("made") / "course")
    done = subprocess.run(command(root, "--json"), cwd=ROOT, capture_output=True, text=True)
    return root, done


def command(root, *more):
    return [sys.executable, "-m", "grading", "--course", str(root), "feedback", *more]


def page_of(root, student):
    return root / "feedback" / student / "toy" / "toy.html"


def soup_of(made, student):
    return BeautifulSoup(page_of(made[0], student).read_text(encoding="utf-8"), "html.parser")


@pytest.mark.parametrize("student", HONEST)
def test_the_neighbours_have_the_pages_that_they_would_have_alone(template, made, student):
    assert page_of(made[0], student).read_bytes() == template[1][student]


def test_everybody_has_a_page_and_who_has_a_short_one_is_named(made):
    root, done = made
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)["results"][0]
    assert found["written"] == len(found["students"]) == len(PLAIN) + 4
    why = f"it takes more than {LIMIT} s, or than 2048 MiB of memory"
    assert found["points and messages alone"] == {"slow": why}
    assert found["without page"] == {}
    assert all(page_of(root, student).is_file() for student in found["students"])


@pytest.mark.parametrize("student", [*PLAIN, "formulas"])
def test_what_would_take_for_ever_is_shown_plainly(made, student):
    soup = soup_of(made, student)
    assert not soup.select(".note")
    assert len(soup.text) > 100_000


def test_a_short_page_tells_points_messages_and_comments(made):
    soup = soup_of(made, "slow")
    assert "a page of them takes too long to make" in soup.select_one(".note").text
    rows = {row.th.text: [cell.text for cell in row("td")] for row in soup.select("tbody tr")}
    assert rows["test_double"] == [
        "0.0 / 2.0",
        "the sign is lost: did you take the absolute value?",
    ]
    assert rows["test_halve"] == ["3.0 / 3.0", ""]
    assert "Look at -3." in soup.select_one(".comment").text


def test_a_short_page_holds_no_hidden_test_and_nothing_that_the_student_wrote(made):
    text = soup_of(made, "slow").text
    for secret in ("double(-3)", "hidden_input", "2 * abs(x)", "Rubric"):
        assert secret not in text


def test_started_again_it_makes_nothing_and_names_the_short_page(made, capsys):
    assert main(["--course", str(made[0]), "feedback"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("toy: 0 pages written, 9 up to date")
    assert lines[1] == "  with points and messages alone: 1 of 9"
    assert lines[2].startswith(f"  slow: it takes more than {LIMIT} s")


def test_a_graded_notebook_that_cannot_be_read_costs_nobody_else_the_page(
    template, tmp_path, capsys
):
    root = shutil.copytree(template[0], tmp_path / "course")
    (root / "autograded/ada/toy/toy.ipynb").write_text("{", encoding="utf-8")
    names = ["--student", "ada", "--student", "bob"]
    assert main(["--course", str(root), "feedback", *names]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("toy: 1 page written, 0 up to date")
    assert lines[1] == "  without a page: 1 of 2"
    assert lines[2].startswith("  ada: ")
    assert page_of(root, "bob").read_bytes() == template[1]["bob"]
    assert not page_of(root, "ada").exists()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)], ids=["Ctrl-C", "killed"]
)
def test_stopped_it_leaves_whole_pages_and_no_process(template, tmp_path, number, status):
    root = shutil.copytree(template[0], tmp_path / "course")
    names = [f"--student={student}" for student in ("ada", "slow")]
    process = psutil.Popen(
        command(root, *names),
        **{"cwd": ROOT, "stderr": subprocess.PIPE, "text": True, "start_new_session": True},
    )
    wait_for(lambda: (root / "_build/grading/feedback-toy-ada.json").exists())
    children = process.children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does it
    else:
        process.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    if status == 130:
        assert said == "\nstopped; start it again and it goes on where it was\n"
    # a library that is deaf is ended at the limit
    _, alive = psutil.wait_procs(children, timeout=LIMIT + 10)
    assert children
    assert not alive
    assert page_of(root, "ada").read_bytes() == template[1]["ada"]
    assert not (root / "feedback/slow").exists()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("time_limit = 0", r"c\.FeedbackPages\.time_limit = 0: .*; write another value"),
        ("timelimit = 5", r"there is no such setting; did you mean time_limit\?"),
    ],
)
def test_a_wrong_limit_is_named(tmp_path, capsys, setting, told):
    root = make_course(tmp_path, f"c.FeedbackPages.{setting}")
    assert main(["--course", str(root), "feedback"]) == 1
    assert re.search(told, capsys.readouterr().err)
