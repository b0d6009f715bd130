"""Files that a student handed in beside a notebook, and that the notebook may need when it runs."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from grading.archives import Unreadable, size
from grading.finds import ARCHIVES, TIME, Candidate, Line, Other
from grading.keeping import NotWritten
from grading.submitted import Submitted, alike

NO_NAME = ("", ".", "..")
AGAIN = re.compile(r"-\d+(?=(?:\.[^.]*)?$)")  # Canvas adds -1 to a name that was there before


class Companions:
    """What lies beside the notebooks of an export.

    A file comes along if it lies in the notebook's folder, or below, in the same folder or zip that
    was handed in. Each is read when it is written: not all of a class fit into the memory.

    Args:
        others: the files that are no notebooks.
        submitted: where they are put.
        notebooks: the assignment and the name of each notebook of the course.
    """

    def __init__(
        self,
        others: Iterable[Other],
        submitted: Submitted,
        notebooks: Iterable[tuple[str, str]],
    ):
        self.submitted = submitted
        self._notebooks = list(notebooks)
        self._bundles: dict[tuple, list[Other]] = defaultdict(list)
        # the latest upload first: of two files with one name it is taken
        for other in sorted(others, key=lambda other: -other.origin.attempt):
            self._bundles[other.bundle].append(other)
        # of each student's assignment: the files, and the folders around them
        self._places: dict[tuple, dict[tuple, Other | None]] = defaultdict(dict)
        self._sizes: Counter = Counter()
        self._told: set[Other] = set()

    def take(self, notebook: Candidate) -> tuple[list[str], list[Line]]:
        """Put what lies beside a notebook beside it again.

        Returns:
            The paths in the student's folder, and a line for each file that could not be taken.
        """
        names, lines = [], []
        for other in self._bundles.get(notebook.bundle, ()):
            place = _place(other, notebook)
            if not place:
                continue
            self._told.add(other)
            try:
                self._put(other, notebook, place)
                names.append("/".join(place))
            except (Unreadable, NotWritten) as error:
                line = notebook.line("not taken", str(error))
                lines.append(replace(line, path=other.path, notebook=""))
        return sorted(names), lines

    def rest(self) -> list[Line]:
        """A line for each file that lies beside no notebook that was taken."""
        return [
            other.line("ignored", other.kind)
            for bundle in self._bundles.values()
            for other in bundle
            if other not in self._told
        ]

    def _put(self, other: Other, notebook: Candidate, place: tuple[str, ...]) -> None:
        student, assignment = notebook.origin.student, notebook.target[0]
        parts = self._check(other, assignment, place)
        taken = self._places[student, assignment]
        if taken.get(parts) == other:
            return
        around = [parts[:length] for length in range(1, len(parts))]
        if parts in taken or any(taken.get(folder) for folder in around):
            raise NotWritten("another file of the student has this name, or differs in capitals")
        data = self._read(other, student)
        self.submitted.put(student, assignment, place, notebook.time, data)
        taken |= dict.fromkeys(around) | {parts: other}

    def _check(self, other: Other, assignment: str, place: tuple[str, ...]) -> tuple[str, ...]:
        """The place in the form that tells it from others; `NotWritten` if no file may be there."""
        most = other.export.limits.folders
        if len(place) > most:
            raise NotWritten(f"more than {most} folders in each other")
        if any(part in NO_NAME or "/" in part or "\0" in part for part in place):
            raise NotWritten("the name leads elsewhere")
        parts = tuple(alike(part).rstrip(". ") for part in place)  # as Windows does
        names = {alike(f"{name}.ipynb") for a, name in self._notebooks if a == assignment}
        if parts[0] in {TIME, *names}:
            raise NotWritten(f"{place[0]} would be in the place of the notebook or of the time")
        return parts

    def _read(self, other: Other, student: str) -> bytes:
        limits = other.export.limits
        much = f"more than {size(limits.unpacked)} beside notebooks in all"
        if self._sizes[student] > limits.unpacked:
            raise Unreadable(much)
        try:
            data = other.export.read(other.item, limits.unpacked)
        except Unreadable:
            self._sizes[student] += limits.notebook  # what is damaged takes time, too
            raise
        self._sizes[student] += len(data)
        if self._sizes[student] > limits.unpacked:
            raise Unreadable(much)
        return data


def _place(other: Other, notebook: Candidate) -> tuple[str, ...]:
    """Where a file lies, as seen from the notebook's folder; nothing if it does not come along."""
    folder, file = notebook.origin.file[:-1], other.origin.file
    archive = PurePosixPath(other.path).suffix.lower() in ARCHIVES
    if other.origin.text or archive or file[: len(folder)] != folder:
        return ()
    place = tuple(unicodedata.normalize("NFC", part) for part in file[len(folder) :])
    handed_in_again = re.fullmatch(
        rf"{re.escape(notebook.target[1])}-\d+\.ipynb", notebook.origin.file[-1]
    )
    if other.origin.platform == "canvas" and len(file) == 1 and handed_in_again:
        return (AGAIN.sub("", place[0]),)
    return place
