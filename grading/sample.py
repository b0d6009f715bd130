"""The sample class: the answers of ``tests/answers`` handed in, graded and given feedback."""

import shutil
from pathlib import Path

import nbformat
from tqdm import tqdm

from grading.answers import Answer, read_answers
from grading.course import CONFIG_FILE, Course, CourseError, write_atomically
from grading.feedback import write_feedback
from grading.grade import grade
from grading.hand_in import write_submission
from grading.release import release
from grading.results import Result
from grading.room import obstacle


def sample_class(
    course: Course,
    assignment: str,
    answers: list[Answer],
    *,
    place: str = "sample_class",
    progress: bool = True,
    jobs: int | None = None,
) -> tuple[Course, list[Result]]:
    """Build a class of its own from answers, and grade it.

    The class lives in ``_build/<place>/<assignment>``, a course folder like any other, with its own
    gradebook: nothing of the real course is touched. What is up to date stays. Where this machine
    cannot isolate, the answers run without isolation: they are the course's own.

    Returns:
        The course of the sample class, and one result for each answer.
    """
    root = course.root / "_build" / place / assignment
    sample = open_class(course, root, assignment, [answer.student for answer in answers])
    release(sample, assignment)
    submit(sample, assignment, answers)
    sandbox = None if not obstacle() else False
    results = grade(sample, assignment, progress=progress, jobs=jobs, sandbox=sandbox)
    for found in tqdm(results, desc="feedback", disable=not progress, leave=False):
        if sample.folder("autograded", assignment, found.student).is_dir():
            write_feedback(sample, assignment, found.student)
    return sample, results


def open_class(course: Course, root: Path, assignment: str, students: list[str]) -> Course:
    """The folder of the sample class, begun anew if the assignment or the class list changed."""
    source = course.folder("source", assignment)
    stamp = repr((course.key(source), students))
    # The stamp goes last when the folder is made, and first when it is removed.
    stamp_file = root / "made_from.txt"
    if not stamp_file.is_file() or stamp_file.read_text(encoding="utf-8") != stamp:
        stamp_file.unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(source, root / course.directory.source_directory / assignment)
        # a course may name a gradebook elsewhere, on a server for one
        config = (course.root / CONFIG_FILE).read_text(encoding="utf-8")
        url = f"sqlite:///{root / 'gradebook.db'}"
        config += f"\nc.CourseDirectory.db_url = {url!r}\n"
        (root / CONFIG_FILE).write_text(config, encoding="utf-8")
        write_atomically(stamp_file, stamp.encode())
    return Course(root)


def submit(course: Course, assignment: str, answers: list[Answer]) -> None:
    """Hand in each answer, as the file that the student would upload."""
    name = f"{assignment}.ipynb"
    source = nbformat.read(course.folder("source", assignment) / name, as_version=4)
    released = nbformat.read(course.folder("release", assignment) / name, as_version=4)
    for answer in answers:
        path = course.folder("submitted", assignment, answer.student) / name
        content = write_submission(answer, source, released)
        if not path.is_file() or path.read_bytes() != content:
            write_atomically(path, content)


def find_answers(course: Course, assignment: str) -> list[Answer]:
    """The answers to one assignment.

    Raises:
        CourseError: if the course has none.
    """
    folder: Path = course.root / "tests" / "answers" / assignment
    if not folder.is_dir():
        raise CourseError(f"there are no answers to {assignment}; write some in {folder}")
    return read_answers(folder)
