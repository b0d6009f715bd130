"""The command line: ``python -m grading --help``."""

import argparse
import os
import sys
from dataclasses import asdict
from json import dumps
from pathlib import Path

from grading.answers import AnswerError
from grading.audit import audit
from grading.course import Course, CourseError, write_atomically
from grading.grade import grade, nothing_submitted
from grading.release import release
from grading.report import audit_markdown, audit_table, table
from grading.sample import find_answers, sample_class

DESCRIPTION = """\
Hand out assignments, grade what comes back, and say why.

  python -m grading release              1. solutions/ -> release/: hand out these folders
                                         2. put what comes back at
                                            submitted/<student>/<assignment>/<assignment>.ipynb
  python -m grading grade                3. submitted/ -> autograded/ and gradebook.db
  formgrader, in JupyterLab              4. read the written answers
  nbgrader generate_feedback ASSIGNMENT  5. autograded/ -> feedback/: give these pages back
  nbgrader export                        6. gradebook.db -> grades.csv

Each of these does only what is not up to date. Stop it whenever you like: started again, it goes on
where it was.

  python -m grading sample               a small class of made-up students, to see how it works
  python -m grading audit                proof that the tests judge answers as they should"""


def parser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    result = argparse.ArgumentParser(
        prog="python -m grading",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--course", default=".", metavar="FOLDER", help="where nbgrader_config.py is (default: .)"
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for function, text in (
        (run_release, "make the student version of the assignments, and check that nothing leaks"),
        (run_grade, "grade all that is in submitted/, and print who lost points where"),
        (run_sample, "grade a sample class, to see how it works without any student"),
        (run_audit, "prove the graders: right and wrong answers must get their points and words"),
    ):
        command = commands.add_parser(
            function.__name__.removeprefix("run_"), help=text, description=f"{text}."
        )
        command.add_argument("assignment", nargs="*", help="default: all assignments")
        command.set_defaults(function=function)
        if function is run_audit:
            jobs = {"type": positive, "default": os.cpu_count(), "metavar": "N"}
            command.add_argument("--jobs", **jobs, help="processes at work (default: all cores)")
            command.add_argument("--json", action="store_true", help="print JSON, not tables")
            file = {"type": Path, "metavar": "FILE"}
            command.add_argument("--markdown", **file, help="also write the tables for the book")
    return result


def positive(text: str) -> int:
    """A number from 1 up."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up, got {text!r}")
    return number


def run_release(course: Course, assignments: list[str]) -> None:
    """Release assignments, and say which were made anew."""
    for assignment in assignments:
        made = release(course, assignment)
        folder = course.folder("release", assignment).relative_to(course.root)
        print(f"{folder}: {'made' if made else 'up to date'}")


def run_grade(course: Course, assignments: list[str]) -> None:
    """Grade what was submitted, and print a table for each assignment."""
    submitted = [assignment for assignment in assignments if course.students(assignment)]
    for path in course.misplaced():
        print(f"not graded: {path}; move it to submitted/<student>/<assignment>/<assignment>.ipynb")
    if not submitted:
        print(nothing_submitted(course, assignments))
    for assignment in submitted:
        print(f"\n{assignment}\n{table(grade(course, assignment))}")


def run_sample(course: Course, assignments: list[str]) -> None:
    """Grade the sample class, and print a table for each assignment."""
    for assignment in assignments:
        answers = [answer for answer in find_answers(course, assignment) if answer.sample]
        sample, results = sample_class(course, assignment, answers)
        print(f"\n{assignment}\n{table(results)}\n")
        place = sample.root.relative_to(course.root)
        page = place / "feedback" / "<student>" / assignment / f"{assignment}.html"
        print(f"What each student gets back: {page}")
        print(f"The class in formgrader: cd {place} && jupyter lab")


def run_audit(
    course: Course, assignments: list[str], jobs: int, json: bool, markdown: Path | None
) -> bool:
    """Audit assignments, and print what was found; return whether all went as it must."""
    if markdown and not markdown.resolve().parent.is_dir():
        raise CourseError(f"--markdown {markdown}: there is no folder {markdown.parent}; make it")
    audits = []
    for found in audit(course, assignments, jobs=jobs, progress=not json):
        audits.append(found)
        if not json:
            print(f"\n{audit_table(found)}")
    if json:
        print(dumps({"audits": [asdict(found) for found in audits]}, indent=2))
    passed = not any(found.misses for found in audits)
    if markdown and passed:
        write_atomically(markdown, audit_markdown(audits).encode())
    return passed


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status."""
    options = vars(parser().parse_args(arguments))
    function, _ = options.pop("function"), options.pop("command")
    try:
        course = Course(options.pop("course"))
        passed = function(course, course.choose(options.pop("assignment")), **options)
    except (CourseError, AnswerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{place}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = "" if function is run_audit else "; start it again and it goes on where it was"
        print(f"\nstopped{again}", file=sys.stderr)
        return 130
    return 1 if passed is False else 0


if __name__ == "__main__":
    sys.exit(main())
