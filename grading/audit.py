"""The proof of the graders: each answer of the bank gets its points and its message.

The answers of ``tests/answers/<assignment>`` go the way of a real submission: release, hand in,
nbgrader's autograding, gradebook, feedback. What comes out is compared with their headers.
"""

import html
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import nbformat
from filelock import FileLock, Timeout
from nbformat import NotebookNode
from nbgrader.utils import is_solution
from tqdm import tqdm

from grading.answers import Answer, demands, unmet
from grading.course import Course, CourseError
from grading.hand_in import points_of_tests, reference
from grading.leaks import leaks, secret_lines, strings
from grading.questions import Question, count, find_questions
from grading.results import Result
from grading.sample import find_answers, sample_class
from grading.workers import end_with_parent


@dataclass
class Audit:
    """The questions of one assignment, and each expectation that was not met, a line each."""

    assignment: str
    questions: list[Question]
    misses: list[str]


@dataclass
class Graded:
    """What a submission came to, the text of its feedback page, and that of the errors on it."""

    result: Result
    page: str
    told: str


def audit(
    course: Course, assignments: list[str], *, jobs: int = 1, progress: bool = True
) -> Iterator[Audit]:
    """Grade all answers to each assignment, and compare with what their headers demand.

    The answers are dealt out to ``jobs`` classes, each graded by a process of its own.

    Yields:
        One audit for each assignment, in order.

    Raises:
        CourseError: if an assignment has no answers, or another audit is at work in this course.
    """
    lock = FileLock(course.work / "audit.lock", timeout=0)
    try:
        with lock:
            yield from _audit(course, assignments, jobs, progress)
    except Timeout:
        raise CourseError(
            f"another audit is at work in {course.root}; wait until it ends, or end it"
        ) from None


def _audit(course: Course, assignments: list[str], jobs: int, progress: bool) -> Iterator[Audit]:
    banks = {name: with_extremes(find_answers(course, name)) for name in assignments}
    parts = {(name, n): banks[name][n::jobs] for name in assignments for n in range(jobs)}
    parts = {key: answers for key, answers in parts.items() if answers}
    graded: dict[str, dict[str, Graded]] = {name: {} for name in assignments}
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=end_with_parent)
    try:
        futures = {
            pool.submit(grade_part, course.root, name, part, n): name
            for (name, n), part in parts.items()
        }
        bar = tqdm(total=sum(map(len, banks.values())), desc="audit", disable=not progress)
        with bar:
            for future in as_completed(futures):
                graded[futures[future]] |= future.result()
                bar.update(len(future.result()))
    except BrokenProcessPool as error:
        raise CourseError(
            "a process of the audit was killed, perhaps for want of memory; try --jobs 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
    for name in assignments:
        found = judge(course, name, banks[name], graded[name])
        found.misses += release_leaks(course, name, banks[name])
        yield found


def with_extremes(answers: list[Answer]) -> list[Answer]:
    """Answers, and the two that every assignment has: the solution and the release."""
    folder = Path("right")
    solution = Answer(folder / "the_solution.md", what="the reference solution")
    untouched = Answer(folder / "the_release.md", what="as handed out", base="release", points=0)
    return [*answers, solution, untouched]


def grade_part(root: Path, assignment: str, answers: list[Answer], n: int) -> dict[str, Graded]:
    """Grade some of the answers, as a class of their own; begun anew each time."""
    course = Course(root)
    place = f"audit/{n}"
    shutil.rmtree(course.root / "_build" / place / assignment, ignore_errors=True)
    part, results = sample_class(course, assignment, answers, place=place, progress=False, jobs=1)
    return {
        result.student: Graded(result, *feedback_texts(part, assignment, result.student))
        for result in results
    }


def feedback_texts(course: Course, assignment: str, student: str) -> tuple[str, str]:
    """What a student reads on the feedback page: in all, and in the errors below the checks."""
    path = course.folder("feedback", assignment, student) / f"{assignment}.html"
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    body = page.partition("<body>")[2]
    errors = re.findall(r'<div class="[^"]*output_error">(.*?)</div>', body, re.DOTALL)
    return _plain(body), _plain("\n".join(errors))


def _plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def judge(
    course: Course, assignment: str, answers: list[Answer], graded: dict[str, Graded]
) -> Audit:
    """Compare what answers got with what their headers demand."""
    path = course.folder("source", assignment) / f"{assignment}.ipynb"
    source = nbformat.read(path, as_version=4)
    points = points_of_tests(source)
    questions = find_questions(source)
    misses = []
    for answer in answers:
        found = graded[answer.student]
        misses += unmet(answer, found.result, points)
        misses += untold(answer, found)
        if isinstance(answer.points, dict) and not loses(answer.points, points):
            misses.append(f"{answer.student}: it stands under wrong/, and is to lose nothing")
        secret = secret_lines(source, public=own_text(answer, source))
        shown = [leak for leak in leaks(secret, found.page) if not leak.startswith("the rubric")]
        misses += [f"{answer.student}: the feedback shows {leak}" for leak in shown]
        for question in questions:
            count(question, answer, found.result, points)
    return Audit(assignment, questions, misses)


def release_leaks(course: Course, assignment: str, answers: list[Answer]) -> list[str]:
    """What the student version holds of solutions, hidden tests, rubrics and other answers."""
    name = f"{assignment}.ipynb"
    source = nbformat.read(course.folder("source", assignment) / name, as_version=4)
    part = Course(course.root / "_build" / "audit" / "0" / assignment)
    secret, found = secret_lines(source, answers), []
    for path in sorted(part.folder("release", assignment).rglob("*")):
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if path.suffix == ".ipynb":
            nb = nbformat.reads(text, as_version=4)
            text = "\n".join(strings(nb))
        found += [f"the release shows {leak} ({path.name})" for leak in leaks(secret, text)]
    return found


def loses(wanted: dict[str, float], points: dict[str, float]) -> bool:
    """Whether an answer is expected to lose points at some check."""
    return any(number < points[name] for name, number in wanted.items())


def untold(answer: Answer, found: Graded) -> list[str]:
    """What the feedback page fails to say; the message of a check must stand in an error."""
    if not found.page:
        return [f"{answer.student}: there is no feedback page"]
    return [
        f"{answer.student}: no {word!r} in the feedback"
        for name, words in demands(answer).items()
        for word in words
        if " ".join(word.lower().split()) not in (found.told if name else found.page).lower()
    ]


def own_text(answer: Answer, source: NotebookNode) -> list[str]:
    """The text of all solution cells that a student hands in."""
    kept = {cell.metadata.nbgrader.grade_id: cell for cell in source.cells if is_solution(cell)}
    others = [reference(cell) for name, cell in kept.items() if name not in answer.cells]
    own = [text for _, text in answer.cells.values()]
    return own + others if answer.base == "solution" else own
