"""Turn an answer in text form into the file that a student would hand in."""

import copy

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions
from nbgrader.utils import is_grade, is_solution

from grading.answers import Answer, AnswerError


def write_submission(answer: Answer, source: NotebookNode, released: NotebookNode) -> bytes:
    """The file that this student hands in.

    Args:
        answer: what the student wrote.
        source: the instructor's notebook, with solutions.
        released: the notebook that the student was given.

    Raises:
        AnswerError: if a cell that the answer names does not exist, or is of another kind.
    """
    nb = copy.deepcopy(released)
    solutions = {_name(cell): cell for cell in nb.cells if is_solution(cell)}
    tests = {_name(cell) for cell in nb.cells if _is_test(cell)}
    known = {name for cell in nb.cells if (name := _name(cell))}
    _check_names(answer, "the block", answer.cells, set(solutions))
    for key in ("points", "message"):
        value = getattr(answer, key)
        _check_names(answer, key, value if isinstance(value, dict) else {}, tests)
    if answer.base == "solution":
        for cell in source.cells:
            if is_solution(cell):
                solutions[_name(cell)].source = reference(cell)
    for name, (kind, text) in answer.cells.items():
        if solutions[name].cell_type != kind:
            raise AnswerError(f"{answer.path}: {name} is a {solutions[name].cell_type} cell")
        solutions[name].source = text
    for kind in ("duplicate", "move", "retype", "delete"):
        _check_names(answer, f"damage: {kind}", answer.damage.get(kind, []), known)
        for name in answer.damage.get(kind, []):
            _hurt(nb, kind, name)
    content = nbformat.writes(nb).encode("utf-8")
    size = {"empty": 0, "truncated": len(content) // 2}
    return content[: size.get(*answer.damage.get("file", [""]), len(content))]


def reference(cell: NotebookNode) -> str:
    """The text of a source cell, with its solution and without the marker lines."""
    markers = ClearSolutions()
    delimiters = (markers.begin_solution_delimeter, markers.end_solution_delimeter)
    lines = cell.source.split("\n")
    return "\n".join(line for line in lines if not any(mark in line for mark in delimiters))


def _name(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _is_test(cell: NotebookNode) -> bool:
    return is_grade(cell) and not is_solution(cell)


def _check_names(answer: Answer, where: str, names: object, known: set[str]) -> None:
    for name in names:
        if name not in known:
            there = ", ".join(sorted(known))
            raise AnswerError(f"{answer.path}: {where} names {name!r}; there are {there}")


def _hurt(nb: NotebookNode, kind: str, name: str) -> None:
    place = next(n for n, cell in enumerate(nb.cells) if _name(cell) == name)
    cell = nb.cells[place]
    if kind == "delete":
        del nb.cells[place]
    elif kind == "duplicate":
        twin = copy.deepcopy(cell)
        twin.id = f"{name[:50]}-twin"
        nb.cells.insert(place + 1, twin)
    elif kind == "move":
        nb.cells.append(nb.cells.pop(place))
    elif cell.cell_type == "code":
        cell.cell_type = "markdown"
        del cell["outputs"], cell["execution_count"]
    else:
        cell.update(cell_type="code", outputs=[], execution_count=None)


def points_of_tests(nb: NotebookNode) -> dict[str, float]:
    """The points of each test cell of a notebook."""
    return {
        _name(cell): float(cell.metadata.nbgrader.points) for cell in nb.cells if _is_test(cell)
    }
