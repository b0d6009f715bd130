"""``python -m grading collect``: from the exports of learning platforms to submitted/."""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from grading.archives import MB, Limits
from grading.collect import collect
from grading.commands import Answer
from grading.course import Course, CourseError
from grading.finds import STATUSES, Line
from grading.results import plain_line

HELP = "take what students handed in from folders or zips of nbgrader, Moodle or Canvas"
DESCRIPTION = """\
Copy the notebooks that students handed in to submitted/<student>/<assignment>/, whatever the
platform or the student named them. PATH is a folder or a zip as the platform exported it; it is
not changed. The student is found from the platform's name, the assignment from the cells.

Files beside a notebook, or in folders below it, come along under their own names: the notebook may
need them. Other notebooks, archives and what lies elsewhere do not. A student may bring 500 MB;
grading uses of it what c.Intake.folder_size and c.Intake.folder_files allow, 100 MB in 200 files.

  python -m grading collect ~/Downloads/Signals-12345.zip
      everything in one export: from Moodle, Canvas, nbgrader, or files named after students

  python -m grading collect --dry-run monday.zip tuesday/ signals
      what would be taken for the assignment signals from two exports; writes nothing

What was there before and differs moves to submitted/.earlier/. Names and numbers, with which scores
go back to the platform, are kept in submitted/.collected.json. A table says what was taken, what
was not, and why; --json names every file. Stopped or repeated, it takes only what is not there yet.

Moodle numbers its participants anew in each assignment. The first id that a student gets here stays
the student's: later assignments are assigned by the full name. If two students have one full name
and that cannot tell them apart, their files are not taken: write the student's id in place of the
name, as in ada_lovelace_12_28_assignsubmission_file_. Where Moodle hides the names, each number is
a student of its own.

A time counts for late penalties if nbgrader wrote it: in the name of a folder of its exchange, or
else as <student>/<assignment>/timestamp.txt. That file holds a date with a time, for instance
2030-01-31 12:00:00 UTC or 2030-01-31T13:00+01:00; without a zone it is UTC. One within what a
student uploaded does not count."""

MOST = 10  # lines of a student for what was not taken
WIDEST = {"student": 40, "assignment": 30, "file": 60}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe what `run` takes."""
    parser.add_argument("path", metavar="PATH", help="a folder or zip as a platform exported it")
    parser.add_argument(
        "more",
        nargs="*",
        default=[],  # without it the usage says that one is required
        metavar="ASSIGNMENT",
        help="take these assignments only (default: all); further folders and zips may stand "
        "here too (one that is named as an assignment: ./NAME)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument(
        "--max-size",
        type=_megabytes,
        default=Limits.notebook // MB,
        metavar="MB",
        help="the largest notebook that is taken (default: %(default)s)",
    )


def _megabytes(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of MB from 1 up, got {text!r}")
    return number


def run(course: Course, options: argparse.Namespace) -> Iterator[Answer]:
    """Collect, and say what became of each file."""
    paths, assignments = _sort_out(course, options.path, options.more)
    lines = collect(
        course,
        paths,
        assignments,
        dry_run=options.dry_run,
        limits=Limits(notebook=options.max_size * MB),
        progress=not getattr(options, "json", False),
    )
    counts = dict.fromkeys(STATUSES, 0) | Counter(line.status for line in lines)
    data = {"dry_run": options.dry_run, "counts": counts, "files": [asdict(line) for line in lines]}
    there = counts["taken"] + counts["replaced"] + counts["unchanged"]
    yield Answer(_report(lines, counts, options.dry_run), data, passed=there > 0)


def _sort_out(course: Course, path: str, more: list[str]) -> tuple[list[Path], list[str]]:
    """Tell paths from assignments: what an assignment is named is one, unless it comes first."""
    known = course.assignments()
    paths, assignments = [Path(path)], []
    for name in more:
        if name in known:
            assignments.append(name)
        elif Path(name).exists():
            paths.append(Path(name))
        else:
            raise CourseError(
                f"{name!r} is no assignment, and no folder or zip; the assignments are: "
                f"{', '.join(known)}"
            )
    return paths, assignments


def _report(lines: list[Line], counts: dict[str, int], dry_run: bool) -> str:
    """The table and the counts.

    >>> counts = {"taken": 0, "not taken": 1}
    >>> print(_report([Line("ada/toy.pdf", "not taken", "a .pdf file", "ada")], counts, False))
    student  assignment  what       file         reason
    ada                  not taken  ada/toy.pdf  a .pdf file
    <BLANKLINE>
    1 not taken
    """
    rows = [("student", "assignment", "what", "file", "reason")]
    for student, group in groupby(lines, key=attrgetter("student")):
        rows += _rows(student, [line for line in group if line.status != "ignored"])
    sizes = [max(len(row[n]) for row in rows) for n in range(4)]
    table = [
        "  ".join([*(f"{row[n]:<{sizes[n]}}" for n in range(4)), row[4]]).rstrip() for row in rows
    ]
    ignored = counts.get("ignored", 0)
    found = [f"{number} {status}" for status, number in counts.items() if number]
    if ignored:
        found[-1] = f"{ignored} other file{'s' * (ignored > 1)} ignored"
    end = ", ".join(found) or "nothing was found"
    note = "\nNothing was written: this was a dry run." if dry_run else ""
    return "\n".join([*(table if len(table) > 1 else []), "", end]).lstrip("\n") + note


def _rows(student: str, lines: list[Line]) -> list[tuple]:
    """The table's rows for one student; of many files that were not taken only the first."""
    refused = [line for line in lines if line.status == "not taken"]
    more = refused[MOST:] if student else []  # without a name these are of several students
    name = _fit(student, WIDEST["student"])
    rows = [
        (
            name,
            _fit(_target(x), WIDEST["assignment"]),
            x.status,
            _fit(x.path, WIDEST["file"]),
            _why(x),
        )
        for x in lines
        if not more or x.status != "not taken" or x in refused[:MOST]
    ]
    if more:
        rows.append((name, "", "not taken", f"{len(more):,} more", "--json names them"))
    return rows


def _why(line: Line) -> str:
    """What is to be said of a file: whether it was late, what came along, why it was not taken."""
    late = "late" if line.late and line.status in ("taken", "replaced") else ""
    count = len(line.files)
    files = f"with {count:,} other file{'s' * (count > 1)}" if count else ""
    return "; ".join(filter(None, (late, files, _fit(line.reason, 300))))


def _target(line: Line) -> str:
    same = line.notebook in ("", line.assignment)
    return line.assignment if same else f"{line.assignment}/{line.notebook}"


def _fit(text: str, width: int) -> str:
    """One line of at most ``width`` characters; of a long path both ends stay."""
    text = plain_line(text)
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[head + 1 - width :]}"
