"""Rebuild what is graded from the instructor's copy and the student's answers.

What a student hands in is a whole notebook: cells may be copied, split, moved, deleted, retyped or
tagged, test cells edited. Instead of mending each of these, the graded notebook starts as the
instructor's copy (solutions cleared, hidden tests in place) and takes from the student only

- the text of the solution cells, found by their ``grade_id``;
- cells that the student added, each after the instructor's cell that it followed.
"""

import copy
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import (
    ClearHiddenTests,
    ClearMarkScheme,
    NbGraderPreprocessor,
    SaveCells,
)
from nbgrader.utils import is_grade, is_locked, is_solution

from grading.notebooks import NEW_CELL
from grading.results import plain_line


class InstructorCopy:
    """The source notebook with its solutions cleared, as nbgrader wrote it into the gradebook.

    Args:
        path: the source notebook, or the one that students were given.
        parent: a configurable of nbgrader's, from which the course's settings are taken.
        released: whether it is the one that students were given.

    Attributes:
        nb: the notebook, with hidden tests and rubrics.
        handed_out: the text of each cell as the student was given it.
    """

    def __init__(self, path: Path, parent=None, released: bool = False):
        self.nb = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(path.parent)}}
        steps = [] if released else GenerateAssignment(parent=parent).preprocessors
        for step in itertools.takewhile(lambda step: step is not SaveCells, steps):
            self.nb, resources = step(parent=parent).preprocess(self.nb, resources)
        given = copy.deepcopy(self.nb)
        for step in (ClearHiddenTests, ClearMarkScheme):
            given, resources = step(parent=parent).preprocess(given, resources)
        self.handed_out = [cell.source.strip() for cell in given.cells]
        self._by_grade_id = {_grade_id(cell): n for n, cell in enumerate(self.nb.cells)}
        self._by_id = {cell.get("id"): n for n, cell in enumerate(self.nb.cells)}
        self._by_grade_id.pop(None, None)
        self._by_id.pop(None, None)
        self._by_text = {
            (cell.cell_type, text): n
            for n, (cell, text) in enumerate(zip(self.nb.cells, self.handed_out, strict=True))
            if _grade_id(cell) is None
        }

    def find(self, cells: list[NotebookNode]) -> list[int | None]:
        """The position of the instructor's cell that each cell is; None for one that was added.

        The ``grade_id`` decides. A tool that strips metadata may have kept the cell's own id.
        Instructor's cells without either are known by their text. What one cell is by its
        ``grade_id`` no other is by less.
        """
        homes = [self._by_grade_id.get(_grade_id(cell)) for cell in cells]
        claimed = set(homes)
        for n, cell in enumerate(cells):
            if homes[n] is None:
                text = cell.cell_type, cell.source.strip()
                home = self._by_id.get(cell.get("id"), self._by_text.get(text))
                homes[n] = None if home in claimed else home
        return homes

    def checksums(self) -> dict[str, str]:
        """The checksum of each cell that the gradebook knows, by ``grade_id``."""
        return {
            grade_id: self.nb.cells[n].metadata.nbgrader.get("checksum")
            for grade_id, n in self._by_grade_id.items()
        }


def _grade_id(cell: NotebookNode) -> str | None:
    """The cell's ``grade_id``; a student's metadata may be anything."""
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return grade_id if isinstance(grade_id, str) and grade_id else None


def transplant(
    instructor: InstructorCopy, submitted: NotebookNode, problems: Sequence[str] = ()
) -> NotebookNode:
    """The notebook to be graded; on top, a note says which files were left out.

    A solution cell that is there more than once was copied or split. Copies that are still as they
    were handed out count for nothing if another one differs; those that remain run in their order,
    as they would for the student, and the last stands in the solution cell's place.

    A cell of the instructor that is open to changes (no ``grade_id``, not locked) stays as it is;
    a student's other version of it runs right after.
    """
    answers: dict[int, list[NotebookNode]] = {}
    added: dict[int, list[NotebookNode]] = {}
    place = -1
    for cell, home in zip(submitted.cells, instructor.find(submitted.cells), strict=True):
        if home is None:
            added.setdefault(place, []).append(cell)
            continue
        place = home
        known = instructor.nb.cells[home]
        if is_solution(known):
            answers.setdefault(home, []).append(cell)
        elif not is_locked(known) and cell.source.strip() != instructor.handed_out[home]:
            added.setdefault(home, []).append(cell)

    graded = copy.deepcopy(instructor.nb)
    graded.cells = [_note("  \n".join(map(_literal, problems)))] if problems else []
    graded.cells += [_plain(cell) for cell in added.get(-1, [])]
    for n, known in enumerate(copy.deepcopy(instructor.nb.cells)):
        if is_solution(known):
            graded.cells += _answered(known, answers.get(n, []), instructor.handed_out[n])
        else:
            known.metadata["grading"] = "test" if is_grade(known) else "given"
            graded.cells.append(known)
        graded.cells += [_plain(cell) for cell in added.get(n, [])]
    for n, cell in enumerate(graded.cells):
        cell.id = f"cell-{n}"
    graded.nbformat_minor = 5
    return graded


