"""The page on an assignment: how the class did, and how good the tests are."""

import math
from functools import cache
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from grading.csv_files import Identity, left_empty, number, one_line
from grading.item_analysis import BINS, SMALL_CLASS, Statistics, shortened
from grading.results import Result

TEMPLATES = Path(__file__).parent / "templates"
# one bar and the gap after it, in the figure's own units
STEP, HEIGHT, TOP = 40, 130, 24


def page(
    found: Statistics,
    results: list[Result],
    people: dict[str, Identity],
    *,
    title: str,
    anonymous: bool = False,
) -> str:
    """One HTML file that needs nothing else: no script, no network, no other file.

    Whatever a student wrote is escaped, cut, and freed of control characters. A policy in the page
    forbids scripts and requests besides.

    Args:
        found: the statistics of these results.
        results: what became of each submission.
        people: who the students are.
        title: the assignment's name.
        anonymous: whether to leave out the table of students.
    """
    return _template().render(
        title=one_line(title),
        found=found,
        small=found.counted < SMALL_CLASS,
        small_class=SMALL_CLASS,
        waiting=left_empty(results),
        bars=bars(found),
        tenths=tenths(found.max_score),
        students=[] if anonymous else [_student(r, people[r.student]) for r in results],
        anonymous=anonymous,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, decimals=decimals, points=points)
    return environment.get_template("report.html")


def bars(found: Statistics) -> list[dict[str, float]]:
    """The bars of the histogram: position, size and count of each."""
    most = max(found.histogram, default=0) or 1
    heights = [round(HEIGHT * count / most, 1) for count in found.histogram]
    return [
        {"x": STEP * place, "y": TOP + HEIGHT - height, "height": height, "count": count}
        for place, (height, count) in enumerate(zip(heights, found.histogram, strict=True))
    ]


def tenths(max_score: float) -> list[str]:
    """The tenths of the maximum in points, in words.

    >>> tenths(10)[0], tenths(10)[-1]
    ('0 to below 1', '9 to 10')
    """
    edges = [number(round(max_score * place / BINS, 3)) for place in range(BINS + 1)]
    names = [f"{low} to below {high}" for low, high in pairwise(edges)]
    return [*names[:-1], f"{edges[-2]} to {edges[-1]}"]


def percent(share: float | None) -> str:
    """A share in percent; 100 % and 0 % only where that is exactly so.

    >>> percent(0.5), percent(0.999), percent(0.001), percent(None)
    ('50 %', '>99 %', '<1 %', '–')
    """
    if share is None:
        return "–"
    rounded = round(100 * share)
    if rounded == 100 and share < 1 - 1e-9:
        return ">99 %"
    if rounded == 0 and share > 1e-9:
        return "<1 %"
    return f"{rounded} %"


def decimals(value: float | None) -> str:
    """Two decimals and a minus sign that is as wide as a plus.

    >>> decimals(-0.5), decimals(None)
    ('−0.50', '–')
    """
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def points(value: float | None) -> str:
    """Points with at most two decimals.

    >>> points(2.0), points(1 / 3), points(None)
    ('2', '0.33', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return number(round(value, 2))


def _student(result: Result, person: Identity) -> dict[str, str]:
    reasons = result.reasons
    return {
        "name": shortened(one_line(person.name), 80),
        "student": shortened(one_line(result.student), 80),
        "ending": result.ending,
        "score": f"{points(result.score)} of {points(result.max_score)}",
        "reason": shortened(one_line(reasons[0])) if reasons else "",
        "more": str(len(reasons) - 1) if len(reasons) > 1 else "",
    }
