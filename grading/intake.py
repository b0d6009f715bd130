"""Read what was handed in, whatever it is."""

import json

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


class Refused(Exception):
    """A file that cannot be read as a notebook; the message says why."""


def read_submission(text: str) -> NotebookNode:
    """The notebook in ``text``, whatever its format, with only those cells that are cells.

    Raises:
        Refused: if there is none.

    >>> read_submission("")
    Traceback (most recent call last):
    grading.intake.Refused: the file is empty
    """
    text = text.removeprefix("\ufeff")  # some editors put this mark in front
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

    def from_file(self, file_stream, resources=None, **kw):
        """Read the stream as a notebook, or begin an empty one that says why that failed."""
        try:
            nb = read_submission(file_stream.read())
        except UnicodeDecodeError:
            reason = "the file is not UTF-8 text"
        except Refused as error:
            reason = str(error)
        else:
            return self.from_notebook_node(nb, resources=resources, **kw)
        resources["grading"] = {"status": "refused", "reason": reason}
        return self.from_notebook_node(nbformat.v4.new_notebook(), resources=resources, **kw)
