"""The commands around grading: doctor, check, feedback, the zip of a release, whose score moved."""

import json
import shutil
import sys
import zipfile

import nbformat
import pytest
from filelock import FileLock
from traitlets.config import Config

import grading.commands.grade
import grading.room
from grading.__main__ import main
from grading.course import Course
from grading.execute import ExecuteSubmission
from grading.grade import grade
from grading.release import release
from grading.warm_process import name_kernelspec
from tests.toy_course import (
    WRONG_DOUBLE,
    Submission,
    hand_in,
    make_course,
    source_notebook,
)

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The toy course, released."""
    root = make_course(tmp_path_factory.mktemp("template") / "course")
    release(Course(root), "toy")
    return root


@pytest.fixture
def course(template, tmp_path):
    """A copy of it."""
    return Course(shutil.copytree(template, tmp_path / "course"))


@pytest.fixture
def released(course):
    return json.loads((course.root / "release/toy/toy.ipynb").read_text(encoding="utf-8"))


def test_a_release_comes_as_a_zip_too(course, capsys):
    assert main(["--course", str(course.root), "release"]) == 0
    assert "release/toy.zip" in capsys.readouterr().out
    path = course.root / "release" / "toy.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["toy/toy.ipynb"]
        assert archive.read("toy/toy.ipynb") == (path.parent / "toy/toy.ipynb").read_bytes()
    before = path.stat().st_mtime_ns
    assert main(["--course", str(course.root), "release"]) == 0
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("after", [[], ["--course"], ["--json"], ["--course", "--json"]])
def test_course_and_json_stand_before_or_after_the_command(course, capsys, after):
    given = {"--course": ["--course", str(course.root)], "--json": ["--json"]}
    before = [word for name in given if name not in after for word in given[name]]
    assert main([*before, "release", *[word for name in after for word in given[name]]]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["folder"] == "release/toy"


def test_whose_score_moved_and_why(course, released, capsys):
    for name in ("ada", "bob"):
        hand_in(course.root, name, Submission(released).nb)
    bob = course.root / "submitted/bob/toy/toy.ipynb"
    nbformat.write(Submission(released).answer("double", "def double(x): return x * 2.0").nb, bob)
    grade(course, "toy", progress=False)
    nb = source_notebook()
    nb.cells[3].source += '\nassert type(double(1)) is int, "double(1) must be an int"'
    nbformat.write(nb, course.folder("source", "toy") / "toy.ipynb")
    release(course, "toy")
    assert main(["--course", str(course.root), "grade", "--diff"]) == 0
    said = capsys.readouterr().out
    assert "moved: 1\nbob  test_double: 2 → 0 points (double(1) must be an int)" in said
    assert main(["--course", str(course.root), "grade", "--diff", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"]
    assert found["results"][0]["moved"] == {}


def test_one_student_and_force(course, released, capsys):
    for name in ("ada", "bob"):
        hand_in(course.root, name, Submission(released).nb)
    options = ["--course", str(course.root), "grade", "--student"]
    assert main([*options, "ada"]) == 0
    path = course.root / "autograded/ada/toy/toy.ipynb"
    assert not (course.root / "autograded/bob").exists()
    before = path.stat().st_mtime_ns
    assert main([*options, "ada"]) == 0
    assert path.stat().st_mtime_ns == before
    assert main([*options, "ada", "--force"]) == 0
    assert path.stat().st_mtime_ns > before
    assert main([*options, "eve"]) == 1
    assert "--student eve: there is no folder submitted/eve/toy" in capsys.readouterr().err


def test_feedback_is_written_once(course, released, capsys):
    hand_in(course.root, "ada", Submission(released).answer("double", WRONG_DOUBLE).nb)
    grade(course, "toy", progress=False)
    options = ["--course", str(course.root), "feedback"]
    assert main(options) == 0
    assert "toy: 1 page written, 0 up to date" in capsys.readouterr().out
    page = (course.root / "feedback/ada/toy/toy.html").read_text(encoding="utf-8")
    assert "the sign is lost" in page
    assert main(options) == 0
    assert "toy: 0 pages written, 1 up to date" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ("def double(x):\n    return x + x", 0, ["test_double  passes"]),
        ("def double(x):\n    return 3 * x", 1, ["test_double  not yet: double(1) must be 2"]),
        (WRONG_DOUBLE, 0, ["test_double  passes"]),  # the hidden test is not run
        (
            "double = input()",
            1,
            ["support input requests. input() waits for a person, and none is"],
        ),
        ("import os; os._exit(0)", 1, ["crashed: the kernel died in the cell double"]),
    ],
)
def test_a_student_checks_a_notebook(course, released, tmp_path, capsys, answer, status, words):
    path = tmp_path / "toy.ipynb"
    nbformat.write(Submission(released).answer("double", answer).nb, path)
    before = path.read_bytes()
    for root, tests in ((course.root, "as released"), (tmp_path, "of this file")):
        assert main(["--course", str(root), "check", str(path)]) == status
        said = capsys.readouterr().out
        assert f"with the tests {tests}" in said
        for word in words:
            assert word in said
    assert path.read_bytes() == before


READS = "def double(x):\n    return x * int(open({name!r}).read())"


@pytest.mark.parametrize("place", ["release", "beside"])
def test_a_check_has_the_files_that_the_grader_has(course, released, tmp_path, capsys, place):
    name = "data/factor.txt"
    beside = tmp_path / "work"
    file = (course.folder("release", "toy") if place == "release" else beside) / name
    for folder in (beside, file.parent):
        folder.mkdir(parents=True, exist_ok=True)
    file.write_text("2")
    path = beside / "toy.ipynb"
    nbformat.write(Submission(released).answer("double", READS.format(name=name)).nb, path)
    assert main(["--course", str(course.root), "check", str(path)]) == 0
    assert "test_double  passes" in capsys.readouterr().out


def test_the_files_of_the_release_stand_before_the_student_s(course, released, tmp_path, capsys):
    (course.folder("release", "toy") / "factor.txt").write_text("2")
    beside = tmp_path / "work"
    beside.mkdir()
    (beside / "factor.txt").write_text("3")
    nb = Submission(released).answer("double", READS.format(name="factor.txt")).nb
    nbformat.write(nb, beside / "toy.ipynb")
    nbformat.write(nb, beside / "another.ipynb")
    assert main(["--course", str(course.root), "check", str(beside / "toy.ipynb")]) == 0
    said = capsys.readouterr().out
    assert "factor.txt was left out: the assignment's own file of that name is used" in said
    assert "another.ipynb was left out" not in said


def test_a_check_knows_the_assignment_by_its_cells(course, released, tmp_path, capsys):
    path = tmp_path / "my homework.ipynb"
    nb = Submission(released).answer("test_double", "pass").answer("double", "double = int").nb
    nbformat.write(nb, path)
    shutil.rmtree(course.root / "solutions")  # a student has none
    assert main(["--course", str(course.root), "check", str(path)]) == 1
    said = capsys.readouterr().out
    assert "my homework.ipynb, with the tests as released in toy/toy.ipynb" in said
    assert "test_double  not yet: double(1) must be 2" in said


def test_a_notebook_of_another_course_is_checked_with_its_own_tests(course, tmp_path, capsys):
    path = tmp_path / "other.ipynb"
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    nbformat.write(nb, path)
    assert main(["--course", str(course.root), "check", str(path)]) == 0
    assert "other.ipynb, with the tests of this file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no file"), (b"{", "would be refused: the file is not JSON")],
)
def test_a_notebook_that_cannot_be_checked(tmp_path, capsys, content, words):
    path = tmp_path / "toy.ipynb"
    if content:
        path.write_bytes(content)
    assert main(["--course", str(tmp_path), "check", str(path)]) == 1
    assert words in capsys.readouterr().err


def test_doctor_finds_what_there_is(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for words in ("ok      isolation", "inside: no network", "inside: none of your files"):
        assert words in said
    assert "MISSING" not in said


def test_a_machine_that_cannot_isolate(course, released, capsys, monkeypatch):
    hand_in(course.root, "ada", Submission(released).nb)
    monkeypatch.setattr(grading.room.shutil, "which", lambda name, path=None: None)
    grading.room.obstacle.cache_clear()
    options = ["--course", str(course.root), "grade"]
    try:
        assert main(options) == 1
        said = capsys.readouterr().err
        for words in ("bubblewrap is missing: install it", "--no-sandbox"):
            assert words in said
        assert not (course.root / "autograded").exists()
        assert main(["doctor"]) == 1
        assert "MISSING bubblewrap: not found; install it" in capsys.readouterr().out
        assert main([*options, "--no-sandbox"]) == 0
        assert "ada       5/10" in capsys.readouterr().out
        path = course.folder("submitted", "toy", "ada") / "toy.ipynb"
        assert main(["--course", str(course.root), "check", str(path)]) == 0
        alone = "run with your own rights, since it could not be isolated: bubblewrap is missing"
        assert alone in capsys.readouterr().out
    finally:
        grading.room.obstacle.cache_clear()


def test_limits_have_a_status_and_a_reason(tmp_path):
    small = "c.SandboxProvisioner.memory = 300\nc.SandboxProvisioner.cpu_time = 4\n"
    small += "c.ExecuteSubmission.output_limit = 1\nc.ExecuteSubmission.timeout = 30"
    course = Course(make_course(tmp_path, small))
    release(course, "toy")
    released = json.loads((tmp_path / "release/toy/toy.ipynb").read_text(encoding="utf-8"))
    for name, code in {
        "memory": "data = bytearray(500_000_000)",
        "spins": "while True:\n    pass",
        "prints": "while True:\n    print('x' * 1000)",
        "tensor": "import torch\ntorch.empty(10**15)",
    }.items():
        hand_in(tmp_path, name, Submission(released).answer("halve", code).nb)
    results = {found.student: found for found in grade(course, "toy", progress=False)}
    told = {name: (found.status, found.points) for name, found in results.items()}
    lost = {"test_double": 2, "test_halve": 0}
    assert told == {
        "memory": ("out of memory", lost),
        "spins": ("timed out", lost),
        "prints": ("graded", lost),
        "tensor": ("out of memory", lost),
    }
    assert results["memory"].reason == "the cell halve needed more memory than there is"
    assert "used up the time of the processor" in results["spins"].reason
    assert "more than 1 MB of output" in results["prints"].messages["halve"]


def test_all_cells_together_have_a_time_limit():
    cells = [nbformat.v4.new_code_cell("import time; time.sleep(3)") for _ in range(4)]
    settings = Config(SandboxProvisioner={"isolate": False})
    name_kernelspec()
    step = ExecuteSubmission(kernel_name="sandbox", config=settings, timeout=60, time_limit=5)
    nb, _ = step.preprocess(nbformat.v4.new_notebook(cells=cells), {"metadata": {"path": ""}})
    stopped = [any(o.output_type == "error" for o in cell.outputs) for cell in nb.cells]
    assert stopped == [False, True, True, False]  # what comes after the end says nothing
    assert nb.metadata.grading["status"] == "timed out"


def test_a_hostile_folder_does_not_stop_the_class(course, released):
    for name in ("ada", "bob", "eve"):
        hand_in(course.root, name, Submission(released).nb)
    (course.root / "submitted/ada/toy/timestamp.txt").write_text("no time at all")
    (course.root / "submitted/bob/toy/toy.ipynb").unlink()
    (course.root / "submitted/bob/toy/toy.ipynb").mkdir()
    ada, bob, eve = grade(course, "toy", progress=False)
    assert (ada.status, ada.score) == ("graded", 5)
    assert "timestamp.txt was left out: it holds no time" in ada.reason
    assert (bob.status, bob.score) == ("refused", 0)
    assert "directory" in bob.reason
    assert (eve.status, eve.score) == ("graded", 5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["tony"], "there is no assignment 'tony'; there are: toy", id="assignment"),
        pytest.param(["--student", "eve"], "there is no folder submitted/eve/toy", id="student"),
    ],
)
def test_grade_says_what_there_is_not(course, released, capsys, arguments, words):
    hand_in(course.root, "ada", Submission(released).nb)
    assert main(["--course", str(course.root), "grade", *arguments]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1
    assert not (course.root / "autograded").exists()


@pytest.mark.parametrize("jobs", ["0", "-1", "two", ""])
def test_grade_wants_a_number_of_jobs(capsys, jobs):
    with pytest.raises(SystemExit, match="2"):
        main(["grade", "--jobs", jobs])
    words = f"argument --jobs: must be a whole number from 1 up, got {jobs!r}"
    assert words in capsys.readouterr().err


def test_wrong_arguments_are_told_to_a_program(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["grading", "--json", "grade", "--jobs", "0"])
    with pytest.raises(SystemExit, match="2"):
        main()
    words = "argument --jobs: must be a whole number from 1 up, got '0'"
    assert json.loads(capsys.readouterr().out) == {"error": words}


def test_a_folder_that_nbgrader_takes_for_a_pattern_is_named(tmp_path, capsys):
    root = tmp_path / "my [course]"
    root.mkdir()
    make_course(root)
    assert main(["--course", str(root), "release"]) == 1
    words = f"error: {root}: nbgrader finds nothing in a folder with '[' in its path; rename it\n"
    assert capsys.readouterr().err == words


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        pytest.param(lambda root: None, {"nothing submitted": ["toy"]}, id="nothing"),
        pytest.param(
            lambda root: (root / "submitted/toy.ipynb").write_text("{}"),
            {"not graded": "submitted/toy.ipynb"},
            id="misplaced",
        ),
    ],
)
def test_what_is_not_graded_is_told_to_a_program_in_the_same_form(course, capsys, prepare, why):
    (course.root / "submitted").mkdir(exist_ok=True)
    prepare(course.root)
    main(["--json", "--course", str(course.root), "grade"])
    first = json.loads(capsys.readouterr().out)["results"][0]
    assert first == {"assignment": None, "submissions": [], **why}


def test_no_jobs_are_an_error_in_python_as_well(course):
    with pytest.raises(ValueError, match="jobs must be a number from 1 up, got 0"):
        grade(course, "toy", jobs=0)


def test_a_second_grader_says_that_one_is_at_work(course, released, capsys):
    hand_in(course.root, "ada", Submission(released).nb)
    with FileLock(course.work / "grade.lock"):
        assert main(["--course", str(course.root), "grade"]) == 1
    said = capsys.readouterr().err
    assert f"another grading is at work in {course.root}; wait until it ends, or end it" in said
    assert not (course.root / "autograded").exists()


def test_a_student_is_graded_where_something_was_handed_in(course, released, monkeypatch):
    source = course.root / "solutions/other/other.ipynb"
    source.parent.mkdir()
    nbformat.write(source_notebook(), source)
    for name in ("ada", "bob"):
        hand_in(course.root, name, Submission(released).nb)
    (course.root / "submitted/bob/other").mkdir()
    asked = []

    def note(_, assignment, *, students, **others):
        asked.append((assignment, list(students)))
        return []

    monkeypatch.setattr(grading.commands.grade, "grade", note)
    for students in (["ada"], ["ada", "bob"], []):
        named = [word for student in students for word in ("--student", student)]
        assert main(["--course", str(course.root), "grade", *named]) == 0
    assert asked == [
        *[("toy", ["ada"]), ("other", ["bob"]), ("toy", ["ada", "bob"])],
        *[("other", []), ("toy", [])],  # all
    ]
