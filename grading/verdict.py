"""What the outputs of a cell mean for its points: nbgrader goes by errors and values alone."""

import ast
import re
import tokenize

from IPython.core.displayhook import DisplayHook
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.utils import has_failed, is_grade, is_solution

from grading.outputs import join_streams, plain_error

# how NumPy and PyTorch show one number: np.float64(0.5), tensor(0.5, dtype=torch.float64)
WRAPPED = re.compile(r"(?:np\.\w+|array|tensor)\(([^,()\[\]]+)(?:,[^()]*)?\)")

ROUNDING = 1e-9  # of all points, by which a sum of their parts may miss
LONGEST_NUMBER = 50  # letters that a message quotes
NO_MEMORY = ("MemoryError", "DefaultCPUAllocator: can't allocate memory")


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


def believe(cell: NotebookNode, value: object) -> None:
    """Let the number that the kernel tells count, and nothing that was shown as one.

    Args:
        cell: a test that has passed.
        value: the number as text; anything else is none.
    """
    shown = [output for output in cell.outputs if output.output_type == "execute_result"]
    cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
    if isinstance(value, str) and not _is_quiet(cell.source):
        cell.outputs.append(new_output("execute_result", data={"text/plain": value}))
    else:
        cell.outputs += [new_output("display_data", data=output.data) for output in shown]


def _is_quiet(source: str) -> bool:
    """Whether a cell's value is not shown, since a semicolon stands behind it."""
    try:
        return bool(DisplayHook.semicolon_at_end_of_expression(source))
    except (SyntaxError, tokenize.TokenError):  # a line that only IPython understands
        return False


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
        worth = float(number or "nan")
    except ValueError:
        return value  # no number: all points
    if -ROUNDING * highest <= worth <= (1 + ROUNDING) * highest:
        value.data["text/plain"] = repr(min(max(0.0, worth), highest))
        return value
    said = text[:LONGEST_NUMBER] or "nothing"
    return plain_error("NoPoints", f"the test gave {said}, not 0 to {highest:g} points")


def _ends_with_value(source: str) -> bool:
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a line that only IPython understands
        return True
    return bool(body) and isinstance(body[-1], ast.Expr)
