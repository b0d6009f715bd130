"""`audit`: the proof of the graders."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from grading.audit import audit
from grading.commands import Answer
from grading.commands.grade import positive
from grading.course import Course, CourseError, write_atomically
from grading.report import audit_markdown, audit_table

HELP = "prove the graders: right and wrong answers must get their points and words"
DESCRIPTION = """\
Grades the bank of answers below tests/answers/ on the path that students' work takes. A right
answer must get full marks; a wrong one must lose the points of its mistake, and be told so.
Solutions and hidden tests are looked for in what students see. It fails if one expectation is
not met."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The assignments, and what to write."""
    parser.add_argument("assignment", nargs="*", help="default: all assignments")
    parser.add_argument(
        "--jobs", type=positive, default=os.cpu_count(), metavar="N", help="processes (all cores)"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the tables")


def run(course: Course, options: argparse.Namespace) -> Iterator[Answer]:
    """Audit assignments; the last answer says whether all went as it must."""
    markdown = options.markdown
    if markdown and not markdown.resolve().parent.is_dir():
        raise CourseError(f"--markdown {markdown}: there is no folder {markdown.parent}; make it")
    audits = []
    assignments = course.choose(options.assignment)
    for found in audit(course, assignments, jobs=options.jobs, progress=not options.json):
        audits.append(found)
        yield Answer(f"\n{audit_table(found)}", asdict(found), passed=not found.misses)
    if markdown and not any(found.misses for found in audits):
        write_atomically(markdown, audit_markdown(audits).encode())
