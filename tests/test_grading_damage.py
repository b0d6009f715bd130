"""A class of damaged submissions, graded once: each ends with a status and a reason."""

import argparse
import hashlib
import json
import os
import stat

import nbformat
import pytest

import grading.grade
import grading.intake
from grading.commands import feedback as feedback_command
from grading.commands import report as report_command
from grading.course import Course
from grading.grade import grade, make_package
from grading.release import release
from grading.report import table
from grading.task import instructor_copy, rebuild
from tests.damage_folders import BAD_IDS, FOLDERS, IDS
from tests.damage_notebooks import CELLS, FILES, NAMES, TEXTS
from tests.toy_course import Submission, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

LIMITS = """
c.Intake.folder_size = 1
c.Intake.folder_files = 20
"""
TABLES = [*FILES, *CELLS, *NAMES, *TEXTS]
NOTEBOOKS = [case for case in TABLES if not case.same]
SAME = [case for case in TABLES if case.same]
CASES = [*NOTEBOOKS, *FOLDERS]
FEEDBACK = ["odd_names", "odd_names_2", "odd_left_out", "two_notebooks", "renamed_to_odd"]
FEEDBACK += ["cells_100_000", "long_line", "long_text", "control_characters", "a_pipe", *IDS[2:6]]
HONEST = ["aaa_honest", "moa_honest", "zzz_honest"]


def made(case, right):
    """The bytes of a damaged notebook."""
    content = case.make(json.loads(json.dumps(right)))
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def hand_in(root, right):
    """All the submissions; ``right`` is the data of a good one."""
    for student in [*HONEST, *IDS, *BAD_IDS, *(case.name for case in CASES)]:
        folder = root / "submitted" / student / "toy"
        folder.mkdir(parents=True)
        (folder / "toy.ipynb").write_text(json.dumps(right), "utf-8")
    for case in NOTEBOOKS:
        (root / "submitted" / case.name / "toy" / "toy.ipynb").write_bytes(made(case, right))
    for case in FOLDERS:
        case.make(root / "submitted" / case.name / "toy")


def refuse_some(patch):
    """What some may not read: root may read all, so the refusal is played."""
    scandir, opened = os.scandir, os.open

    def without_right(function, *names):
        def call(path, *arguments, **keywords):
            if str(path).rstrip("/").endswith(names) and "/staged/" not in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *arguments, **keywords)

        return call

    folders = "submitted/unreadable_folder/toy", "unreadable_part_inside"
    patch.setattr(grading.intake.os, "scandir", without_right(scandir, *folders))
    patch.setattr(
        grading.intake.os, "open", without_right(opened, "submitted/unreadable/toy/toy.ipynb")
    )


