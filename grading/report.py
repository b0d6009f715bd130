"""The table of results, fitted to the terminal."""

import shutil
import textwrap
from collections import Counter

from grading.audit import Audit
from grading.questions import Question
from grading.results import MANUAL, WITHOUT_SCORE, Result, plain_line

MOST_REASONS = 3


def table(results: list[Result], width: int | None = None) -> str:
    """One block of lines for each result: student, score, status and the first reasons.

    >>> print(table([Result("a", "ada", score=3, max_score=4, messages={"test_f": "f(0) is 1"})]))
    student  score  status  reason
    ada        3/4  graded  test_f: f(0) is 1
    """
    width = width or shutil.get_terminal_size((100, 24)).columns
    head = ("student", "score", "status", "reason")
    rows = [
        (plain_line(r.student), f"{r.score:g}/{r.max_score:g}", r.ending, _reasons(r))
        for r in results
    ]
    sizes = [max(len(head[n]), *(len(row[n]) for row in rows), 0) for n in range(3)]
    room = max(20, width - sum(sizes) - 6)
    lines = [_line(head[:3], sizes, head[3])]
    for row in rows:
        wrapped = (textwrap.wrap(text, room, max_lines=2, placeholder=" …") for text in row[3])
        reasons = [line for lines_of_reason in wrapped for line in lines_of_reason] or [""]
        lines.append(_line(row[:3], sizes, reasons[0]))
        lines += [_line(("", "", ""), sizes, text) for text in reasons[1:]]
    return "\n".join(lines)


def summary(results: list[Result]) -> str:
    """How many ended how, and who has no score; in a long table the eye misses them.

    >>> print(summary([Result("a", "ada"), Result("a", "bob", "refused"), Result("a", "cyd")]))
    3 submissions: 2 graded, 1 refused
    refused: bob
    """
    ended = Counter(result.status for result in results).most_common()
    counts = ", ".join(f"{number} {status}" for status, number in ended)
    lines = [f"{len(results)} submission{'s' * (len(results) != 1)}: {counts or 'none graded'}"]
    if unread := sum(result.needs_manual for result in results):
        lines.append(f"{MANUAL}: {unread}")
    for status in WITHOUT_SCORE:
        names = [plain_line(result.student) for result in results if result.status == status]
        lines += [f"{status}: {', '.join(names)}"] if names else []
    return "\n".join(lines)


def _line(cells: tuple[str, ...], sizes: list[int], reason: str) -> str:
    student, score, status = cells
    start = f"{student:<{sizes[0]}}  {score:>{sizes[1]}}  {status:<{sizes[2]}}"
    return f"{start}  {reason}".rstrip()


def _reasons(result: Result) -> list[str]:
    more = len(result.reasons) - MOST_REASONS
    rest = [f"… and {more} more"] if more > 0 else []
    return result.reasons[:MOST_REASONS] + rest


def moved_table(moved: dict[str, list[str]]) -> str:
    """Whose score moved, a line for each reason.

    >>> print(moved_table({"ada": ["test_f: 2 → 0 points (f(0) is 1)"]}))
    moved: 1
    ada  test_f: 2 → 0 points (f(0) is 1)
    """
    lines = [f"moved: {len(moved)}"]
    size = max(map(len, moved), default=0)
    for student, reasons in moved.items():
        lines += [f"{plain_line(student):<{size}}  {plain_line(reason)}" for reason in reasons]
    return "\n".join(lines)


def audit_table(found: Audit) -> str:
    """One line for each question of an audit, one for their sum, and one for each miss."""
    head = (found.assignment, "points", "right accepted", "wrong rejected", "message named")
    rows = [head, *(_counts(question) for question in found.questions), _sum(found)]
    sizes = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = [
        "  ".join([f"{row[0]:<{sizes[0]}}", *(f"{row[n]:>{sizes[n]}}" for n in range(1, len(row)))])
        for row in rows
    ]
    return "\n".join([*lines, *(f"MISS {miss}" for miss in found.misses)])


def audit_markdown(audits: list[Audit]) -> str:
    """The same for the book: a table of the sums, then each assignment's in a dropdown."""
    head = "points | right accepted | wrong rejected | message named |"
    rule = "| --- | ---: | ---: | ---: | ---: |"
    text = [f"| assignment | {head}", rule]
    text += [f"| {' | '.join((f'`{found.assignment}`', *_sum(found)[1:]))} |" for found in audits]
    for found in audits:
        text += ["", f":::{{dropdown}} `{found.assignment}`, question by question"]
        text += [f"| question | {head}", rule]
        text += [f"| {' | '.join(_counts(question))} |" for question in found.questions]
        text += [":::"]
    return "\n".join(text) + "\n"


def _counts(question: Question) -> tuple[str, ...]:
    pairs = (question.right, question.wrong, question.message)
    return (question.name, f"{question.points:g}", *(f"{done}/{all_}" for done, all_ in pairs))


def _sum(found: Audit) -> tuple[str, ...]:
    """The counts of all questions together."""
    whole = Question("all")
    whole.points = sum(question.points for question in found.questions)
    for name in ("right", "wrong", "message"):
        pairs = [getattr(question, name) for question in found.questions]
        setattr(whole, name, tuple(map(sum, zip(*pairs, strict=True))))
    return _counts(whole)
