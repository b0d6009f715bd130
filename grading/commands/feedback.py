"""`feedback`: a page for each student."""

import argparse
from collections.abc import Iterator

from tqdm import tqdm

from grading.commands import Answer, nothing_graded
from grading.commands.grade import stopped_by_signals, who_handed_in
from grading.course import Course
from grading.late import renew_penalties
from grading.ledger import scores
from grading.out_of_date import out_of_date, told
from grading.pages import FeedbackPages
from grading.results import plain_line
from grading.settings import check_settings
from grading.student_ids import bad_id

HELP = "make a page for each student: questions, points, messages, your comments"
DESCRIPTION = """\
Writes feedback/<student>/<assignment>/<assignment>.html for each graded submission: the questions,
the points, the message of each test that failed, and what you wrote in formgrader. Hidden tests are
not shown, and no script that a student wrote runs. Pages that are up to date stay.

A page that takes too long or too much memory (FeedbackPages in nbgrader_config.py sets the limits)
is left to points, messages and comments, and named.

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
        CourseError: if a student who was named handed in nothing, or a setting of ours is wrong.
    """
    check_settings(course.settings)
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
            passed = answer.passed and not lost
            yield Answer(text, answer.data | {"out of date": old}, passed=passed)
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
    pages = FeedbackPages(config=course.settings).write(course, assignment, students)
    # None: only where a person watches
    look = {"desc": "feedback", "disable": None if progress else True, "leave": False}
    with stopped_by_signals():
        found = sorted(tqdm(pages, total=len(students), **look), key=lambda page: page.student)
    missing = {page.student: page.missing for page in found if page.missing}
    short = {page.student: page.short for page in found if page.short}
    made, there = sum(page.made for page in found), len(found) - len(missing)
    lines = [
        f"{assignment}: {made} page{'' if made == 1 else 's'} written, {there - made} up to date, "
        f"in feedback/<student>/{assignment}/"
    ]
    if short:
        lines += [f"  with points and messages alone: {len(short)} of {there}", *_reasons(short)]
    none = none | missing
    if none:
        lines += [f"  without a page: {len(none)} of {there + len(none)}", *_reasons(none)]
    data = {"assignment": assignment, "students": students, "written": made}
    data |= {"points and messages alone": short, "without page": none}
    return Answer("\n".join(lines), data, passed=not missing)


def _reasons(students: dict[str, str]) -> list[str]:
    return [f"  {plain_line(student)}: {plain_line(why)}" for student, why in students.items()]
