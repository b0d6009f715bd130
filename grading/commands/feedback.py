"""`feedback`: a page for each student."""

import argparse
from collections.abc import Iterator

from tqdm import tqdm

from grading.commands import Answer, nothing_graded
from grading.commands.grade import who_handed_in
from grading.course import Course
from grading.feedback import write_feedback
from grading.late import renew_penalties
from grading.ledger import scores
from grading.out_of_date import out_of_date, told
from grading.results import plain_line
from grading.student_ids import bad_id

HELP = "make a page for each student: questions, points, messages, your comments"
DESCRIPTION = """\
Writes feedback/<student>/<assignment>/<assignment>.html for each graded submission: the questions,
the points, the message of each test that failed, and what you wrote in formgrader. Hidden tests are
not shown, and no script that a student wrote runs. Pages that are up to date stay.

  python -m grading feedback digits_0_to_4"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The assignments and students."""
    parser.add_argument("assignment", nargs="*", help="default: all assignments")
    parser.add_argument(
        "--student", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )


def run(course: Course, options: argparse.Namespace) -> Iterator[Answer]:
    """Write the pages of all that is graded, and say who gets none.

    Raises:
        CourseError: if a student who was named handed in nothing.
    """
    assignments = course.choose(options.assignment)
    submitted = who_handed_in(course, assignments, options.student)
    found = False
    for assignment in assignments:
        students = submitted.get(assignment, [])
        graded = [s for s in students if not bad_id(s) and _is_graded(course, assignment, s)]
        if graded:
            renew_penalties(course, assignment)
            closed = [] if options.student else course.closed_folders()
            others = sorted({*students, *closed}.difference(graded))
            none = _without_page(assignment, others, closed)
            lost = _not_entered(course, assignment, graded)
            graded = [student for student in graded if student not in lost]
            answer = _write(course, assignment, graded, none | lost, progress=not options.json)
            old = out_of_date(course, assignment, graded)
            text = "\n".join([answer.text, *told(assignment, old)])
            yield Answer(text, answer.data | {"out of date": old}, passed=not lost)
        elif students or options.assignment:
            yield nothing_graded(assignment, bool(options.assignment), students=[], written=0)
        else:
            continue
        found = True
    if not found:
        yield nothing_graded()


def _is_graded(course: Course, assignment: str, student: str) -> bool:
    return course.folder("autograded", assignment, student).is_dir()


def _without_page(assignment: str, students: list[str], closed: list[str]) -> dict[str, str]:
    """Why each of these gets no page."""
    ungraded = f"not graded yet: run `python -m grading grade {assignment}`"
    unread = "the student's folder cannot be read: give yourself the right to"
    return {s: bad_id(s) or (unread if s in closed else ungraded) for s in students}


def _not_entered(course: Course, assignment: str, students: list[str]) -> dict[str, str]:
    """Those of these students whom the gradebook does not know, and what to do."""
    with course.gradebook() as gradebook:
        entered = scores(gradebook, assignment)
    cure = f"is not in the gradebook: run `python -m grading grade {assignment}`"
    return {student: cure for student in students if student not in entered}


def _write(
    course: Course, assignment: str, students: list[str], none: dict[str, str], progress: bool
) -> Answer:
    """Write the pages of one assignment."""
    made = 0
    hidden = not (progress and students)
    for student in tqdm(students, desc="feedback", disable=hidden, leave=False):
        made += write_feedback(course, assignment, student)
    lines = [
        f"{assignment}: {made} pages written, {len(students) - made} up to date, "
        f"in feedback/<student>/{assignment}/"
    ]
    if none:
        lines.append(f"  without a page: {len(none)} of {len(students) + len(none)}")
        lines += [f"  {plain_line(student)}: {reason}" for student, reason in none.items()]
    data = {"assignment": assignment, "students": students, "written": made, "without page": none}
    return Answer("\n".join(lines), data)
