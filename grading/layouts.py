"""How nbgrader, Moodle and Canvas name what students handed in, and who a name belongs to.

| platform | what its export looks like |
| --- | --- |
| nbgrader | ``<student>/<assignment>/<notebook>.ipynb``, with ``timestamp.txt`` |
| its exchange | ``<student>+<assignment>+<time>[+<random>]/<notebook>.ipynb`` |
| Moodle | ``Full Name_<number>_assignsubmission_file_/<file>``, from 4.0 without the last ``_`` |
| Moodle, flat | ``Full Name_<number>_assignsubmission_file_<file>`` |
| Canvas | ``<lastfirst>[_LATE]_<number>_<attachment>_<file>``, ``[LATE_]anon_<id>_…`` |
| plain | ``<student>.ipynb``, ``<student>.zip``, ``<student>/<file>`` |

Only the name at the top of an export tells who handed something in: that one the platform wrote.
What lies within was named by a student, who may write somebody else's name.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dateutil.tz import gettz

from grading.student_ids import numbered_id, plain_id

MOODLE = re.compile(
    r"(?P<name>[^_].*?)(?:_(?P<number>[0-9]+))?_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<file>.*))?",
    re.DOTALL,
)
CANVAS = re.compile(
    r"(?P<name>[^\s/.]+?)(?P<late>_LATE)?_(?P<number>[0-9]+)_"
    r"(?:(?P<attachment>[0-9]+)_(?P<file>.+)|(?P<text>(?:text|link)\.html))",
    re.DOTALL,
)
ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?(?P<name>anon)_(?P<number>[0-9A-Za-z]{5})_"
    r"(?:(?P<attachment>[0-9]+)_(?P<file>.+)|(?P<text>(?:text|link)\.html))",
    re.DOTALL,
)
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
ZONE = r"(?: (?:[A-Za-z]{1,5}|[+-][0-9]{4}))?"
EXCHANGE = re.compile(
    rf"(?P<name>.+)\+(?P<assignment>[^+]+)\+(?P<time>{TIME}{ZONE})(?:\+(?P<random>[\w-]+))?"
)
WHEN = re.compile(
    r"(?P<time>[0-9]{4}-?[0-9]{2}-?[0-9]{2}[ T][0-9]{2}:?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]+)?)?)"
    r" ?(?:(?P<zone>[A-Z]{1,5})|(?P<offset>[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
NOTEBOOK = re.compile(r"\.ipynb(?:\.(?:txt|json|ipynb))*$|\.json$", re.IGNORECASE)
AGAIN = re.compile(r" ?\(\d+\)$")  # a browser adds (1) to what is there already
COPY = re.compile(
    r"[ _-]*\(\d+\)$|-copy\d*$|-\d$| - (?:copy|kopie|copie|copia)$|^(?:copy|kopie) (?:of|von) ",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Origin:
    """Who handed a file in, and what the platform says of it.

    Attributes:
        student: the id, safe as a folder's name.
        name: the name as the platform shows it.
        platform: ``nbgrader``, ``moodle``, ``canvas`` or ``plain``.
        number: the platform's number, with which scores go back; or nothing.
        late: whether the platform marked it as late.
        time: when it was handed in, as nbgrader writes it; or nothing.
        attempt: a number that grows with each upload, 0 where the platform has none.
        assignment: the assignment that the platform's name says, or nothing.
        file: the path that the student gave the file.
        text: whether it was typed into a field of the platform, not uploaded.
        unlike: the name before it became an id: another one with the same id is someone else.
    """

    student: str
    name: str
    platform: str
    number: str = ""
    late: bool = False
    time: str = ""
    attempt: int = 0
    assignment: str = ""
    file: tuple[str, ...] = ()
    text: bool = False
    unlike: str = ""


def recognise(top: str, rest: tuple[str, ...] = ()) -> Origin | None:
    """Who handed in what is named like this by nbgrader's exchange, Moodle or Canvas.

    Args:
        top: the name at the top of the export.
        rest: what follows, if that is a folder or a zip.

    >>> recognise("Ada Lovelace_123456_assignsubmission_file_", ("toy.ipynb",)).student
    'ada_lovelace_123456'
    >>> recognise("lovelaceada_LATE_12345_67890_toy-1.ipynb").student
    'lovelaceada_12345'
    """
    top = unicodedata.normalize("NFC", top)
    if found := EXCHANGE.fullmatch(top):
        name, time = found["name"], timestamp(found["time"])
        given = found["assignment"]
        return Origin(
            plain_id(name), name, "nbgrader", "", False, time, 0, given, rest, unlike=name
        )
    if found := MOODLE.fullmatch(top):
        number = found["number"] or ""
        student = numbered_id(found["name"].lower(), number)
        file = (found["file"], *rest) if found["file"] else rest
        text = found["kind"] != "file"
        name = found["name"]
        return Origin(student, name, "moodle", number, file=file, text=text, unlike=name)
    if found := ANONYMOUS.fullmatch(top) or CANVAS.fullmatch(top):
        number, name = found["number"], found["name"]
        file = (found["file"] or found["text"], *rest)
        late, attempt = bool(found["late"]), int((found["attachment"] or "0")[:18])
        student = numbered_id(name, number)
        text = found["text"] is not None
        return Origin(student, name, "canvas", number, late, "", attempt, "", file, text, name)
    return None


def origins(
    paths: Sequence[tuple[str, ...]],
    assignments: Iterable[str],
    notebooks: Iterable[str],
    zipped: bool,
) -> list[Origin | str]:
    """Who handed in each file of an export; a text says why that cannot be told.

    Args:
        paths: all files of the export.
        assignments: the names of the course's assignments.
        notebooks: the names of their notebooks.
        zipped: whether the export is a zip; then all may lie in one folder that means nothing.
    """
    start = int(zipped and _is_wrapped(paths))
    inner = [path[start:] for path in paths]
    platforms = {origin.platform for path in inner if (origin := recognise(path[0]))}
    known, taken = set(assignments), {name.casefold() for name in (*notebooks, *assignments)}
    exports = {} if platforms else _exports_within(inner)
    found: list[Origin | str] = []
    for path in inner:
        if origin := recognise(path[0], path[1:]):
            found.append(origin)
        elif platforms:
            like = " or ".join(sorted(name.capitalize() for name in platforms))
            found.append(f"the name at the top is not one that {like} gives")
        elif path[0] in exports:
            found.append(f"looks like an export of {exports[path[0]]}: collect it by itself")
        else:
            found.append(_plain(path, known, taken))
    return found


def _is_wrapped(paths: Sequence[tuple[str, ...]]) -> bool:
    """Whether all files lie in one folder, and a platform's names begin below it."""
    tops = {path[0] for path in paths}
    return (
        len(tops) == 1
        and recognise(*tops) is None
        and all(len(path) > 1 and recognise(path[1]) for path in paths)
    )


