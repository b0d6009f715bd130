"""Which stored results are not those of what lies there now; nothing is graded to find out."""

from collections.abc import Iterable

from grading.course import Course
from grading.environment import package_files
from grading.intake import Intake
from grading.ledger import Ledger, scores
from grading.results import plain_line
from grading.settings import check_settings
from grading.task import fingerprint

CHANGED = "handed in anew, not graded yet"
DAMAGED = "not graded, since the stored result cannot be read"
LOST = "not in the gradebook"


def out_of_date(course: Course, assignment: str, students: Iterable[str]) -> dict[str, list[str]]:
    """The students whose result does not hold now, by the reason.

    Raises:
        CourseError: if a setting of ours is wrong.
    """
    check_settings(course.settings)
    ledger, intake = Ledger(course, assignment), Intake(config=course.settings)
    names = course.notebooks(assignment)
    given = package_files(course.folder("source", assignment))
    with course.gradebook() as gradebook:
        entered = scores(gradebook, assignment)
    found: dict[str, list[str]] = {}
    for student in students:
        key = ledger.read(student)[0]
        if ledger.is_damaged(student):
            found.setdefault(DAMAGED, []).append(student)
        elif key and student not in entered:
            found.setdefault(LOST, []).append(student)
        elif key:  # it ends with the fingerprint of what was graded
            now = intake.take(course.folder("submitted", assignment, student), names, given)
            if not key.endswith(f" {fingerprint(now)}"):
                found.setdefault(CHANGED, []).append(student)
    return found


def told(assignment: str, found: dict[str, list[str]]) -> list[str]:
    """A line for each reason, with what to do."""
    cure = f"run `python -m grading grade {assignment}`"
    return [
        f"  {reason}: {', '.join(map(plain_line, students))}; {cure}"
        for reason, students in found.items()
    ]
