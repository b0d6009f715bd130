"""`release`: the student version of assignments."""

import argparse
from collections.abc import Iterator

from grading.commands import Answer
from grading.course import Course
from grading.release import release, write_zip

HELP = "make the student version of assignments, and a zip of each to hand out"
DESCRIPTION = """\
Makes the student version of the assignments named, or of all: release/<assignment>/ without
solutions and hidden tests, and release/<assignment>.zip with the same, to hand out.

It refuses an assignment in which anything of a solution, a hidden test or a rubric is left, in a
notebook or in another text, and names the cell. The old version stays until the new one is checked.
What is up to date stays, too.

  python -m grading release digits_0_to_4"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The assignments."""
    parser.add_argument("assignment", nargs="*", help="default: all assignments")


def run(course: Course, options: argparse.Namespace) -> Iterator[Answer]:
    """Release assignments, and say which were made anew."""
    for assignment in course.choose(options.assignment):
        made = release(course, assignment)
        archive = write_zip(course, assignment)
        folder = course.folder("release", assignment).relative_to(course.root)
        packed = archive.relative_to(course.root)
        data = {"assignment": assignment, "made": made, "folder": str(folder), "zip": str(packed)}
        yield Answer(f"{folder}: {'made' if made else 'up to date'}; {packed}", data)
