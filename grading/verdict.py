"""What the outputs of a cell mean for its points: nbgrader goes by errors and values alone."""

import ast
import re

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.utils import has_failed, is_grade, is_solution

from grading.outputs import join_streams, plain_error

# how NumPy and PyTorch show one number: np.float64(0.5), tensor(0.5, dtype=torch.float64)
WRAPPED = re.compile(r"(?:np\.\w+|array|tensor)\(([^,()\[\]]+)(?:,[^()]*)?\)")

NO_MEMORY = ("MemoryError", "DefaultCPUAllocator: can't allocate memory")
LONGEST_NUMBER = 1_000  # letters


def settle(cell: NotebookNode, reason: str) -> None:
    """Let a cell's outputs say what its points are to be.

    Args:
        cell: a cell of code, after the run.
        reason: why it did not run, if it did not.
    """
    cell.outputs = join_streams(cell.outputs)
    _keep_warnings(cell)
    _fail_if_not_run(cell, reason)
    _keep_last_value(cell)


def says_no_memory(output: NotebookNode) -> bool:
    """Whether an output is the error of a cell that needed more memory than there is."""
    said = f"{output.get('ename')}: {output.get('evalue')}"
    return any(words in said for words in NO_MEMORY)


def keep_points(cell: NotebookNode, value: NotebookNode | None) -> None:
    """Keep a test's value where there is no room for output: without one nbgrader gives all points.

    Args:
        cell: the test.
        value: what it shows; of what it has shown before nothing is kept.
    """
    number = (value.data.get("text/plain", "") if value else "")[:LONGEST_NUMBER]
    cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
    cell.outputs.append(new_output("execute_result", data={"text/plain": number}))


def _keep_warnings(cell: NotebookNode) -> None:
    """Turn stderr into stdout: nbgrader gives a cell with any text on stderr 0 points."""
    for output in cell.outputs:
        if output.output_type == "stream":
            output.name = "stdout"


def _fail_if_not_run(cell: NotebookNode, reason: str) -> None:
    if not cell.source.strip():
        return  # there was nothing to run
    if is_grade(cell) and cell.execution_count is None and not has_failed(cell):
        cell.outputs.append(plain_error("NotRun", f"this cell did not run: {reason}"))


def _keep_last_value(cell: NotebookNode) -> None:
    """Of a test's values keep the one that its last line gives.

    nbgrader reads a value as partial credit, and takes the first. A student's function that the
    test calls could show one.
    """
    if not is_grade(cell) or is_solution(cell):
        return
    values = [output for output in cell.outputs if output.output_type == "execute_result"]
    cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
    if values and _ends_with_value(cell.source) and not has_failed(cell):
        cell.outputs.append(_points(cell, values[-1]))


def _points(cell: NotebookNode, value: NotebookNode) -> NotebookNode:
    """A test's value, or an error where nbgrader would give all points to a wrong number."""
    text = value.data.get("text/plain", "").strip()
    wrapped = WRAPPED.fullmatch(text)
    number = wrapped[1] if wrapped else text
    highest = float(cell.metadata.nbgrader.points)
    try:
        wrong = not text or not 0 <= float(number) <= highest
    except ValueError:
        return value  # no number: all points
    if not wrong:
        value.data["text/plain"] = number
        return value
    return plain_error(
        "NoPoints", f"the test gave {text or 'nothing'}, not 0 to {highest:g} points"
    )


def _ends_with_value(source: str) -> bool:
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a line that only IPython understands
        return False
    return bool(body) and isinstance(body[-1], ast.Expr)
