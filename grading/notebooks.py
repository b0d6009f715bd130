"""Read the bytes of a notebook, whatever its encoding, its format and its damage."""

import json
import re

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
KINDS = {"heading": "markdown", "html": "markdown", **{kind: kind for kind in NEW_CELL}}
STARTS = {b"PK\x03\x04": "a zip", b"%PDF": "a PDF", b"<": "a page of HTML or XML"}
MOST_CELLS = 2000


class Refused(Exception):
    """A file that cannot be read as a notebook; the message says why."""


def decode(content: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 or UTF-32; or in Latin-1, if it may be a notebook.

    Raises:
        Refused: if it is none of these.

    >>> decode(b"%PDF-1.7")
    Traceback (most recent call last):
    grading.notebooks.Refused: the file is a PDF, not a notebook
    """
    start = content[:100].lstrip()
    for sign, kind in STARTS.items():
        if start.startswith(sign):
            raise Refused(f"the file is {kind}, not a notebook")
    try:
        return content.decode(json.detect_encoding(content))
    except UnicodeDecodeError as error:
        if start.startswith(b"{"):
            return content.decode("latin-1")
        raise Refused("the file is not UTF-8 text") from error


def read_submission(text: str) -> NotebookNode:
    """The cells in ``text``, each with its text, its id and nbgrader's name for it.

    All else is left out: tools and hands damage it, and nothing of it is graded. So a notebook of
    any format is read, and one that claims a wrong format.

    Raises:
        Refused: if there are none.

    >>> read_submission("")
    Traceback (most recent call last):
    grading.notebooks.Refused: the file is empty
    """
    if not text.strip():
        raise Refused("the file is empty")
    try:
        data = json.loads(text, parse_int=float)  # which has no limit of digits
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"the file is not JSON, it was damaged or cut off ({str(error)[:100]})"
        ) from error
    cells = _cells(data)
    if len(cells) > MOST_CELLS:
        raise Refused(f"the notebook has {len(cells):,} cells, and may have {MOST_CELLS:,}")
    plain = [_plain_cell(cell) for cell in cells]
    nb = new_notebook()
    nb.cells = [cell for cell in plain if cell]
    if not nb.cells:
        why = f": none of {len(cells)} has a text" if cells else ""
        raise Refused(f"the notebook has no cells{why}")
    return nb


def _cells(data: object) -> list:
    """The list of cells in a notebook's data; until 2015 it was in a list of worksheets."""
    if isinstance(data, dict) and isinstance(data.get("cells"), list):
        return data["cells"]
    sheets = data.get("worksheets") if isinstance(data, dict) else None
    lists = [
        sheet["cells"]
        for sheet in (sheets if isinstance(sheets, list) else [])
        if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
    ]
    if not lists:
        raise Refused("the file is JSON, but not a notebook: it has no list of cells")
    return [cell for cells in lists for cell in cells]


def _plain_cell(cell: object) -> NotebookNode | None:
    """A cell with what is taken of it; None if it has no text."""
    source = cell.get("source", cell.get("input")) if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        # a tool that lost the line ends meant lines all the same
        whole = any(line.endswith("\n") for line in source)
        source = ("" if whole else "\n").join(source)
    if not isinstance(source, str):
        return None
    source = _sound(source.replace("\r\n", "\n").replace("\r", "\n"))
    kind = cell.get("cell_type")
    known = KINDS.get(kind) if isinstance(kind, str) else None
    plain = NEW_CELL[known or ("code" if "outputs" in cell else "raw")](source)
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if isinstance(nbgrader, dict):
        flat = {
            key: value for key, value in nbgrader.items() if isinstance(value, str | float | bool)
        }
        plain.metadata["nbgrader"] = NotebookNode(flat)
    plain.id = cell["id"] if isinstance(cell.get("id"), str) else ""
    if plain.cell_type == "markdown" and (pictures := _pictures(cell.get("attachments"))):
        plain["attachments"] = pictures
    return plain


def _pictures(attachments: object) -> NotebookNode:
    """The pictures in a written answer, as far as they are as the format has them."""
    found = NotebookNode()
    for name, bundle in attachments.items() if isinstance(attachments, dict) else ():
        if isinstance(bundle, dict) and all(isinstance(data, str) for data in bundle.values()):
            kinds = [kind for kind in bundle if re.fullmatch(r"image/[a-z0-9.+-]+", kind)]
            found[_sound(name)] = NotebookNode({kind: _sound(bundle[kind]) for kind in kinds})
    return found


def _sound(text: str) -> str:
    """The text without halves of surrogate pairs: valid in JSON, they cannot be written."""
    return text.encode("utf-8", "replace").decode("utf-8")
