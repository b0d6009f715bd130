"""The student version of an assignment: made by nbgrader, then checked for what may not show."""

import copy
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import (
    ClearHiddenTests,
    ClearMarkScheme,
    ClearSolutions,
    NbGraderPreprocessor,
)

from grading.course import Course, CourseError, write_atomically
from grading.gradebook import mend_gradebook
from grading.leaks import quoted, secret_lines, strings

# Also what nbgrader overlooks: small letters, a missing S, two spaces.
MARKER = re.compile(
    r"\b(BEGIN|END)\s+(SOLUTIONS?|HIDDEN\s+TESTS?|MARK\s+SCHEMES?)\b", re.IGNORECASE
)


class LeftoverError(Exception):
    """Something of a solution, a hidden test or a rubric is left in a student version."""


class RefuseLeftovers(NbGraderPreprocessor):
    """The last of nbgrader's steps to a student version: refuse it if a marker is left."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Raise a `LeftoverError` that names the cell and the line."""
        for number, cell in enumerate(nb.cells, start=1):
            name = cell.metadata.get("nbgrader", {}).get("grade_id", f"number {number}")
            refuse_leftovers(cell.source, f"cell {name}")
        return nb, resources


def refuse_leftovers(text: str, where: str) -> None:
    """Raise a `LeftoverError` if ``text`` holds one of nbgrader's markers.

    >>> refuse_leftovers("x = 1  # begin the solution here", "cell a")
    >>> refuse_leftovers("x = 1\\n# Begin hidden test", "cell a")
    Traceback (most recent call last):
    grading.release.LeftoverError: cell a, line 2, still says 'Begin hidden test'; ...
    """
    found = MARKER.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise LeftoverError(
            f"{where}, line {line}, still says {found[0]!r}; nbgrader removes what stands between "
            "BEGIN and END lines that are spelled exactly so: BEGIN SOLUTION, "
            "BEGIN HIDDEN TESTS, BEGIN MARK SCHEME"
        )


def refuse_secrets(course: Course, assignment: str, folder: Path) -> None:
    """Raise a `LeftoverError` if files to be handed out hold a line that only you have.

    That is a line of a solution, a hidden test or a rubric. Code that students see as well, in a
    cell of this assignment, is no secret.
    """
    sources = [
        nbformat.read(course.folder("source", assignment) / f"{name}.ipynb", as_version=4)
        for name in course.notebooks(assignment)
    ]
    whole = new_notebook(cells=[cell for nb in sources for cell in nb.cells])
    secret = secret_lines(whole, prose=False)
    for path in sorted(folder.rglob("*")):
        for where, text in _texts(path):
            for line, origin in quoted(secret, text):
                name = path.relative_to(folder)
                raise LeftoverError(
                    f"{name}{where} holds a line of {origin}: {line[:60]!r}; take it out, or show "
                    "it in a code cell if students may know it"
                )


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """The texts in a file, each with where it stands; of what is no text there are none."""
    content = path.read_bytes() if path.is_file() else b"\0"
    if path.suffix == ".ipynb":
        nb = nbformat.reads(content.decode(), as_version=4)
        for number, cell in enumerate(nb.pop("cells"), start=1):
            name = cell.metadata.get("nbgrader", {}).get("grade_id", f"number {number}")
            for text in strings(cell):
                yield f", cell {name},", text
        for text in strings(nb):
            yield "", text
    elif b"\0" not in content:
        yield "", content.decode(errors="replace")


def release(course: Course, assignment: str) -> bool:
    """Make the student version of one assignment, unless it is up to date.

    It is made beside the old one, checked, and only then put in its place.

    Returns:
        Whether it was made anew.

    Raises:
        CourseError: if something of a solution or of a hidden test is left, or nbgrader refuses.
    """
    mend_gradebook(course.directory.db_url)
    if is_up_to_date(course, assignment):
        return False
    # nbgrader names folders relative to the course
    drafts = (course.work / "release").relative_to(course.root)
    draft = course.root / drafts / assignment
    try:
        course.run(GenerateAssignment, assignment, ".", release_directory=str(drafts))
        for path in sorted(draft.rglob("*")):
            if path.is_file():
                refuse_leftovers(path.read_text(errors="replace"), path.name)
        refuse_secrets(course, assignment, draft)
    except (CourseError, LeftoverError) as error:
        cure = ""
        if "Cannot add or remove cells" in str(error):
            cure = (
                ". Once students have handed in, keep the grade_id of each cell; or move "
                "gradebook.db, autograded/ and feedback/ away and grade them all again"
            )
        where = _culprit(course, assignment)
        raise CourseError(f"{assignment} is not released: {where}{error}{cure}") from error
    target = course.folder("release", assignment)
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    draft.replace(target)
    course.write_stamp(f"release-{assignment}", **_keys(course, assignment))
    return True


def _culprit(course: Course, assignment: str) -> str:
    """The first cell that nbgrader cannot clear, which its own message does not name."""
    for name in course.notebooks(assignment):
        path = course.folder("source", assignment) / f"{name}.ipynb"
        nb = nbformat.read(path, as_version=4)
        for number, cell in enumerate(nb.cells, start=1):
            try:
                for step in (ClearSolutions, ClearHiddenTests, ClearMarkScheme):
                    step(config=course.settings, log=course.log).preprocess_cell(
                        copy.deepcopy(cell), {"language": "python"}, number
                    )
            except RuntimeError:
                grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "without a name")
                first = next(iter(cell.source.splitlines()), "")
                return f"{path.name}, cell {number}, {grade_id}, which begins {first!r}: "
    return ""


def write_zip(course: Course, assignment: str) -> Path:
    """Pack a released assignment into a zip beside its folder, unless the one there is the same.

    Returns:
        The zip: ``release/<assignment>.zip``, with one folder in it.
    """
    folder = course.folder("release", assignment)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                # without times, so that the same files make the same zip
                name = zipfile.ZipInfo(str(path.relative_to(folder.parent)))
                name.compress_type, name.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(name, path.read_bytes())
    target = folder.parent / f"{assignment}.zip"
    if not target.is_file() or target.read_bytes() != packed.getvalue():
        write_atomically(target, packed.getvalue())
    return target


def is_up_to_date(course: Course, assignment: str) -> bool:
    """Whether source and student version are those that the stamp tells of."""
    if not course.in_gradebook(assignment):
        return False
    return course.read_stamp(f"release-{assignment}") == _keys(course, assignment)


def _keys(course: Course, assignment: str) -> dict:
    folders = {"source": course.folder("source", assignment)}
    folders["release"] = course.folder("release", assignment)
    return {name: course.key(folder) for name, folder in folders.items()}