def snapshot(root):
    """Everything among the submissions: mode, size, time of its last change, content."""
    found = {}
    for place, folders, names, here in os.fwalk(root / "submitted"):
        for name in [*folders, *names]:
            state = os.stat(name, dir_fd=here, follow_symlinks=False)
            content = b""
            if stat.S_ISREG(state.st_mode):
                with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=here), "rb") as file:
                    content = hashlib.file_digest(file, "sha256").digest()
            found[place, name] = state.st_mode, state.st_size, state.st_mtime_ns, content
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The course, the results by student, and the submissions before and after."""
    root = make_course(tmp_path_factory.mktemp("course"), LIMITS)
    (root / "solutions" / "toy" / "data").mkdir()
    (root / "solutions" / "toy" / "data" / "more.csv").write_bytes(b"4,5\n")
    (root / "solutions" / "toy" / "numbers.csv").write_bytes(b"1,2,3\n")
    course = Course(root)
    assert release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)
    hand_in(root, json.loads(nbformat.writes(Submission(released).nb)))
    before = snapshot(root)
    with pytest.MonkeyPatch.context() as patch:
        refuse_some(patch)
        results = {result.student: result for result in grade(course, "toy", progress=False)}
    return course, results, before, snapshot(root)


def text_of(course, student):
    path = course.folder("autograded", "toy", student) / "toy.ipynb"
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


def test_there_are_enough_cases_and_no_name_twice():
    names = [*HONEST, *IDS, *BAD_IDS, *(case.name for case in [*CASES, *SAME])]
    assert len(names) == len(set(names)) > 150


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_each_ends_with_its_points_status_and_reason(graded, case):
    course, results, *_ = graded
    result = results[case.name]
    assert result.status == case.status, result.reason
    assert (result.points["test_double"], result.points["test_halve"]) == case.points
    assert result.score == sum(case.points)
    told = "\n".join([result.reason, *result.reasons, text_of(course, case.name)])
    assert case.told in told
    assert case.told or not result.reason


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in SAME])
def test_damage_to_what_is_not_taken_changes_nothing_in_what_is_graded(graded, case):
    course = graded[0]
    instructor = instructor_copy(make_package(course, "toy", sandbox=None), "toy")
    right = json.loads((course.root / "submitted" / HONEST[0] / "toy" / "toy.ipynb").read_bytes())
    assert rebuild(instructor, made(case, right)) == rebuild(instructor, json.dumps(right).encode())


@pytest.mark.parametrize("student", [*HONEST, *IDS])
def test_neighbours_and_ids_that_nbgrader_can_keep_lose_nothing(graded, student):
    result = graded[1][student]
    assert (result.status, result.score, result.reason) == ("graded", 5, "")


@pytest.mark.parametrize(("student", "told"), BAD_IDS.items())
def test_an_id_that_nbgrader_cannot_keep_is_refused_with_the_cure(graded, student, told):
    result = graded[1][student]
    assert (result.status, result.score, result.max_score) == ("refused", 0, 10)
    assert told in result.reason
    assert result.reason.endswith(": rename it") or "at most" in result.reason


def test_each_student_has_one_row(graded):
    course, results, *_ = graded
    assert sorted(results) == sorted(course.students("toy"))
    assert len(results) == len(CASES) + len(HONEST) + len(IDS) + len(BAD_IDS)


def test_the_gradebook_holds_each_student_once(graded):
    course, results, *_ = graded
    with course.gradebook() as gradebook:
        ids = [student.id for student in gradebook.students]
        entered = [book.student.id for book in gradebook.find_assignment("toy").submissions]
    assert sorted(ids) == sorted(entered) == sorted(set(results) - set(BAD_IDS))


def test_what_was_handed_in_is_as_it_was(graded):
    *_, before, after = graded
    assert after == before


def test_nothing_failed_or_is_left_between(graded):
    course, results, *_ = graded
    assert {result.status for result in results.values()} == {"graded", "refused"}
    assert not [path for path in (course.work / "staged").rglob("*") if path.is_file()]


def test_a_second_grading_does_nothing(graded, monkeypatch):
    course, results, *_ = graded

    def nothing(*_):
        return lambda tasks: pytest.fail(f"graded again: {[name for name, _ in tasks]}")

    monkeypatch.setattr(grading.grade, "_runner", nothing)
    refuse_some(monkeypatch)
    again = {result.student: result for result in grade(course, "toy", progress=False)}
    assert again == results


def test_files_with_odd_names_reach_the_graded_folder(graded):
    folder = graded[0].folder("autograded", "toy", "odd_names")
    there = {path.name for path in folder.iterdir()}
    assert {"two\nlines", "\x1b[31mred\x07", "caf\u00e9", "cafe\u0301", "..hidden"} <= there


def test_only_a_time_that_can_be_read_is_in_the_gradebook(graded):
    with graded[0].gradebook() as gradebook:
        times = {
            student: gradebook.find_submission("toy", student).timestamp
            for student in ("time_future", "time_in_words", "time_link", HONEST[0])
        }
    assert [str(time)[:4] for time in times.values()] == ["2999", "None", "None", "None"]


def test_of_a_folder_with_too_many_files_the_notebook_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(grading.intake, "MOST_ENTRIES", 10)
    for n in range(12):
        (tmp_path / f"{n}.csv").write_bytes(b"1")
    (tmp_path / "toy.ipynb").write_bytes(b"{}")
    found = grading.intake.Intake().read(tmp_path, ["toy"])
    assert found.notebooks == {"toy": b"{}"}
    assert found.files == {}
    assert found.problems == ["what lies in the folder was left out: too many files"]


def test_the_table_has_a_line_for_each_and_no_control_character(graded):
    text = table(list(graded[1].values()), width=100)
    assert text.count("refused") >= len(BAD_IDS)
    assert not [c for c in text if ord(c) < 32 and c != "\n"]


@pytest.fixture(scope="module")
def pages(graded):
    """The feedback of those whose folders and names are the oddest, by student."""
    course = graded[0]
    options = argparse.Namespace(assignment=["toy"], student=[*FEEDBACK, *BAD_IDS], json=True)
    (answer,) = feedback_command.run(course, options)
    assert answer.data["written"] == len(FEEDBACK)
    return lambda student: (course.folder("feedback", "toy", student) / "toy.html").read_text(
        "utf-8"
    )


def test_feedback_tells_what_was_left_out(pages):
    assert "toy-Copy1.ipynb was left out" in pages("two_notebooks")
    assert "&lt;script&gt;`[x](y)$ .ipynb was left out" in pages("odd_left_out")


def test_feedback_tells_why_it_was_refused(pages):
    assert "could not be read: the notebook has 100,000 cells" in pages("cells_100_000")
    assert "but &lt;b&gt;$x$ `.ipynb" in pages("renamed_to_odd")


def test_the_report_has_a_row_for_each(graded, pages, tmp_path):
    course, results, *_ = graded
    options = {"assignment": ["toy"], "format": None, "output": tmp_path}
    options |= {"include_unfinished": False, "canvas_column": None, "anonymous": False}
    (answer,) = report_command.run(course, argparse.Namespace(**options))
    assert len((tmp_path / "toy.csv").read_text("utf-8-sig").splitlines()) == len(results) + 1
    assert answer.data["ungraded"] == 0
