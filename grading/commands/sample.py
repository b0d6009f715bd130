"""`sample`: a class of made-up students."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from grading.commands import Answer
from grading.course import Course
from grading.report import table
from grading.sample import find_answers, sample_class

HELP = "grade a sample class, to see how it works without any student"
DESCRIPTION = """\
Grades a small class of made-up students, with right, wrong and broken answers, in a course folder
of its own below _build/sample_class/. Your own class is not touched."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The assignments."""
    parser.add_argument("assignment", nargs="*", help="default: all assignments")


def run(course: Course, options: argparse.Namespace) -> Iterator[Answer]:
    """Grade the sample class, with a table for each assignment."""
    for assignment in course.choose(options.assignment):
        answers = [answer for answer in find_answers(course, assignment) if answer.sample]
        sample, results = sample_class(course, assignment, answers, progress=not options.json)
        place = sample.root.relative_to(course.root)
        page = place / "feedback" / "<student>" / assignment / f"{assignment}.html"
        text = (
            f"\n{assignment}\n{table(results)}\n\nWhat each student gets back: {page}\n"
            f"The class in formgrader: cd {place} && jupyter lab"
        )
        submissions = [asdict(result) for result in results]
        yield Answer(text, {"assignment": assignment, "submissions": submissions})