def _exports_within(paths: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Folders at the top that hold the work of several students of a platform."""
    inside: dict[str, set] = {}
    for path in paths:
        for part in path[1:]:
            if origin := recognise(part):
                inside.setdefault(path[0], set()).add((origin.platform, origin.student))
    return {top: min(who)[0].capitalize() for top, who in inside.items() if len(who) > 1}


def _plain(path: tuple[str, ...], assignments: set[str], taken: set[str]) -> Origin | str:
    top, rest = path[0], path[1:]
    if not rest or top.lower().endswith(".zip"):
        name = NOTEBOOK.sub("", top) if is_notebook(top) else re.sub(r"(?<=.)\.\w+$", "", top)
        name = AGAIN.sub("", name) or name
        if stem(top).casefold() in taken or name.casefold() in taken:
            return f"the name is the notebook's; it must be the student's: <student>/{top}"
    elif top in assignments:
        return f"a folder named as the assignment {top}, not as a student: collect it by itself"
    else:
        name = top
    given = rest[0] if len(rest) > 1 and rest[0] in assignments else ""
    # within a zip a student named the folders, and wrote the timestamp.txt
    platform = "nbgrader" if given and not top.lower().endswith(".zip") else "plain"
    # for a file at the top, the name is the student's, and says nothing of the notebook
    file = rest[1:] if given else rest
    shown = unicodedata.normalize("NFC", name)
    return Origin(plain_id(name), shown, platform, assignment=given, file=file, unlike=name)


def stem(name: str) -> str:
    """A file's name without its endings and without what browsers and systems add to copies.

    >>> stem("toy (1).ipynb.txt"), stem("toy-Copy1.ipynb"), stem("ada.zip")
    ('toy', 'toy', 'ada')
    """
    name = NOTEBOOK.sub("", name)
    name = re.sub(r"\.zip$", "", name, flags=re.IGNORECASE)
    while (shorter := COPY.sub("", name).strip()) and shorter != name:
        name = shorter
    return name


def is_notebook(name: str) -> bool:
    """Whether a file's name is that of a notebook, also as browsers change it."""
    return bool(NOTEBOOK.search(name))


def timestamp(text: str) -> str:
    """A date with a time, in UTC as nbgrader writes it; nothing if it is none.

    All forms of ISO 8601 are read, with a blank or a T, and names of zones that Python knows. What
    has no zone is in UTC, as it is for nbgrader.

    >>> timestamp("2024-01-31T12:00+01:00")
    '2024-01-31 11:00:00.000000 UTC'
    """
    found = WHEN.fullmatch(text.strip().upper())
    if not found:
        return ""
    name = found["zone"] or "UTC"
    zone = UTC if name in ("Z", "UTC") else gettz(name)
    try:
        when = datetime.fromisoformat(found["time"] + (found["offset"] or ""))
        when = when if when.tzinfo else when.replace(tzinfo=zone)
        # of a zone that nobody knows, nothing can be said
        return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC") if zone else ""
    except (ValueError, OverflowError):
        return ""
