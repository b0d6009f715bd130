"""What an export holds: notebooks that may be taken, and what else there is."""

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from tqdm import tqdm

from grading.archives import Unreadable
from grading.exports import Export, Item
from grading.layouts import Origin, is_notebook, origins, stem, timestamp
from grading.matching import Content, read_content
from grading.submitted import digest

STATUSES = ("taken", "replaced", "unchanged", "older", "not taken", "ignored")
ARCHIVES = {".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"}


@dataclass(frozen=True)
class Line:
    """What became of a file of an export.

    Attributes:
        path: its path in the export.
        status: one of `STATUSES`.
        reason: why it was not taken, or nothing.
        student: the student's id, if it can be told.
        assignment: the assignment's name, if it can be told.
        notebook: the notebook's name, if it can be told.
        name: the student's name as the platform shows it.
        late: whether the platform marked it as late.
    """

    path: str
    status: str
    reason: str = ""
    student: str = ""
    assignment: str = ""
    notebook: str = ""
    name: str = ""
    late: bool = False


@dataclass(frozen=True)
class Candidate:
    """A notebook that may be taken."""

    export: Export
    item: Item
    origin: Origin
    content: Content
    sha256: str
    time: str
    target: tuple[str, str] = ("", "")

    @property
    def path(self) -> str:
        """Its path in the export."""
        return "/".join(self.item.parts)

    @property
    def mark(self) -> tuple:
        """When it was handed in, as far as the platform tells."""
        return self.time, self.origin.attempt

    def rank(self) -> tuple:
        """The greatest of several is taken: the latest, then the one that looks most like it."""
        name = self.item.parts[-1]
        exact = name == f"{self.target[1]}.ipynb", stem(name) == self.target[1]
        return *self.mark, self.content.is_notebook, *exact, -len(self.item.parts), self.path

    def line(self, status: str, reason: str = "") -> Line:
        """What became of it."""
        who = self.origin
        return Line(self.path, status, reason, who.student, *self.target, who.name, who.late)


def look(export: Export, names: tuple, lines: list[Line], progress: bool) -> list[Candidate]:
    """Read every notebook of an export; what cannot be one becomes a line."""
    items, read, times = [], {}, {}
    try:
        bar = tqdm(
            export.items(),
            f"reading {export.path.name}",
            unit=" files",
            disable=not progress,
            leave=False,
        )
        for item in bar:
            items.append(item)
            _read(export, item, read, times)
    except Unreadable as error:
        lines.append(Line(export.path.name, "not taken", str(error)))
    who = origins([item.parts for item in items], *names, export.is_zip)
    candidates, said = [], set()
    for item, origin in zip(items, who, strict=True):
        found = read.get(item)
        path = "/".join(item.parts)
        if isinstance(found, str):
            lines.append(_not_taken(path, found, origin))
        elif isinstance(origin, str):
            if (item.parts[0], origin) not in said:
                lines.append(Line(path, "not taken" if found else "ignored", origin))
            said |= {(item.parts[0], origin)} if found else set()
        elif found and not origin.text:
            time = origin.time
            if origin.platform == "nbgrader" and len(origin.file) == 1:
                # deeper, or on other platforms, a student wrote that file
                time = time or times.get(item.parts[:-1], "")
            candidates.append(Candidate(export, item, origin, *found, time))
        else:
            lines.append(replace(_not_taken(path, _kind(path, origin), origin), status="ignored"))
    return candidates


def _read(export: Export, item: Item, read: dict, times: dict) -> None:
    """Note what a file is: a reason why not, or its content and its hash, or nothing at all."""
    name = item.parts[-1]
    if item.reason:
        read[item] = item.reason
    elif name == "timestamp.txt":
        try:
            text = export.read(item, 100).decode("utf-8", "replace")
        except Unreadable:
            return
        times[item.parts[:-1]] = timestamp(text)
    elif is_notebook(name):
        try:
            data = export.read(item, export.limits.notebook)
        except Unreadable as error:
            read[item] = str(error)
            return
        content = read_content(data)
        if content.is_notebook or ".ipynb" in name.lower():
            read[item] = content, digest(data)


def _not_taken(path: str, reason: str, origin: Origin | str) -> Line:
    if isinstance(origin, str):
        return Line(path, "not taken", reason)
    return Line(
        path, "not taken", reason, origin.student, origin.assignment, "", origin.name, origin.late
    )


def _kind(path: str, origin: Origin) -> str:
    """What a file is that is no notebook, in words."""
    ending = PurePosixPath(path).suffix.lower()
    if origin.text:
        return f"typed into a field of {origin.platform.capitalize()}, not a notebook"
    if ending in ARCHIVES:
        return f"a {ending} archive, which is not opened: ask for a notebook or a zip"
    return f"a {ending} file, not a notebook" if ending else "not a notebook"
