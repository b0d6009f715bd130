"""Grade all that was handed in; each submission ends with a score, a status and a reason."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import nbformat
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from nbgrader.converters import Autograde
from nbgrader.utils import is_grade, is_solution
from tqdm import tqdm

from grading.course import Course, CourseError
from grading.gradebook import mend_gradebook


@dataclass
class Result:
    """What became of one submission.

    Attributes:
        status: ``graded``, ``timed out``, ``crashed``, ``refused`` or ``failed``.
        reason: why the status is not ``graded``; else empty.
        needs_manual: whether a person has to read a written answer.
        score: points so far, those given by hand included.
        max_score: points that there are.
        points: the automatic points of each test cell, by ``grade_id``.
        messages: what the student is told, by the ``grade_id`` of the failed cell, in the order
            of the notebook.
    """

    assignment: str
    student: str
    status: str = "graded"
    reason: str = ""
    needs_manual: bool = False
    score: float = 0.0
    max_score: float = 0.0
    points: dict[str, float] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """The reason, then one line for each message."""
        lines = [self.reason] if self.reason else []
        for name, message in self.messages.items():
            if not message.startswith("NotRun:"):
                lines.append(f"{name}: {' '.join(message.split())}")
        return lines


def grade(course: Course, assignment: str, *, progress: bool = True) -> list[Result]:
    """Grade every submission of one assignment that is new or changed.

    A submission is graded again if its files, the assignment, the configuration, the grader,
    `deeplearn` or the data set changed. One that fails is tried again each time.

    Raises:
        CourseError: if the assignment was not released from this gradebook.
    """
    mend_gradebook(course.directory.db_url)
    if not course.in_gradebook(assignment):
        raise CourseError(
            f"{assignment} is not in the gradebook; run `python -m grading release {assignment}`"
        )
    students = course.students(assignment)
    # Nothing is printed where all is up to date.
    todo = [student for student in students if not _is_graded(course, assignment, student)]
    for student in tqdm(todo, desc=f"grading {assignment}", disable=not progress or not todo):
        _grade_one(course, assignment, student)
    return [result(course, assignment, student) for student in students]


def _stamp(assignment: str, student: str) -> str:
    return f"grade-{assignment}-{student}"


def _key(course: Course, assignment: str, student: str) -> str:
    submitted = course.folder("submitted", assignment, student)
    return course.key(submitted, course.folder("source", assignment))


def _is_graded(course: Course, assignment: str, student: str) -> bool:
    stamp = course.read_stamp(_stamp(assignment, student))
    if stamp.get("key") != _key(course, assignment, student) or "status" in stamp:
        return False
    autograded = course.folder("autograded", assignment, student)
    with course.gradebook() as gradebook:
        try:
            gradebook.find_submission(assignment, student)
        except MissingEntry:
            return False
    return all((autograded / f"{name}.ipynb").is_file() for name in course.notebooks(assignment))


def _grade_one(course: Course, assignment: str, student: str) -> None:
    """Run nbgrader's autograde on one submission, and write down how that ended."""
    ending = {"key": _key(course, assignment, student)}
    there = sorted(path.name for path in course.folder("submitted", assignment, student).iterdir())
    missing = [f"{name}.ipynb" for name in course.notebooks(assignment)]
    missing = [name for name in missing if name not in there]
    if missing:
        reason = f"there is no {missing[0]}, but {', '.join(there) or 'nothing'}"
        ending |= {"status": "refused", "reason": reason}
        with course.gradebook() as gradebook:
            gradebook.update_or_create_student(student)
            gradebook.update_or_create_submission(assignment, student)
    else:
        try:
            course.run(Autograde, assignment, student)
        except CourseError as error:
            ending |= {"status": "failed", "reason": str(error)}
    course.write_stamp(_stamp(assignment, student), **ending)


def result(course: Course, assignment: str, student: str) -> Result:
    """Read what became of one submission from the gradebook and the graded notebook."""
    found = Result(assignment, student)
    ending = course.read_stamp(_stamp(assignment, student))
    with course.gradebook() as gradebook:
        found.max_score = gradebook.find_assignment(assignment).max_score
        if "status" in ending:
            found.status, found.reason = ending["status"], ending["reason"]
            return found
        submission = gradebook.find_submission(assignment, student)
        found.score = submission.score
        found.needs_manual = bool(submission.needs_manual_grade)
        automatic = {
            grade.name: grade.auto_score for book in submission.notebooks for grade in book.grades
        }
    for name in course.notebooks(assignment):
        path = course.folder("autograded", assignment, student) / f"{name}.ipynb"
        nb = nbformat.read(path, as_version=4)
        ending = nb.metadata.get("grading", {})
        found.status = ending.get("status", found.status)
        found.reason = ending.get("reason", found.reason)
        for cell in nb.cells:
            _read_cell(cell, automatic, found)
    return found


def _read_cell(cell: NotebookNode, automatic: dict[str, float], found: Result) -> None:
    name = cell.metadata.get("nbgrader", {}).get("grade_id")
    if cell.cell_type != "code":
        return
    if is_grade(cell) and not is_solution(cell):
        found.points[name] = automatic.get(name) or 0.0
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if errors:
        text = strip_ansi(errors[-1].evalue).strip()
        # An assertion's message speaks for itself; any other error needs its name.
        named = not text or errors[-1].ename != "AssertionError"
        message = f"{errors[-1].ename}: {text}".rstrip(": ") if named else text
        found.messages.setdefault(name or "a cell that you added", message)


def nothing_submitted(course: Course, assignments: Iterable[str]) -> str:
    """One line on what to do, for a course to which nobody has handed in anything yet."""
    where = f"{course.directory.submitted_directory}/<student>/<assignment>/<assignment>.ipynb"
    return f"nothing is submitted for {', '.join(assignments)}; put the notebooks at {where}"
