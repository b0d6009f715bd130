"""The command `report`: grades for other programs, and a page on the class and the tests."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from nbgrader.api import MissingEntry

from grading import grade
from grading.commands import Answer, nothing_graded
from grading.course import Course, CourseError, write_atomically
from grading.csv_files import (
    FORMATS,
    Identity,
    canvas_csv,
    identities,
    left_empty,
    moodle_csv,
    plain_csv,
)
from grading.item_analysis import SMALL_CLASS, Statistics, analyse
from grading.out_of_date import out_of_date, told
from grading.report_page import page, points
from grading.results import Result
from grading.submitted import Submitted

HELP = "write the grades as CSV (plain, Canvas, Moodle), and a page on the class and the tests"
DESCRIPTION = """\
Write what is graded, without grading anything:

  reports/ASSIGNMENT.csv         everything: score, status, reason, the points of each test
  reports/ASSIGNMENT-canvas.csv  for Canvas: Grades, Import
  reports/ASSIGNMENT-moodle.csv  for Moodle, in English: Upload grading worksheet
  reports/ASSIGNMENT.html        how the class did, and which tests to look at

A grade that is not final (a written answer waits, refused, failed) is empty for Canvas and Moodle.
Moodle then keeps the grade it has; Canvas would remove it, and shows that before you agree. Moodle
skips grades above the maximum it knows, and, unless you tick the box for records modified more
recently, those of students it has a grade for. Moodle's file holds status and reason as feedback;
Canvas's has none: Canvas would take a further column for another assignment.

  python -m grading report signals --format canvas --canvas-column "Signals (4711)"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which assignments, which files, where."""
    parser.add_argument("assignment", nargs="*", help="default: all assignments")
    parser.add_argument("--format", choices=FORMATS, help="write this CSV alone (default: all)")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where to write (default: reports)"
    )
    parser.add_argument(
        "--include-unfinished",
        action="store_true",
        help="give Canvas and Moodle the points so far where the grade is not final",
    )
    parser.add_argument(
        "--canvas-column",
        metavar="TITLE",
        help="the assignment's title in Canvas, or its column in Canvas's export, 'title (number)' "
        "(default: the assignment's name)",
    )
    parser.add_argument(
        "--anonymous", action="store_true", help="no names on the page (the CSV files have them)"
    )


def run(course: Course, options: argparse.Namespace) -> Iterator[Answer]:
    """Write the files of each assignment.

    Raises:
        CourseError: if an argument does not fit.
    """
    assignments = course.choose(options.assignment)
    folder = options.output or course.root / "reports"
    if folder.exists() and not folder.is_dir():
        raise CourseError(f"--output {folder} is a file; name a folder")
    if options.canvas_column and len(assignments) > 1:
        raise CourseError(
            f"--canvas-column {options.canvas_column!r} is the title of one assignment; "
            f"name that one (this is about {len(assignments)})"
        )
    found = False
    for assignment in assignments:
        results = grade.stored_results(course, assignment)
        students = course.students(assignment)
        if results:
            answer = _report(course, assignment, results, folder, options)
        elif options.assignment or students:
            answer = nothing_graded(assignment, bool(options.assignment), files={}, statistics=None)
        else:
            continue
        old = out_of_date(course, assignment, students)
        text = "\n".join([answer.text, *told(assignment, old)])
        yield replace(answer, text=text, data=answer.data | {"out of date": old})
        found = True
    if not found:
        yield nothing_graded()


def _report(
    course: Course, assignment: str, results: list[Result], folder: Path, options
) -> Answer:
    names, max_points = _gradebook(course, assignment)
    collected = Submitted(course, dry_run=True).people(assignment)
    people = identities([result.student for result in results], collected, names)
    found = analyse(results, max_points)
    unfinished = options.include_unfinished
    column = options.canvas_column or assignment
    html = page(found, results, people, title=assignment, anonymous=options.anonymous)
    content = {
        "plain": (f"{assignment}.csv", plain_csv(results, people)),
        "canvas": (f"{assignment}-canvas.csv", canvas_csv(results, people, column, unfinished)),
        "moodle": (f"{assignment}-moodle.csv", moodle_csv(results, people, unfinished)),
        "page": (f"{assignment}.html", html.encode("utf-8")),
    }
    chosen = [options.format] if options.format else list(content)
    files = {}
    for kind in chosen:
        name, text = content[kind]
        write_atomically(folder / name, text)
        files[kind] = _shown(folder / name, course.root)
    ungraded = len(set(course.students(assignment)) - set(people))
    lines = [*_summary(assignment, found), *_cautions(results, people, chosen, unfinished)]
    if ungraded:
        lines.append(f"  handed in, not graded yet, and in none of the files: {ungraded}")
    lines += [f"  {path}" for path in files.values()]
    empty = left_empty(results)
    data = {"assignment": assignment, "files": files, "unfinished": empty, "ungraded": ungraded}
    return Answer("\n".join(lines), data | {"statistics": asdict(found)})


def _gradebook(course: Course, assignment: str) -> tuple[dict[str, str], dict[str, float]]:
    """The students' names, and the points of each test."""
    with course.gradebook() as gradebook:
        names = {
            student.id: " ".join(filter(None, (student.first_name, student.last_name)))
            for student in gradebook.students
        }
        try:
            notebooks = gradebook.find_assignment(assignment).notebooks
        except MissingEntry:
            return names, {}
        cells = [cell for notebook in notebooks for cell in notebook.grade_cells]
        return names, {cell.name: cell.max_score for cell in cells}


def _summary(assignment: str, found: Statistics) -> list[str]:
    endings = ", ".join(f"{ending}: {count}" for ending, count in found.endings.items())
    lines = [f"{assignment}: {found.submissions} submissions ({endings})"]
    if found.mean is not None:
        mean, median, most = map(points, (found.mean, found.median, found.max_score))
        few = f"; fewer than {SMALL_CLASS} tell little" if found.counted < SMALL_CLASS else ""
        lines.append(f"  mean {mean}, median {median} of {most} points{few}")
    return lines + [f"  {item.name}: {flag}" for item in found.items for flag in item.flags]


def _cautions(
    results: list[Result], people: dict[str, Identity], chosen: list[str], unfinished: bool
) -> list[str]:
    """What the platforms will not take, or take as it is not."""
    lines = []
    if empty := left_empty(results):
        why = ", ".join(f"{reason}: {count}" for reason, count in empty.items())
        what = "written though not final" if unfinished else "left empty for Canvas and Moodle"
        more = "" if unfinished else "; --include-unfinished writes the points so far"
        lines.append(f"  grades {what}: {sum(empty.values())} ({why}){more}")
    consequence = {
        "canvas": "Canvas looks for their ids here among its logins",
        "moodle": "Moodle will skip them; `collect` from the zip that Moodle makes",
    }
    for platform, what in consequence.items():
        lost = sum(not people[result.student].number_on(platform) for result in results)
        if platform in chosen and lost:
            lines.append(f"  without a number of {platform.title()}: {lost}; {what}")
    return lines


def _shown(path: Path, root: Path) -> str:
    """A path as short as it can be said."""
    path = path.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
