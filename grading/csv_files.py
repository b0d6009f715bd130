"""Grades as CSV: everything for a spreadsheet, and what Canvas and Moodle import."""

import csv
import io
import math
import re
from collections import Counter
from dataclasses import dataclass

from grading.item_analysis import shortened
from grading.results import MANUAL, Result, plain_line

FORMATS = ("plain", "canvas", "moodle")
PLAIN = ("student", "name", "score", "max_score", "status", "reason", "needs_manual")
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = (
    *("Identifier", "Full name", "Status", "Grade", "Maximum grade", "Grade can be changed"),
    *("Last modified (submission)", "Last modified (grade)", "Feedback comments"),
)
MOST_LINES = 20
# Excel reads a full-width sign as the sign, and where numbers have a decimal comma it begins a new
# cell after every semicolon, inside quotes too.
_FORMULA = re.compile(r"(^|;)(?=[\s\"]*[=+\-@＝＋－＠])")


@dataclass
class Identity:
    """Who a student is to people, and the number that a platform gave."""

    name: str
    platform: str = ""
    number: str = ""

    def number_on(self, platform: str) -> str:
        """The number on this platform, or nothing."""
        known = self.platform == platform and re.fullmatch(r"[0-9]{1,20}", self.number)
        return self.number if known else ""


def identities(
    students: list[str], collected: dict[str, dict], names: dict[str, str]
) -> dict[str, Identity]:
    """Each student's name and number, the name from the platform, the gradebook or the id.

    Args:
        students: the students' ids.
        collected: what `collect` wrote down about each of them.
        names: the names that the gradebook knows.
    """
    found = {}
    for student in students:
        record = collected.get(student, {})
        name = one_line(str(record.get("name") or names.get(student) or "")) or one_line(student)
        platform, number = record.get("platform") or "", record.get("number") or ""
        found[student] = Identity(name, str(platform), str(number))
    return found


def unfinished(result: Result) -> str:
    """Why a score is not a grade yet; empty if it is one.

    A refused submission was seen by no test: whether that is a zero is the instructor's decision.

    >>> unfinished(Result("a", "ada", status="crashed", needs_manual=True))
    'needs manual grading'
    """
    if result.status in ("refused", "failed"):
        return result.status
    if result.needs_manual:
        return MANUAL
    return "" if math.isfinite(result.score) else "score unknown"


def left_empty(results: list[Result]) -> dict[str, int]:
    """How many grades stay empty in the platforms' files, by the reason."""
    return dict(Counter(reason for reason in map(unfinished, results) if reason))


def one_line(text: str) -> str:
    """One line without control characters, the joiners of Persian and of emoji kept."""
    pieces = re.split("([\u200c\u200d])", text)
    return "".join(p if p in ("\u200c", "\u200d") else plain_line(p) for p in pieces)


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, on one line.

    An apostrophe goes before each sign that would begin a formula. A blank goes between a backslash
    and a quote: Moodle's reader, PHP's ``fgetcsv``, takes that quote for an escaped one, and what a
    student wrote could leave its cell and begin a row for somebody else.

    >>> harmless("=1+1"), harmless("a;=1"), harmless("3-1")
    ("'=1+1", "a;'=1", '3-1')
    """
    guarded = _FORMULA.sub(r"\1'", one_line(text))
    return re.sub(r'\\(?="|$)', r"\\ ", guarded)


def number(value: float) -> str:
    """A number with a decimal point, at most five decimals (as many as Moodle keeps), no exponent.

    >>> number(7.0), number(1 / 3), number(1e-9), number(float("nan"))
    ('7', '0.33333', '0', '')
    """
    if not math.isfinite(value):
        return ""
    text = f"{value:.5f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def plain_csv(results: list[Result], people: dict[str, Identity]) -> bytes:
    """Everything: a row for each submission, with status, reasons and the points of each test.

    It begins with a byte order mark: without it, Excel takes the names for another encoding. Read
    it with ``encoding="utf-8-sig"``.
    """
    tests = list(dict.fromkeys(name for result in results for name in result.points))
    rows = [[*PLAIN, *map(harmless, tests)]]
    for r in results:
        who = [harmless(r.student), harmless(people[r.student].name)]
        reason = harmless(shortened("; ".join(r.reasons[:MOST_LINES]), 2000))
        ending = [r.ending, reason, "yes" if r.needs_manual else "no"]
        points = [number(r.points[name]) if name in r.points else "" for name in tests]
        rows.append([*who, number(r.score), number(r.max_score), *ending, *points])
    return b"\xef\xbb\xbf" + _csv(rows)


def canvas_csv(
    results: list[Result],
    people: dict[str, Identity],
    column: str,
    include_unfinished: bool = False,
) -> bytes:
    """What Canvas's gradebook imports.

    As `lib/gradebook_importer.rb` of Canvas reads it: the five columns on students in this order,
    then the assignment, by its title or as Canvas exports it, ``title (number)``; a row with the
    points possible; a student found by Canvas's ID, else by the SIS Login ID. An ID is known if the
    work was collected from Canvas; else the student's id is taken for the login.

    Args:
        results: what became of each submission.
        people: who the students are.
        column: the title of the assignment in Canvas.
        include_unfinished: whether scores that are not final are written; else the cell is empty.
    """
    most = max((result.max_score for result in results), default=0.0)
    rows = [[*CANVAS, harmless(column)], ["    Points Possible", "", "", "", "", number(most)]]
    for r in results:
        person = people[r.student]
        # any row whose first cell says "Points Possible" sets the points of the assignment
        name = harmless(person.name.replace("Points Possible", "Points possible"))
        known = person.number_on("canvas")
        login = "" if known else harmless(r.student)
        rows.append([name, known, "", login, "", _grade(r, include_unfinished)])
    return _csv(rows)


def moodle_csv(
    results: list[Result], people: dict[str, Identity], include_unfinished: bool = False
) -> bytes:
    """What "Upload grading worksheet" of a Moodle assignment imports.

    As `mod/assign/feedback/offline` of Moodle reads it: it needs the columns Identifier, Grade and
    Last modified (grade), by their names in the language of the person who uploads; it finds a
    student by ``Participant <number>`` alone, skips an empty grade, and takes feedback as HTML.
    "-" for the time of the last grade protects grades that are in Moodle already, unless the box
    for updating newer records is ticked.
    """
    rows = [list(MOODLE)]
    for r in results:
        known = people[r.student].number_on("moodle")
        grade = _grade(r, include_unfinished)
        lines = [*r.reasons[:MOST_LINES], *([f"Not final: {unfinished(r)}."] * bool(unfinished(r)))]
        feedback = "<br>".join(_html(shortened(one_line(line), 500)) for line in lines)
        rows.append(
            [
                *(f"Participant {known}" if known else "", harmless(people[r.student].name)),
                *(r.ending, grade, number(r.max_score), "Yes", "-", "-"),
                harmless(feedback) if grade else "",
            ]
        )
    return _csv(rows)


def _grade(result: Result, include_unfinished: bool) -> str:
    is_final = not unfinished(result)
    return number(result.score) if is_final or include_unfinished else ""


def _html(text: str) -> str:
    """Text inside HTML; ``<=`` begins no tag and stays, since after ``;`` it would be a formula."""
    text = re.sub(r"&(?=[A-Za-z#])", "&amp;", text)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)


def _csv(rows: list[list[str]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    return stream.getvalue().encode("utf-8")
