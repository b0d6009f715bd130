"""`grade`: grade a class."""

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from grading.commands import Answer
from grading.course import Course, CourseError
from grading.grade import grade, nothing_submitted
from grading.report import moved_table, summary, table
from grading.results import Result, plain_line

HELP = "grade what is in submitted/, and print who lost points where, and why"
DESCRIPTION = """\
Grades each submission that is new or changed, and prints a table: student, score, status, reasons.

Submissions run side by side, each in isolation: no network, no other submission, nothing of the
course, with limits that nbgrader_config.py sets. Where this machine cannot isolate, nothing is
graded: `python -m grading doctor` says what is missing, and --no-sandbox goes on without.

Every submission ends with a score and one of these:
  graded                 all was run and scored
  needs manual grading   the rest is scored; a written answer waits for you, in formgrader
  timed out              it ran too long; what was earned before counts
  out of memory          it needed more than it may; what was earned before counts
  crashed                its kernel died; what was earned before counts
  refused                it could not be read; the reason says why
  failed                 grading itself went wrong; it is tried again the next time (the exit
                         status is 1)

Stop it whenever you like: started again, it goes on where it was. Points given by hand stay.

  python -m grading grade digits_0_to_4 --jobs 4
  python -m grading grade digits_0_to_4 --student ada --force
  python -m grading grade --diff            after a test was mended: whose score moved, and why"""


DIFF = "say whose score is another than before this run, and why (also with --force)"


def positive(text: str) -> int:
    """A number from 1 up."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up, got {text!r}")
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to grade, and how."""
    parser.add_argument("assignment", nargs="*", help="default: all that something is handed in to")
    parser.add_argument(
        "--student", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )
    parser.add_argument("--force", action="store_true", help="also what is up to date")
    parser.add_argument(
        "--jobs", type=positive, metavar="N", default=os.cpu_count(), help="processes (all cores)"
    )
    parser.add_argument("--diff", action="store_true", help=DIFF)
    parser.add_argument(
        "--no-sandbox",
        action="store_true",
        help="run submissions with your own rights: only what you would run yourself",
    )
    parser.add_argument(
        "--scheduler", default="", metavar="ADDRESS", help="let a Dask cluster do it: tcp://…:8786"
    )


def run(course: Course, options: argparse.Namespace) -> Iterator[Answer]:
    """Grade what was submitted, with a table for each assignment."""
    assignments = course.choose(options.assignment)
    submitted = who_handed_in(course, assignments, options.student)
    for path in course.misplaced():
        cure = "move it to submitted/<student>/<assignment>/<assignment>.ipynb"
        if (course.root / path).is_symlink():
            cure = "it is a link: put there what it leads to"
        yield Answer(f"not graded: {plain_line(path)}; {cure}", _none({"not graded": path}))
    for student in course.closed_folders():
        path = f"{course.directory.submitted_directory}/{student}"
        said = f"not graded: {plain_line(path)} cannot be read; give yourself the right to"
        yield Answer(said, _none({"not graded": path}))
    if not submitted:
        text = nothing_submitted(course, assignments)
        yield Answer(text, _none({"nothing submitted": assignments}))
    for assignment, students in submitted.items():
        moved: dict[str, list[str]] = {}
        try:
            with stopped_by_signals():
                results = grade(
                    course,
                    assignment,
                    students=students if options.student else (),
                    force=options.force,
                    jobs=options.jobs,
                    sandbox=False if options.no_sandbox else None,
                    scheduler=options.scheduler,
                    progress=not options.json,
                    moved=moved,
                )
        except KeyboardInterrupt:
            if options.diff:  # the next run compares with what is graded by now
                yield Answer(f"\n{assignment}\n{moved_table(moved)}", _data(assignment, [], moved))
            raise
        text = f"\n{assignment}\n{table(results)}\n\n{summary(results)}"
        if options.diff:
            text += f"\n\n{moved_table(moved)}"
        data = _data(assignment, results, moved if options.diff else None)
        yield Answer(text, data, passed=all(result.status != "failed" for result in results))


def who_handed_in(
    course: Course, assignments: list[str], students: list[str]
) -> dict[str, list[str]]:
    """Who handed in what, of these students or of all; what nobody handed in is left out.

    Raises:
        CourseError: if one of these students handed in nothing.
    """
    everybody = {assignment: course.students(assignment) for assignment in assignments}
    for student in students:
        if not any(student in known for known in everybody.values()):
            name = assignments[0] if len(assignments) == 1 else "<assignment>"
            where = f"{course.directory.submitted_directory}/{student}/{name}"
            raise CourseError(f"--student {student}: there is no folder {where}")
    chosen = set(students)
    found = {
        assignment: [student for student in known if not chosen or student in chosen]
        for assignment, known in everybody.items()
    }
    return {assignment: known for assignment, known in found.items() if known}


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP stop grading as Ctrl-C does; after the first one it tidies up."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in map(signal.Signals.__getitem__, names)}
    # what is ignored, as under nohup, stays so; and only the main thread may set handlers
    mine = {number: old for number, old in before.items() if old != signal.SIG_IGN}
    if threading.current_thread() is not threading.main_thread():
        mine = {}

    def stop(*_) -> None:
        for number in mine:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in mine:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, old in mine.items():
            signal.signal(number, old)


def _none(why: dict) -> dict:
    """What a program is told where nothing was graded, in the form that it has for assignments."""
    return {"assignment": None, "submissions": [], **why}


def _data(assignment: str, results: list[Result], moved: dict | None) -> dict:
    rows = [asdict(r) | {"status": r.ending, "reason": r.why} for r in results]
    data = {"assignment": assignment, "submissions": rows}
    return data if moved is None else {**data, "moved": moved}
