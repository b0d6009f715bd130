"""Take in a folder that was handed in: files that are files, as far as there is room."""

import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.utils import parse_utc
from traitlets import Integer
from traitlets.config import Configurable

from grading.notebooks import Refused, decode, read_submission
from grading.results import plain_line
from grading.transplant import Transplant

MEGABYTE = 10**6
MOST_ENTRIES = 10_000  # files and folders that are looked at
MOST_PROBLEMS = 20
LONGEST_TIME = 100  # characters; a parser may take long for more
LONGEST_PATH = 1000  # bytes; Linux takes 4,096 with the folders above
JUNK = {"__MACOSX", ".DS_Store", ".ipynb_checkpoints", "__pycache__", ".git", "Thumbs.db"}
JUNK |= {"desktop.ini"}
TIME = "timestamp.txt"


@dataclass
class Submission:
    """What one student handed in for one assignment.

    Attributes:
        notebooks: the bytes of each notebook that the assignment asks for, or the reason why there
            are none.
        files: the other files, by their path in the folder.
        problems: why other files were left out.
    """

    notebooks: dict[str, bytes | str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Intake(Configurable):
    """Reads a folder that was handed in. Links, devices and what is too large stay out."""

    notebook_size = Integer(20, min=1, help="Megabytes of the largest notebook.").tag(config=True)
    folder_size = Integer(100, min=0, help="Megabytes of all other files.").tag(config=True)
    folder_files = Integer(200, min=0, help="How many other files there may be.").tag(config=True)

    def read(
        self, folder: Path, notebooks: list[str], given: Mapping[str, bytes] | None = None
    ) -> Submission:
        """Read one student's folder.

        Args:
            folder: where the student's files are.
            notebooks: the names of the notebooks that the assignment asks for.
            given: the assignment's own files, which a student's do not replace.
        """
        found = Submission()
        wanted = {f"{name}.ipynb" for name in notebooks}
        links = [place for place in (folder, folder.parent) if place.is_symlink()]
        names = [] if links else list(_walk(folder, found.problems))
        others = [name for name in names if name not in wanted]
        for name in sorted(wanted):
            try:
                if links:
                    raise Refused(f"the folder {links[0].name} is a link, not a folder")
                content = self._notebook(folder / name, others)
            except Refused as error:
                content = plain_line(str(error))
            found.notebooks[name.removesuffix(".ipynb")] = content
        self._read_files(folder, others, {**dict.fromkeys(wanted), **(given or {})}, found)
        found.problems = _shown(found.problems)
        return found

    def take(
        self, folder: Path, notebooks: list[str], given: Mapping[str, bytes] | None = None
    ) -> Submission:
        """Like `read`; of a folder that cannot be read each notebook has the reason."""
        try:
            return self.read(folder, notebooks, given)
        except OSError as error:
            reason = f"the folder cannot be read ({error.strerror})"
            return Submission(dict.fromkeys(notebooks, reason))

    def _notebook(self, path: Path, others: list[str]) -> bytes:
        if not os.path.lexists(path):
            there = f"but {', '.join(others[:5])}" if others else "and nothing else"
            raise Refused(f"there is no {path.name}, {there}")
        limit = self.notebook_size * MEGABYTE
        return read_file(path, limit, f"the file is larger than {self.notebook_size} MB")

    def _read_files(
        self, folder: Path, names: list[str], given: Mapping[str, bytes | None], found: Submission
    ) -> None:
        """Read the other files, as far as there is room, and say what is left out."""
        room = self.folder_size * MEGABYTE
        for name in names:
            try:
                if name.lower().endswith(".ipynb"):
                    raise Refused("the assignment does not ask for it")
                if len(os.fsencode(name)) > LONGEST_PATH:
                    raise Refused(f"its path is longer than {LONGEST_PATH} bytes")
                if len(found.files) >= self.folder_files:
                    raise Refused(f"there are more than {self.folder_files} files")
                content = read_file(folder / name, room, "the files are larger than allowed")
                _check_place(name, content, given)
                if name == TIME:
                    _check_time(content)
                if name not in given:
                    found.files[name] = content
                    room -= len(content)
            except Refused as error:
                found.problems.append(f"{name} was left out: {error}")


def _shown(problems: list[str]) -> list[str]:
    """The first problems, each on one line; of a very long one both ends."""
    lines = [plain_line(text) for text in problems]
    lines = [text if len(text) <= 300 else f"{text[:100]}…{text[-199:]}" for text in lines]
    more = len(lines) - MOST_PROBLEMS
    return lines[:MOST_PROBLEMS] + [f"{more} more were left out"] * (more > 0)


def is_junk(name: str) -> bool:
    """Whether a system or Jupyter left this file; nobody handed it in."""
    return name in JUNK or name.startswith("._")


def _walk(folder: Path, problems: list[str]) -> Iterator[str]:
    """The paths of all files in a folder, in order; what lies behind a link is not looked at."""
    room, waiting = MOST_ENTRIES, [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(folder / inside) as found:
                entries = sorted(islice(found, room + 1), key=lambda entry: entry.name)
        except OSError as error:
            if not inside:
                raise
            problems.append(f"{inside} was left out: it cannot be read ({error.strerror})")
            continue
        room -= len(entries)
        if room < 0:
            problems.append(f"what lies in {inside or 'the folder'} was left out: too many files")
            return
        kept = [entry for entry in entries if not is_junk(entry.name)]
        waiting += [f"{inside}{e.name}/" for e in reversed(kept) if _is_folder(e)]
        yield from (f"{inside}{entry.name}" for entry in kept if not _is_folder(entry))


def _is_folder(entry: os.DirEntry) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _check_place(name: str, content: bytes, given: Mapping[str, bytes | None]) -> None:
    """Raise `Refused` for a file that would stand in the way of the assignment's own."""
    if name in given and given[name] != content:
        raise Refused("the assignment's own file of that name is used")
    parents = {str(parent) for parent in Path(name).parents}
    if parents & {*given, TIME} or any(own.startswith(f"{name}/") for own in given):
        raise Refused("the assignment has another file at that place")


def _check_time(content: bytes) -> None:
    """Raise `Refused` for what nbgrader would stop at."""
    try:
        text = content.decode("utf-8").strip()
        if len(text) > LONGEST_TIME:
            raise ValueError(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if text:
                parse_utc(text)
    except Exception as error:
        # nbgrader's reader lets a different exception through for each way of being no time
        raise Refused("it holds no time such as 2030-01-31 12:00:00 UTC") from error


def read_file(path: Path, limit: int, too_large: str) -> bytes:
    """The bytes of a regular file with one name.

    Raises:
        Refused: if it is a link, no regular file, unreadable, or longer than ``limit``.
    """
    try:
        # to open a device may have an effect, so it is looked at before and after
        _check_kind(path.name, os.lstat(path))
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"{path.name} is not readable ({error.strerror})") from error
    with os.fdopen(number, "rb") as file:
        found = os.fstat(number)
        _check_kind(path.name, found)
        content = file.read(limit + 1) if found.st_size <= limit else b""
    if found.st_size > limit or len(content) > limit:
        raise Refused(f"{too_large} ({found.st_size / MEGABYTE:.0f} MB)")
    return content


def _check_kind(name: str, found: os.stat_result) -> None:
    """Raise `Refused` for what is no regular file with one name."""
    if stat.S_ISLNK(found.st_mode):
        raise Refused(f"{name} is a link, not a file")
    if stat.S_ISDIR(found.st_mode):
        raise Refused(f"{name} is a directory, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{name} is no file, but a pipe, a socket or a device")
    if found.st_nlink > 1:
        raise Refused(f"{name} is a hard link: the same file has a second name; copy it")


class SubmissionExporter(NotebookExporter):
    """nbgrader's reader of submissions, which lets an unreadable file through, marked as refused.

    So each submission, whatever was handed in, ends with a score, a reason and a feedback page.
    """

    def from_filename(self, filename, resources=None, **kw):
        """Read the file as a notebook, or begin an empty one that says why that failed."""
        if not any(isinstance(step, Transplant) for step in self._preprocessors):
            # one that was rebuilt already, and is to be entered
            return super().from_filename(filename, resources=resources, **kw)
        path = Path(filename)
        resources["metadata"] = {"name": path.stem, "path": str(path.parent)}
        limit = Intake(config=self.config).notebook_size
        try:
            content = read_file(path, limit * MEGABYTE, f"the file is larger than {limit} MB")
            nb = read_submission(decode(content))
        except Refused as error:
            resources["refused"] = str(error)
            nb = nbformat.v4.new_notebook()
        return self.from_notebook_node(nb, resources=resources, **kw)