def _answered(known: NotebookNode, copies: list[NotebookNode], stub: str) -> list[NotebookNode]:
    """A solution cell filled with the student's text, after its earlier copies, if any."""
    grade_id = _grade_id(known)
    missing = f"The cell `{grade_id}` was missing from the submission."
    if not copies:
        if is_grade(known):
            # As handed out, so that nbgrader gives 0 points and does not ask a person.
            return [_note(missing), known]
        known.source = f"# {missing}" if known.cell_type == "code" else missing
        return [known]
    changed = [cell for cell in copies if cell.source.strip() != stub] or copies[:1]
    # of copies with the same text the last one stays
    kept = list({cell.source: cell for cell in reversed(changed)}.values())[::-1]
    known.source = kept[-1].source
    if known.cell_type == "markdown" and "attachments" in kept[-1]:
        known.attachments = kept[-1].attachments
    if len(copies) == 1:
        return [known]
    note = (
        f"The cell `{grade_id}` was in the submission {len(copies)} times; {len(kept)} of them "
        "differ from each other and from what was handed out. They stand here in their order, and "
        "the last one is the answer."
    )
    earlier = [NEW_CELL[known.cell_type](cell.source) for cell in kept[:-1]]
    return [_note(note), *earlier, known]


def _note(text: str) -> NotebookNode:
    return new_markdown_cell(f"*Note of the grader.* {text}")


def _literal(text: str) -> str:
    """A text that may hold the names of a student's files, such that Markdown shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>&$])", r"\\\1", plain_line(text))


def _plain(cell: NotebookNode) -> NotebookNode:
    """A student's cell with its text and nothing else."""
    return NEW_CELL[cell.cell_type](cell.source)


def refused(instructor: InstructorCopy, reason: str, problems: Sequence[str] = ()) -> NotebookNode:
    """The notebook to be graded where none could be read; it says why."""
    graded = transplant(instructor, new_notebook(), problems)
    graded.metadata["grading"] = {"status": "refused", "reason": reason}
    graded.cells.insert(0, _note(f"The submission could not be read: {_literal(reason)}."))
    return graded


def check_gradebook(
    gradebook: Gradebook, assignment: str, notebook: str, instructor: InstructorCopy
) -> None:
    """Raise a `RuntimeError` if the gradebook knows another version of a notebook."""
    try:
        book = gradebook.find_notebook(notebook, assignment)
        known = {cell.name: cell.checksum for cell in book.source_cells}
    except MissingEntry:
        known = {}
    if known != instructor.checksums():
        raise RuntimeError(
            f"the source of {assignment} changed after it was released; "
            f"run `python -m grading release {assignment}`, then grade again"
        )


class Transplant(NbGraderPreprocessor):
    """nbgrader's first step of autograding: see `transplant`."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Replace the submitted notebook by the one to be graded."""
        names = resources["nbgrader"]
        instructor = InstructorCopy(self._source(names), parent=self)
        with Gradebook(names["db_url"]) as gradebook:
            check_gradebook(gradebook, names["assignment"], names["notebook"], instructor)
        if "refused" in resources:
            return refused(instructor, resources["refused"]), resources
        return transplant(instructor, nb), resources

    def _source(self, names: dict) -> Path:
        # the converter that runs this knows the course's folders, also as the command line set them
        directory = self.parent.parent.coursedir
        folder = directory.format_path(directory.source_directory, ".", names["assignment"])
        return Path(folder) / f"{names['notebook']}.ipynb"
