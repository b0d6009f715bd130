"""Ways to damage a notebook.

Each makes a function that gets the data of a right submission to the toy assignment, and returns
what is handed in: other data, or bytes.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass

import nbformat

FULL = (2, 3)


@dataclass(frozen=True)
class Case:
    """A damage, and what must become of it.

    Attributes:
        name: the student's id.
        make: makes it.
        points: of ``test_double`` and ``test_halve``.
        status: how grading ends.
        told: what the reason, a message or a note says; if empty, there is no reason.
        same: whether what is graded is the same as without the damage.
    """

    name: str
    make: Callable
    points: tuple[int, int] = FULL
    status: str = "graded"
    told: str = ""
    same: bool = False


def refused(name, make, told):
    return Case(name, make, (0, 0), "refused", told)


def same(name, make):
    return Case(name, make, same=True)


def cell(data, name):
    """The cell with this ``grade_id``."""
    found = (c for c in data["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == name)
    return next(found)


def edit(*names, **fields):
    """Give these cells other fields; all cells if none is named."""

    def make(data):
        for one in [cell(data, name) for name in names] or data["cells"]:
            one.update(copy.deepcopy(fields))
        return data

    return make


def without(*fields, only=None):
    """Take fields out of all cells, or out of one."""

    def make(data):
        for one in [cell(data, only)] if only else data["cells"]:
            for name in fields:
                one.pop(name, None)
        return data

    return make


def top(**fields):
    """Other fields beside the cells."""
    return lambda data: {**data, **fields}


def said(text, name="double"):
    """Add a text to an answer."""

    def make(data):
        one = cell(data, name)
        one["source"] = f"{''.join(one['source'])}{text}"
        return data

    return make


def encoded(encoding, start=b""):
    return lambda data: start + json.dumps(data, ensure_ascii=False).encode(encoding)


def raw(content):
    return lambda data: content


def cut_off(data):
    return json.dumps(data).encode()[:900]


def written(old, new):
    """Replace a piece of the file."""
    return lambda data: json.dumps(data).replace(old, new).encode()


def format_3(number):
    def make(data):
        old = nbformat.reads(json.dumps(data), as_version=3)
        return {**old, "nbformat": number}

    return make


def nested(depth):
    """Metadata in lists in lists."""
    return lambda data: (
        json.dumps({**data, "metadata": 0})[:-1].encode()
        + (b', "more": ' + b"[" * depth + b"]" * depth + b"}")
    )


def joined(mark):
    """Each source as a list of lines with these ends."""

    def make(data):
        for one in data["cells"]:
            lines = "".join(one["source"]).split("\n")
            one["source"] = [line + mark for line in lines[:-1]] + lines[-1:]
        return data

    return make


def named(**grade_ids):
    """Give cells another ``grade_id``."""

    def make(data):
        cells = {old: cell(data, old) for old in grade_ids}
        for old, new in grade_ids.items():
            cells[old]["metadata"]["nbgrader"]["grade_id"] = new
        return data

    return make


def both(*steps):
    def make(data):
        for step in steps:
            data = step(data)
        return data

    return make


def added(source, place=99, **fields):
    """Put a cell of the student's somewhere."""

    def make(data):
        one = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        data["cells"].insert(place, {**one, "id": f"added-{place}", "source": source, **fields})
        return data

    return make


def deleted(name):
    def make(data):
        data["cells"].remove(cell(data, name))
        return data

    return make


def reversed_cells(data):
    data["cells"].reverse()
    return data


def split(data):
    """The lines of an answer in two cells with one name, as an editor splits them."""
    first, second = cell(data, "double"), copy.deepcopy(cell(data, "double"))
    first["source"], second["source"] = (
        "def half(x):\n    return x",
        "double = lambda x: 2 * half(x)",
    )
    data["cells"].insert(data["cells"].index(first) + 1, {**second, "id": "second"})
    return data


def merged(data):
    """Two answers in the first of their cells."""
    source = "".join(cell(data, "halve")["source"])
    return both(said(f"\n\n{source}"), deleted("halve"))(data)


def bare(data):
    """Only types and texts are left."""
    for one in data["cells"]:
        one["metadata"] = {}
        del one["id"]
    return data
