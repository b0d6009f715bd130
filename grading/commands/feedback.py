"""`feedback`: a page for each student."""

import argparse
from collections.abc import Iterator

from tqdm import tqdm

from grading.commands import Answer
from grading.course import Course
from grading.feedback import write_feedback

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
    """Write the pages of all that is graded."""
    for assignment in course.choose(options.assignment):
        students = [
            student
            for student in course.students(assignment)
            if course.folder("autograded", assignment, student).is_dir()
            and (not options.student or student in options.student)
        ]
        made = 0
        for student in tqdm(students, desc="feedback", disable=options.json, leave=False):
            made += write_feedback(course, assignment, student)
        if students or options.assignment:
            text = f"{assignment}: {made} pages written, {len(students) - made} up to date"
            data = {"assignment": assignment, "students": students, "written": made}
            yield Answer(f"{text}, in feedback/<student>/{assignment}/", data)
