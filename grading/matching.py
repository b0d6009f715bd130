"""Which assignment, and which of its notebooks, a file is an answer to."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grading.course import Course
from grading.layouts import stem


@dataclass(frozen=True)
class Content:
    """What a file says of itself.

    Attributes:
        is_notebook: whether it can be read as one.
        grade_ids: the names that nbgrader gave to its cells.
    """

    is_notebook: bool
    grade_ids: frozenset[str] = frozenset()


class Unknown(Exception):
    """A file that belongs to no assignment; the message says why."""


def read_content(data: bytes) -> Content:
    """Look for cells in a file, whatever it is.

    >>> read_content(b"%PDF-1.7").is_notebook
    False
    """
    try:
        nb = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return Content(False)
    if not isinstance(nb, dict):
        return Content(False)
    sheets = [nb, *(nb["worksheets"] if isinstance(nb.get("worksheets"), list) else [])]
    sheets = [sheet for sheet in sheets if isinstance(sheet, dict)]
    lists = [sheet["cells"] for sheet in sheets if isinstance(sheet.get("cells"), list)]
    names = (_grade_id(cell) for cells in lists for cell in cells)
    return Content(bool(lists), frozenset(name for name in names if name))


def _grade_id(cell: object) -> str | None:
    for key in ("metadata", "nbgrader", "grade_id"):
        cell = cell.get(key) if isinstance(cell, dict) else None
    return cell if isinstance(cell, str) else None


class Sources:
    """The notebooks of a course that students may hand in.

    Args:
        course: the course.
        step: ``"source"`` for the instructor's, ``"release"`` for those that were handed out.
    """

    def __init__(self, course: Course, step: str = "source"):
        self.notebooks: dict[tuple[str, str], frozenset[str]] = {}
        for path in sorted(course.folder(step, ".").glob("*/*.ipynb")):
            grade_ids = read_content(path.read_bytes()).grade_ids
            self.notebooks[path.parent.name, path.stem] = grade_ids

    def find(self, content: Content, file: Sequence[str], said: str = "") -> tuple[str, str]:
        """The assignment and notebook that a file answers: by its cells, then by its name.

        Args:
            content: what is in the file.
            file: its path as the student named it.
            said: the assignment that the platform's own name says, or nothing.

        Returns:
            The assignment's name and the notebook's.

        Raises:
            Unknown: if it cannot be told.
        """
        shared = {key: len(content.grade_ids & ids) for key, ids in self.notebooks.items()}
        most = max(shared.values(), default=0)
        # what shares half as many names or fewer is clearly another
        near = [key for key, count in shared.items() if most and 2 * count > most]
        if len(near) == 1:
            return near[0]
        named = self._named(file, said, near or list(self.notebooks))
        if len(named) == 1:
            return named[0]
        same = [key for key in near if self.notebooks[key] == content.grade_ids]
        if len(same) == 1:
            return same[0]
        if near or named:
            raise Unknown(f"could be {_either(near or named)}: name it as the notebook")
        if not content.is_notebook:
            raise Unknown("damaged or no notebook, and the name is no notebook's of this course")
        if content.grade_ids:
            raise Unknown("a notebook of another course: its cells have other names")
        raise Unknown("its cells have lost their names, and its name is no notebook's")

    def _named(self, file: Sequence[str], said: str, keys: list) -> list[tuple[str, str]]:
        """The notebooks whose name is, or else is part of, the file's name or its folders'."""
        if said:
            keys = [key for key in keys if key[0] == said] or keys
        words = [stem(part).casefold() for part in reversed(file)]
        for word in words[:1]:
            if exact := [key for key in keys if key[1].casefold() == word]:
                return exact
        for word in words:
            found = {key: max(map(len, _within(key, word)), default=0) for key in keys}
            if longest := max(found.values(), default=0):
                return [key for key, length in found.items() if length == longest]
        return keys if said and len({key[0] for key in keys}) == len(keys) == 1 else []


def _within(names: Iterable[str], text: str) -> list[str]:
    return [name for name in names if _is_in(name.casefold(), text)]


def _is_in(name: str, text: str) -> bool:
    """Whether a name stands in a text between other characters than letters and digits.

    >>> _is_in("toy", "final_toy_2"), _is_in("toy", "toys")
    (True, False)
    """
    return re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text) is not None


def _either(keys: Iterable[tuple[str, str]]) -> str:
    return " or ".join("/".join(key) if key[0] != key[1] else key[0] for key in sorted(keys))
