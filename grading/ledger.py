"""What is written down about each submission: by nbgrader in its gradebook, and here beside it."""

import functools
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.converters import Autograde

from grading.course import Course, write_atomically
from grading.gradebook import transactions
from grading.intake import Submission
from grading.results import WITHOUT_SCORE, Result
from grading.student_ids import bad_id
from grading.task import Outcome

# What nbgrader does after running a notebook. Before that, workers have done their part.
SAVE = [
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]


class Ledger:
    """The results of one assignment, each with the key of what it was made from.

    A result is written last, when the graded notebook and the gradebook are complete, and loses its
    key first, before they change. So what has a key is whole, wherever the grader was stopped.

    Args:
        course: the course.
        assignment: the assignment.
    """

    def __init__(self, course: Course, assignment: str):
        self.course, self.assignment = course, assignment
        self.folder = course.work / "results" / assignment

    @functools.cached_property
    def transaction(self) -> Callable[[], AbstractContextManager[None]]:
        """Gives a ``with`` block: what nbgrader writes inside is written at once or not at all."""
        return transactions(self.course.directory.db_url)

    def read(self, student: str) -> tuple[str, Result | None]:
        """The key of a student's last result, and the result; or ``("", None)``."""
        if reason := bad_id(student):
            return "", Result(self.assignment, student, "refused", reason)
        try:
            known = json.loads((self.folder / f"{student}.json").read_text(encoding="utf-8"))
            return str(known["key"]), Result(**known["result"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return "", None

    def is_damaged(self, student: str) -> bool:
        """Whether a result is there that cannot be read."""
        return self.read(student)[1] is None and (self.folder / f"{student}.json").exists()

    def write(self, student: str, key: str, found: Result) -> None:
        """Write a result down, with the key of what it was made from."""
        content = json.dumps({"key": key, "result": asdict(found)}).encode()
        write_atomically(self.folder / f"{student}.json", content)

    def record(self, student: str, key: str, submission: Submission, outcome: Outcome) -> Result:
        """Enter an outcome: graded notebook, gradebook, result; all of these, or none.

        Raises:
            Exception: whatever nbgrader raises; what was there before is as it was.
        """
        before = self.read(student)[1]
        if before is not None:
            self.write(student, "", before)  # from here on it is no longer up to date
        if not outcome.notebooks:
            with self.transaction(), self.course.gradebook() as gradebook:
                gradebook.update_or_create_student(student)
                gradebook.update_or_create_submission(self.assignment, student)
            return self.fail(student, outcome.reason)
        self._enter(student, submission, outcome)
        found = Result(
            *(self.assignment, student, outcome.status, outcome.reason),
            points=outcome.points,
            messages=outcome.messages,
        )
        self.write(student, key, found)
        return found

    def fail(self, student: str, reason: str) -> Result:
        """Note that grading failed: it is tried again each time, and what was there before stays.

        Raises:
            OSError: if that cannot be written, either.
        """
        before = self.read(student)[1] or Result(self.assignment, student)
        if before.points:
            reason += "; what it got before stands"
        found = replace(before, status="failed", reason=reason)
        self.write(student, "", found)
        return found

    def _enter(self, student: str, submission: Submission, outcome: Outcome) -> None:
        """Let nbgrader take the executed notebooks as if it had executed them."""
        staged = self.course.work / "staged"
        if staged.exists():
            shutil.rmtree(staged)
        files = dict(submission.files)
        files |= {f"{name}.ipynb": text.encode() for name, text in outcome.notebooks.items()}
        for name, content in files.items():
            path = staged / "submitted" / student / self.assignment / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        place = self.course.folder("autograded", self.assignment, student)
        inside = staged.relative_to(self.course.root)
        with ExitStack() as undo:
            with self.transaction():
                self.course.run(
                    *(Autograde, self.assignment),  # of all students: there is one
                    traits={"sanitize_preprocessors": [], "autograde_preprocessors": SAVE},
                    submitted_directory=str(inside / "submitted"),
                    autograded_directory=str(inside / "autograded"),
                )
                undo.callback(_put_back, place, staged / "before", place.exists())
                if place.exists():
                    shutil.move(place, staged / "before")
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(staged / "autograded" / student / self.assignment, place)
            undo.pop_all()
        shutil.rmtree(staged)

    def is_whole(self, student: str) -> bool:
        """Whether a student's graded notebooks are there."""
        folder = self.course.folder("autograded", self.assignment, student)
        return all(
            (folder / f"{name}.ipynb").is_file() for name in self.course.notebooks(self.assignment)
        )

    def results(self, students: list[str]) -> list[Result]:
        """The results of students who have one, with the scores that the gradebook holds now.

        Whom the gradebook does not know has none, unless it was refused or failed.
        """
        with self.course.gradebook() as gradebook:
            try:
                highest = gradebook.find_assignment(self.assignment).max_score
            except MissingEntry:
                return []
            known = scores(gradebook, self.assignment)
            waiting = unread(gradebook, self.assignment)
        found = []
        for student in students:
            result = self.read(student)[1]
            if result is None or (student not in known and result.status not in WITHOUT_SCORE):
                continue  # what the gradebook has lost is no score of 0
            result.max_score = highest
            result.waiting = waiting.get(student, [])
            if student in known:
                result.score, result.needs_manual, penalty = known[student]
                if result.status == "failed" and not result.points:
                    result.needs_manual, result.waiting = False, []  # nothing is there to be read
                if penalty:
                    late = f"handed in late: {penalty:g} points less"
                    result.reason = "; ".join(filter(None, (result.reason, late)))
            found.append(result)
        return found


def _put_back(place: Path, aside: Path, there: bool) -> None:
    """Make a folder what it was, before it was put aside and another one moved to its place."""
    if aside.exists() or not there:
        shutil.rmtree(place, ignore_errors=True)
    if aside.exists():
        shutil.move(aside, place)


def scores(gradebook, assignment: str) -> dict[str, tuple[float, bool, float]]:
    """Each student's score, whether a written answer waits for a person, and the late penalty.

    The penalty is taken off the score, as ``nbgrader export`` does it.
    """
    found = SubmittedAssignment
    rows = (
        gradebook.db.query(
            Student.id, found.score, found.needs_manual_grade, found.late_submission_penalty
        )
        .join(SubmittedAssignment, SubmittedAssignment.student_id == Student.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(Assignment.name == assignment)
    )
    return {
        student: (max(0.0, score - penalty), bool(waits), penalty)
        for student, score, waits, penalty in rows
    }


def unread(gradebook, assignment: str) -> dict[str, list[str]]:
    """The written answers of each student that wait for a person, by their names."""
    rows = (
        gradebook.db.query(SubmittedAssignment.student_id, BaseCell.name)
        .select_from(Grade)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(Assignment.name == assignment, Grade.needs_manual_grade)
        .order_by(BaseCell.name)
    )
    found: dict[str, list[str]] = {}
    for student, name in rows:
        found.setdefault(student, []).append(name)
    return found


def changes(before: Result, after: Result) -> list[str]:
    """Why a score moved: one line for each check whose points differ.

    >>> changes(Result("a", "ada", points={"t": 2}), Result("a", "ada", messages={"t": "f(0)"},
    ...         points={"t": 0}))
    ['t: 2 → 0 points (f(0))']
    """
    lines = []
    if before.status != after.status:
        lines.append(f"{before.status} → {after.status} {after.reason}".rstrip())
    for name in dict.fromkeys([*before.points, *after.points]):
        old, new = before.points.get(name), after.points.get(name)
        if old == new:
            continue
        said = after.messages.get(name) or before.messages.get(name) or ""
        moved = f"{_number(old)} → {_number(new)} points"
        lines.append(f"{name}: {moved} ({' '.join(said.split())})" if said else f"{name}: {moved}")
    return lines


def _number(points: float | None) -> str:
    return "no" if points is None else f"{points:g}"
