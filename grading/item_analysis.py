"""How a class did and how good the tests are, by classical test theory."""

import math
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field

from grading.results import STATUSES, Result, plain_line

COUNTED = ("graded", "timed out", "out of memory", "crashed")
SMALL_CLASS = 10
LOW_DISCRIMINATION = 0.1
BINS = 10
LONGEST = 200
MOST_MESSAGES = 3
_NUMBER = re.compile(
    r"0x[0-9a-f]+|(?<![\w.])[-+]?(\d+(\.\d+|\.(?=[],)]))?|\.\d+)(e[-+]?\d+)?|\b(nan|inf)\b", re.I
)


@dataclass
class Message:
    """A message that students got: the most frequent wording, and how many wordings there are."""

    example: str
    count: int
    variants: int


@dataclass
class Item:
    """One test, over all submissions that count; what is undefined is None.

    Attributes:
        difficulty: mean share of the points: 1 where everybody is right.
        full_marks: share of the submissions with all points.
        discrimination: correlation of this test's points with those of all other tests.
        undefined: why there is no discrimination; else empty.
        not_run: how many submissions broke off before this test.
        flags: what to look at, in words.
    """

    name: str
    max_points: float
    difficulty: float | None = None
    full_marks: float | None = None
    discrimination: float | None = None
    undefined: str = ""
    messages: list[Message] = field(default_factory=list)
    not_run: int = 0
    flags: list[str] = field(default_factory=list)


@dataclass
class Statistics:
    """What is known of one assignment.

    Attributes:
        endings: how many submissions ended how.
        counted: how many were run; the figures below are about these.
        waiting: how many of them wait for a written answer to be read.
        histogram: how many scores lie in each tenth of the maximum.
        elsewhere: the messages of cells that are no tests, by ``grade_id``.
    """

    submissions: int
    endings: dict[str, int]
    counted: int
    waiting: int
    max_score: float
    mean: float | None = None
    median: float | None = None
    histogram: list[int] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    elsewhere: dict[str, list[Message]] = field(default_factory=dict)


def analyse(results: list[Result], max_points: dict[str, float]) -> Statistics:
    """Count, average and correlate the results of one assignment.

    Submissions that were refused, or whose grading failed, were never run: they are counted among
    the endings, and nowhere else. One that timed out or crashed has the points it reached.

    Args:
        results: what became of each submission.
        max_points: the points of each test.

    >>> ada, bob = Result("a", "ada", score=2, max_score=2), Result("a", "bob", max_score=2)
    >>> analyse([ada, bob], {}).mean
    1.0
    """
    order = {status: place for place, status in enumerate(STATUSES)}
    endings = Counter(r.ending for r in sorted(results, key=lambda r: order.get(r.status, 9)))
    counted = [r for r in results if r.status in COUNTED and math.isfinite(r.score)]
    found = Statistics(
        submissions=len(results),
        endings=dict(endings),
        counted=len(counted),
        waiting=sum(r.needs_manual for r in counted),
        max_score=max((r.max_score for r in results), default=0.0),
    )
    if counted:
        scores = [r.score for r in counted]
        found.mean, found.median = statistics.fmean(scores), statistics.median(scores)
        found.histogram = histogram(scores, found.max_score)
    names = dict.fromkeys(name for r in counted for name in r.points)
    table = {name: [_finite(r.points.get(name, 0.0)) for r in counted] for name in names}
    found.items = [_item(name, table, max_points.get(name, 0.0), counted) for name in names]
    cells = dict.fromkeys(cell for r in counted for cell in r.messages if cell not in names)
    for cell in cells:
        if messages := common_messages([r.messages.get(cell, "") for r in counted]):
            found.elsewhere[plain_line(cell)[:LONGEST]] = messages
    return found


