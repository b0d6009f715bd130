"""Read what was handed in, whatever it is."""

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from traitlets import Integer
from traitlets.config import Configurable

NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
MEGABYTE = 10**6


class Refused(Exception):
    """A file that cannot be read as a notebook; the message says why."""


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

    notebook_size = Integer(20, help="Megabytes of the largest notebook.").tag(config=True)
    folder_size = Integer(100, help="Megabytes of all other files together.").tag(config=True)
    folder_files = Integer(200, help="How many other files there may be.").tag(config=True)

    def read(self, folder: Path, notebooks: list[str]) -> Submission:
        """Read one student's folder.

        Args:
            folder: where the student's files are.
            notebooks: the names of the notebooks that the assignment asks for.
        """
        found = Submission()
        wanted = {f"{name}.ipynb" for name in notebooks}
        others, room = [], self.folder_size * MEGABYTE
        if not folder.is_symlink():
            others = [path for path in _walk(folder) if str(path.relative_to(folder)) not in wanted]
        for name in sorted(wanted):
            try:
                content = self._notebook(folder / name, others)
            except Refused as error:
                content = str(error)
            found.notebooks[name.removesuffix(".ipynb")] = content
        for path in others:
            name = str(path.relative_to(folder))
            if path.suffix == ".ipynb":
                continue
            try:
                if len(found.files) >= self.folder_files:
                    raise Refused(f"there are more than {self.folder_files} files")
                found.files[name] = read_file(path, room, "the files are larger than allowed")
                room -= len(found.files[name])
            except Refused as error:
                found.problems.append(f"{name} was left out: {error}")
        return found

    def _notebook(self, path: Path, others: list[Path]) -> bytes:
        if path.parent.is_symlink():
            raise Refused(f"the folder {path.parent.name} is a link, not a folder")
        if not path.is_symlink() and not path.exists():
            there = ", ".join(sorted(other.name for other in others)[:5]) or "nothing"
            raise Refused(f"there is no {path.name}, but {there}")
        limit = self.notebook_size * MEGABYTE
        return read_file(path, limit, f"the file is larger than {self.notebook_size} MB")


def _walk(folder: Path) -> list[Path]:
    """All files below a folder; what lies behind a link is not looked at."""
    return sorted(
        Path(place, name)
        for place, _, names in os.walk(folder, followlinks=False)
        for name in names
    )


def read_file(path: Path, limit: int, too_large: str) -> bytes:
    """The bytes of a regular file with one name.

    Raises:
        Refused: if it is a link, no regular file, unreadable, or longer than ``limit``.
    """
    try:
        # opened as it is, without waiting at a pipe; what was opened is then looked at
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        kind = "a link, not a file" if path.is_symlink() else f"not readable ({error.strerror})"
        raise Refused(f"{path.name} is {kind}") from error
    with os.fdopen(number, "rb") as file:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"{path.name} is no file")
        if found.st_nlink > 1:
            raise Refused(f"{path.name} is a hard link: the same file has a second name; copy it")
        content = file.read(limit + 1) if found.st_size <= limit else b""
    if found.st_size > limit or len(content) > limit:
        raise Refused(f"{too_large} ({found.st_size / MEGABYTE:.0f} MB)")
    return content


def decode(content: bytes) -> str:
    """The text of a file, as UTF-8 or, where it says so itself, as UTF-16.

    Raises:
        Refused: if it is neither.
    """
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("the file is not UTF-8 text") from error


def read_submission(text: str) -> NotebookNode:
    """The notebook in ``text``, whatever its format, with only those cells that are cells.

    Raises:
        Refused: if there is none.

    >>> read_submission("")
    Traceback (most recent call last):
    grading.intake.Refused: the file is empty
    """
    if not text.strip():
        raise Refused("the file is empty")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"the file is not JSON, it was damaged or cut off ({str(error)[:100]})"
        ) from error
    try:
        if "cells" in data:
            data["cells"] = [cell for cell in data["cells"] if _is_cell(cell)]
        nb = nbformat.reads(json.dumps(data), as_version=4)
    except Exception as error:
        # nbformat lets a different exception through for each way of not being a notebook
        raise Refused(f"the file is JSON, but not a notebook ({type(error).__name__})") from error
    if not nb.cells:
        raise Refused("the notebook has no cells")
    return nb


def _is_cell(cell: object) -> bool:
    """Whether this has a kind and a text, which the format allows to be a list of lines."""
    if not isinstance(cell, dict) or cell.get("cell_type") not in NEW_CELL:
        return False
    source = cell.get("source")
    return (
        all(isinstance(line, str) for line in source) if isinstance(source, list | str) else False
    )


class SubmissionExporter(NotebookExporter):
    """nbgrader's reader of submissions, which lets an unreadable file through, marked as refused.

    So each submission, whatever was handed in, ends with a score, a reason and a feedback page.
    """

    def from_filename(self, filename, resources=None, **kw):
        """Read the file as a notebook, or begin an empty one that says why that failed."""
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
