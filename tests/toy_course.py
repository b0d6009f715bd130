"""A tiny course for the grading tests: two functions and a written answer, no torch."""

import copy
import functools
import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader import api

# nbgrader starts a program for each new gradebook, to ask what version of it this is
api.get_alembic_version = functools.cache(api.get_alembic_version)
ROOT = Path(__file__).resolve().parents[1]

DOUBLE = """\
def double(x):
    \"\"\"Twice x.\"\"\"
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION"""
TEST_DOUBLE = """\
assert double(1) == 2, f"double(1) must be 2, got {double(1)}"
### BEGIN HIDDEN TESTS
assert double(-3) == -6, "the sign is lost: did you take the absolute value?"
### END HIDDEN TESTS"""
HALVE = """\
### BEGIN SOLUTION
def halve(x):
    return x / FACTOR
### END SOLUTION"""
TEST_HALVE = """\
### BEGIN HIDDEN TESTS
hidden_input = 5
got = halve(hidden_input)
assert got == 2.5, f"half of 5 is 2.5, got {got}: did you divide with //?"
### END HIDDEN TESTS"""
EXPLAIN = """\
### BEGIN SOLUTION
Two halves make a whole.
### END SOLUTION"""


def nbgrader(grade_id, *, grade=False, solution=False, points=None):
    """nbgrader's metadata of a cell."""
    data = {"grade": grade, "grade_id": grade_id, "locked": grade and not solution}
    data |= {"schema_version": 3, "solution": solution, "task": False}
    return {"nbgrader": data | ({} if points is None else {"points": points})}


def source_notebook():
    """The instructor's notebook: 2 + 3 automatic points, 5 by hand."""
    cells = [
        new_markdown_cell("# Toy"),
        new_code_cell("FACTOR = 2"),
        new_code_cell(DOUBLE, metadata=nbgrader("double", solution=True)),
        new_code_cell(TEST_DOUBLE, metadata=nbgrader("test_double", grade=True, points=2)),
        new_code_cell(HALVE, metadata=nbgrader("halve", solution=True)),
        new_code_cell(TEST_HALVE, metadata=nbgrader("test_halve", grade=True, points=3)),
        new_markdown_cell(
            "Why is that so?\n\n### BEGIN MARK SCHEME\nRubric: 5 points for wholes.\n"
            "### END MARK SCHEME"
        ),
        new_markdown_cell(
            EXPLAIN, metadata=nbgrader("explain", grade=True, solution=True, points=5)
        ),
    ]
    for number, cell in enumerate(cells):
        cell.id = f"toy-{number}"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=kernel)


def make_course(root, extra_config=""):
    """A course folder that holds the toy assignment."""
    folder = root / "solutions" / "toy"
    folder.mkdir(parents=True)
    nbformat.write(source_notebook(), folder / "toy.ipynb")
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    (root / "nbgrader_config.py").write_text(f"{config}\n{extra_config}", encoding="utf-8")
    return root


def write_answer(root, kind, name, header, body=""):
    """An answer in text form to the toy assignment."""
    path = root / "tests" / "answers" / "toy" / kind / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\n{header}\n---\n{body}", encoding="utf-8")
    return path


def hand_in(root, student, content):
    """Put a notebook, or any bytes, among the submissions."""
    path = root / "submitted" / student / "toy" / "toy.ipynb"
    path.parent.mkdir(parents=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(json.dumps(content), encoding="utf-8")


RIGHT_DOUBLE = "def double(x):\n    return x + x"
WRONG_DOUBLE = "def double(x):\n    return 2 * abs(x)"
MAX = {"test_double": 2.0, "test_halve": 3.0}


class Submission:
    """A submission that begins as a right one; each method does something to it."""

    def __init__(self, released):
        self.nb = nbformat.from_dict(released)
        self.cell("double").source = RIGHT_DOUBLE
        self.cell("halve").source = "def halve(x):\n    return x / FACTOR"
        self.cell("explain").source = "Two times a half is one."

    def place(self, name):
        names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in self.nb.cells]
        return names.index(name)

    def cell(self, name):
        return self.nb.cells[self.place(name)]

    def answer(self, name, source):
        self.cell(name).source = source
        return self

    def delete(self, name):
        del self.nb.cells[self.place(name)]
        return self

    def insert(self, after, *cells):
        self.nb.cells[self.place(after) + 1 : self.place(after) + 1] = cells
        return self

    def twins(self, name, *sources):
        """Copies of a cell after it, with its metadata and other texts."""
        cells = [copy.deepcopy(self.cell(name)) for _ in sources]
        for number, (cell, source) in enumerate(zip(cells, sources, strict=True)):
            cell.id, cell.source = f"twin-{number}", source
        return self.insert(name, *cells)


def released_source(released, name):
    return next(
        cell.source
        for cell in released.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == name
    )