def histogram(scores: list[float], max_score: float) -> list[int]:
    """How many scores lie in each tenth of the maximum; a border belongs to the tenth above it.

    >>> histogram([0, 1, 9.99, 10], 10)
    [1, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    """
    if max_score <= 0:
        return []
    places = Counter(min(max(math.floor(s / max_score * BINS + 1e-9), 0), BINS - 1) for s in scores)
    return [places[place] for place in range(BINS)]


def _finite(number: float) -> float:
    return number if math.isfinite(number) else 0.0


def _item(
    name: str, table: dict[str, list[float]], max_points: float, counted: list[Result]
) -> Item:
    own = table[name]
    item = Item(plain_line(name)[:LONGEST], max_points)
    if max_points > 0:
        item.difficulty = statistics.fmean(own) / max_points
        item.full_marks = statistics.fmean(p >= max_points - 1e-9 for p in own)
    # sums of the same points in another order differ in the last digits
    rest = [round(math.fsum(row) - p, 9) for *row, p in zip(*table.values(), own, strict=True)]
    item.discrimination, item.undefined = discrimination(own, rest, others=len(table) - 1)
    texts = [r.messages.get(name, "") for r in counted]
    item.not_run = sum(text.startswith("NotRun:") for text in texts)
    item.messages = common_messages(texts)
    item.flags = flags(item)
    return item


def discrimination(own: list[float], rest: list[float], others: int) -> tuple[float | None, str]:
    """The corrected item-total correlation, or None and why it is undefined.

    "Corrected": the test itself is left out of the total, with which it would correlate in any
    case (Henrysson, S. (1963). Correction of item-total correlations in item analysis.
    Psychometrika 28, 211–218). Difficulty as the mean share of the points: Crocker, L. and
    Algina, J. (1986). Introduction to Classical and Modern Test Theory, chapter 14.

    Args:
        own: each submission's points on the test.
        rest: the same submissions' points on all other tests.
        others: how many other tests there are.

    >>> discrimination([0, 0, 1, 1], [1, 2, 3, 4], others=1)
    (0.894427, '')
    >>> discrimination([1, 1, 1], [1, 2, 3], others=1)
    (None, 'all have the same points on it')
    """
    if others == 0:
        return None, "it is the only test"
    if len(own) < 3:
        return None, "it takes three submissions"
    if len(set(own)) == 1:
        return None, "all have the same points on it"
    if len(set(rest)) == 1:
        return None, "all have the same points on the other tests"
    return round(statistics.correlation(own, rest), 6) + 0.0, ""


def flags(item: Item) -> list[str]:
    """What to look at in a test, in words."""
    found = []
    if item.full_marks == 1:
        found.append("everybody is right: it tells nothing about who can do it")
    elif item.full_marks == 0:
        found.append("nobody is right: look whether the question and the test are")
    if item.discrimination is not None and item.discrimination < 0:
        found.append("negative discrimination: who does well elsewhere fails here; look at it")
    elif item.discrimination is not None and item.discrimination < LOW_DISCRIMINATION:
        found.append("low discrimination: it hardly goes with the other tests; look at it")
    return found


def common_messages(texts: list[str]) -> list[Message]:
    """The most common messages, those that differ in numbers alone counted as one.

    >>> common_messages(["got 0.312", "got 0.327", "got 0.327", "no f"])[0]
    Message(example='got 0.327', count=3, variants=2)
    """
    groups: dict[str, Counter[str]] = {}
    for text in texts:
        if text and not text.startswith("NotRun:"):
            line = plain_line(text[: 10 * LONGEST])
            group = groups.setdefault(_NUMBER.sub("#", line), Counter())
            group[line] += 1
    ranked = sorted(groups.values(), key=lambda group: (-group.total(), min(group)))
    return [
        Message(shortened(min(group, key=lambda t: (-group[t], t))), group.total(), len(group))
        for group in ranked[:MOST_MESSAGES]
    ]


def shortened(text: str, length: int = LONGEST) -> str:
    """A text of at most so many characters.

    >>> shortened("a long story", 7)
    'a long…'
    """
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
