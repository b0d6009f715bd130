"""What an export holds: notebooks that may be taken, and what else there is."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tqdm import tqdm

from grading.archives import Unreadable
from grading.exports import Export, Item
from grading.layouts import Origin, is_notebook, origins, stem, timestamp
from grading.matching import Content, read_content
from grading.submitted import alike, digest

STATUSES = ("taken", "replaced", "unchanged", "older", "not taken", "ignored")
TIME = "timestamp.txt"
NO_TIME = "holds no date with a time such as 2030-01-31 12:00:00 UTC: mend it, and collect again"
STUDENTS_TIME = "a student's own: only nbgrader's counts, <student>/<assignment>/timestamp.txt"
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
        files: what came along with a notebook, by its path in the student's folder.
    """

    path: str
    status: str
    reason: str = ""
    student: str = ""
    assignment: str = ""
    notebook: str = ""
    name: str = ""
    late: bool = False
    files: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """A file of an export whose student is known.

    Attributes:
        export: the export.
        item: the file.
        origin: who handed it in.
        bundle: what is the same for all files that a student put into one folder or zip.
    """

    export: Export
    item: Item
    origin: Origin
    bundle: tuple

    @property
    def path(self) -> str:
        """Its path in the export."""
        return "/".join(self.item.parts)

    def line(self, status: str, reason: str = "") -> Line:
        """What became of it."""
        who = self.origin
        return Line(self.path, status, reason, who.student, who.assignment, "", who.name, who.late)


@dataclass(frozen=True)
class Other(Found):
    """A file that is no notebook, and may come along with one.

    Attributes:
        kind: what it is, in words.
    """

    kind: str


@dataclass(frozen=True)
class Candidate(Found):
    """A notebook that may be taken.

    Attributes:
        content: what it says of itself.
        sha256: the hash of its bytes.
        time: when it was handed in, or nothing.
        target: the assignment and the notebook that it answers.
    """

    content: Content
    sha256: str
    time: str
    target: tuple[str, str] = ("", "")

    @property
    def mark(self) -> tuple:
        """When it was handed in, as far as the platform tells."""
        return self.time, self.origin.attempt

    def rank(self) -> tuple:
        """The greatest of several is taken: the latest, then the one that looks most like it."""
        name = self.item.parts[-1]
        exact = name == f"{self.target[1]}.ipynb", stem(name) == self.target[1]
        return *self.mark, self.content.is_notebook, *exact, -len(self.item.parts), self.path

    def line(self, status: str, reason: str = "", files: list[str] | None = None) -> Line:
        """What became of it, and of the files that came with it."""
        who, files = self.origin, files or []
        return Line(self.path, status, reason, who.student, *self.target, who.name, who.late, files)


def look(
    export: Export, names: tuple, lines: list[Line], progress: bool
) -> tuple[list[Candidate], list[Other]]:
    """Read every notebook of an export; what cannot be one, nor come with one, becomes a line."""
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
    candidates, others, said = [], [], set()
    folders = {item.parts[:-1] for item, found in read.items() if isinstance(found, tuple)}
    for item, origin in zip(items, who, strict=True):
        found = read.get(item)
        if isinstance(origin, str):
            _nobody(item, origin, found, said, lines)
            continue
        where = export, item, origin, _bundle(export, item, origin)
        file = Found(*where)
        if isinstance(found, str):
            lines.append(file.line("not taken", found))
        elif found and not origin.text:
            time = origin.time or (times.get(item.parts[:-1], "") if _is_place(origin) else "")
            candidates.append(Candidate(*where, *found, time))
        elif alike((origin.file or item.parts)[-1]) != TIME:
            others.append(Other(*where, _kind(file.path, origin)))
        elif reason := _not_a_time(item, origin, times, folders):
            lines.append(file.line("not taken" if reason == NO_TIME else "ignored", reason))
    return candidates, others


def _bundle(export: Export, item: Item, origin: Origin) -> tuple:
    above = item.parts[: len(item.parts) - len(origin.file)]
    return export, item.place[:-1], above, origin.student


def _nobody(
    item: Item, reason: str, found: str | tuple | None, said: set, lines: list[Line]
) -> None:
    """Tell of a file whose student is not known; of several in one place, once."""
    path, same = "/".join(item.parts), (item.parts[0], reason)
    if isinstance(found, str):
        lines.append(Line(path, "not taken", found))
    elif same not in said:
        lines.append(Line(path, "not taken" if found else "ignored", reason))
        said |= {same} if found else set()


def _read(export: Export, item: Item, read: dict, times: dict) -> None:
    """Note what a file is: a reason why not, or its content and its hash, or nothing at all."""
    name = item.parts[-1]
    if item.reason:
        read[item] = item.reason
    elif name == TIME:
        try:
            text = export.read(item, 100).decode("utf-8-sig", "replace")
        except Unreadable:
            text = ""
        times[item.parts[:-1]] = timestamp(text)
    elif is_notebook(name):
        try:
            data = export.read(item, export.limits.notebook)
        except Unreadable as error:
            if ".ipynb" in name.lower():
                read[item] = str(error)
            return
        content = read_content(data)
        if content.is_notebook or ".ipynb" in name.lower():
            read[item] = content, digest(data)


def _is_place(origin: Origin) -> bool:
    """Whether nbgrader writes times here; deeper, or on other platforms, a student wrote it."""
    return origin.platform == "nbgrader" and len(origin.file) == 1


def _not_a_time(item: Item, origin: Origin, times: dict, folders: set) -> str:
    """Why a file named as nbgrader's times is not used, or nothing."""
    folder = item.parts[:-1]
    if not _is_place(origin) or item.parts[-1] != TIME:
        return STUDENTS_TIME
    if origin.time:
        return "the time in the name of the folder counts"
    if not times[folder]:
        return NO_TIME
    return "" if folder in folders else "a time without a notebook"


def _kind(path: str, origin: Origin) -> str:
    """What a file is that is no notebook, in words."""
    ending = PurePosixPath(path).suffix.lower()
    if origin.text:
        return f"text that was typed into a field of {origin.platform.capitalize()}"
    if ending in ARCHIVES:
        return f"a {ending} archive, which is not opened: ask for a notebook or a zip"
    return f"a {ending} file, not a notebook" if ending else "not a notebook"
