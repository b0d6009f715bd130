"""The audit itself, tried on the toy course."""

import json
import subprocess
import sys
import time

import psutil
import pytest
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_notebook

from grading.__main__ import main
from grading.answers import AnswerError
from grading.audit import Graded, judge
from grading.course import Course
from grading.leaks import leaks, secret_lines
from grading.results import Result
from grading.sample import find_answers
from tests.toy_course import RIGHT_DOUBLE, ROOT, WRONG_DOUBLE, make_course, write_answer

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@pytest.fixture
def toy(tmp_path):
    """The toy course with a right answer, a wrong one and a broken one."""
    make_course(tmp_path)
    write_answer(tmp_path, "right", "adds", "what: x + x", f"```python double\n{RIGHT_DOUBLE}\n```")
    write_answer(
        tmp_path, "wrong", "sign", "what: abs\npoints: {test_double: 0}\n"
        "message: {test_double: [absolute value]}", f"```python double\n{WRONG_DOUBLE}\n```",
    )  # fmt: skip
    write_answer(
        tmp_path,
        "wrong",
        "cut",
        "what: lost\npoints: 0\nmessage: cut off\nstatus: refused\ndamage: {file: truncated}",
    )
    return tmp_path


def test_audit_of_the_toy(toy, capsys):
    assert (
        main(["--course", str(toy), "audit", "--jobs", "2", "--markdown", str(toy / "a.md")]) == 0
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert lines[1:] == [
        ["double", "2", "1/1", "1/1", "1/1"],
        ["halve", "3", "0/0", "0/0", "0/0"],
        ["all", "5", "1/1", "1/1", "1/1"],
    ]
    assert "| `toy` | 5 | 1/1 | 1/1 | 1/1 |" in (toy / "a.md").read_text()


def test_audit_that_finds_something(toy, capsys):
    wrong = toy / "tests" / "answers" / "toy" / "wrong"
    text = (wrong / "sign.md").read_text()
    text = text.replace("{test_double: 0}", "{test_double: 0, test_halve: 1}")
    (wrong / "sign.md").write_text(text.replace("[absolute value]", "[absolute, ReLU]"))
    assert main(["--course", str(toy), "audit", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["results"][0]
    double = found["questions"][0]
    assert (double["right"], double["wrong"], double["message"]) == ([1, 1], [1, 1], [0, 1])
    assert [miss.partition(": ")[2] for miss in found["misses"]] == [
        "test_halve: 3 points, not 1 (no message)",
        "test_double: no 'ReLU' in 'the sign is lost: did you take the absolute value?'",
        "no 'ReLU' in the feedback",
    ]


def test_judge_sees_what_the_feedback_may_not_show(toy):
    """A hidden test, a solution that is not the student's own; not the student's own lines."""
    course = Course(toy)
    answers = [answer for answer in find_answers(course, "toy") if answer.student == "sign"]
    result = Result("toy", "sign", points={"test_halve": 3.0})
    result.messages["test_double"] = "did you take the absolute value?"
    own = f"{result.messages['test_double']} Two halves make a whole."
    hidden = 'assert double(-3) == -6, "the sign is lost: did you take the absolute value?"'

    def misses(page, told="did you take the absolute value?"):
        return judge(course, "toy", answers, {"sign": Graded(result, page, told)}).misses

    assert misses(own) == []
    assert misses(own, told="") == ["sign: no 'absolute value' in the feedback"]
    assert misses("") == ["sign: there is no feedback page"]
    assert misses(own + hidden) == [
        f"sign: the feedback shows a hidden test in test_double: {hidden}"
    ]
    answers[0].base = "release"
    assert misses(own)[-1].startswith("sign: the feedback shows the solution of explain")


def test_a_solution_of_short_lines_is_a_secret_as_a_whole():
    cell = new_code_cell("### BEGIN SOLUTION\na = x + 1\nb = a * a\nreturn b - x\n### END SOLUTION")
    cell.metadata["nbgrader"] = {"grade_id": "short"}
    secret = secret_lines(new_notebook(cells=[cell]))
    shown = "a = x + 1\n    b = a * a\n    return b - x"
    assert leaks(secret, shown) == ["the solution of short: a = x + 1 b = a * a return b - x"]
    assert leaks(secret, "a = x + 1\nreturn b - x") == []


def test_an_answer_under_wrong_must_lose_something(toy):
    answers = [answer for answer in find_answers(Course(toy), "toy") if answer.student == "sign"]
    answers[0].points, answers[0].message = {"test_double": 2}, []
    result = Result("toy", "sign", points={"test_double": 2.0, "test_halve": 3.0})
    found = judge(Course(toy), "toy", answers, {"sign": Graded(result, "a page", "")})
    assert found.misses == ["sign: it stands under wrong/, and is to lose nothing"]


@pytest.mark.parametrize("name", ["the_solution", "the_release"])
def test_names_that_the_audit_takes_are_refused(toy, name):
    write_answer(toy, "right", name, "what: x + x", f"```python double\n{RIGHT_DOUBLE}\n```")
    with pytest.raises(AnswerError, match="the_solution and the_release are taken"):
        find_answers(Course(toy), "toy")


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_a_wrong_number_of_jobs_is_refused(toy, jobs, capsys):
    with pytest.raises(SystemExit):
        main(["--course", str(toy), "audit", "--jobs", jobs])
    assert f"must be a whole number from 1 up, got '{jobs}'" in capsys.readouterr().err


def test_a_second_audit_in_the_same_folder_is_refused(toy, capsys):
    with FileLock(Course(toy).work / "audit.lock"):
        assert main(["--course", str(toy), "audit"]) == 1
    assert f"another audit is at work in {toy}; wait" in capsys.readouterr().err


def test_an_audit_that_is_ended_leaves_no_process(toy):
    loop = "import time\n\ndef double(x):\n    time.sleep(1000)"
    write_answer(toy, "right", "slow", "what: sleeps", f"```python double\n{loop}\n```")
    process = psutil.Popen(
        [sys.executable, "-m", "grading", "--course", str(toy), "audit", "--jobs", "1"],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    # the tracker of resources that Python starts, a worker, the process of warm kernels, a kernel
    children = wait_for(lambda: process.children(recursive=True), lambda found: len(found) >= 4)
    process.terminate()
    process.wait(timeout=30)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def wait_for(read, enough, seconds=120):
    """Read until it is enough."""
    end = time.monotonic() + seconds
    while not enough(found := read()):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found
