"""Run a submission so that nothing is lost, and nothing is earned by not running."""

import ast
import asyncio
import time

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import has_failed, is_grade, is_solution
from traitlets import Bool, Integer, default

NO_MEMORY = ("MemoryError", "DefaultCPUAllocator: can't allocate memory")
OUTPUTS = ("stream", "display_data", "execute_result", "update_display_data")
MEGABYTE = 10**6


class ExecuteSubmission(Execute):
    """nbgrader's execution, with these differences.

    - Text on stderr costs no points: a warning is not an error.
    - A test cell that did not run is an error. For nbgrader no output means full marks.
    - What a test displays gives no points, unless the test ends with a value: only that counts.
    - A kernel that dies, or that can no longer be interrupted, ends the run and keeps what was
      earned so far. For nbgrader the whole submission is lost.
    - All cells together have a time limit, and so has the amount of output.
    - A refused submission is not run.

    The notebook's metadata then tells how it ended: ``{"grading": {"status": …, "reason": …}}``
    with the status ``timed out``, ``out of memory``, ``crashed`` or ``refused``. Without it, all
    went well.
    """

    iopub_timeout = Integer(
        10, help="Seconds to wait for the rest of a cell's output after its end or interruption."
    ).tag(config=True)

    coalesce_streams = Bool(
        True, help="Whether printed lines in a row become one output, not one for each."
    ).tag(config=True)

    time_limit = Integer(900, help="Seconds for all cells together.").tag(config=True)

    output_limit = Integer(10, help="Megabytes of output of all cells together.").tag(config=True)

    @default("error_on_timeout")
    def _error_on_timeout(self) -> dict:
        return {"ename": "CellTimeoutError", "evalue": "this cell ran too long", "traceback": []}

    def preprocess(
        self, nb: NotebookNode, resources: dict | None = None, km: object = None
    ) -> tuple[NotebookNode, dict]:
        """Run all cells, then see to warnings and to cells that did not run."""
        self._ending = dict(nb.metadata.get("grading", {}))
        self._gone = bool(self._ending)
        self._end_time = time.monotonic() + self.time_limit
        self._output_left = self.output_limit * MEGABYTE
        if not self._gone:
            self.timeout_func = self._seconds_left
            nb, resources = super().preprocess(nb, resources, km)
        for cell in nb.cells:
            if cell.cell_type == "code":
                _keep_warnings(cell)
                _fail_if_not_run(cell, self._ending.get("reason", "it was skipped"))
                _keep_last_value(cell)
        if self._ending:
            nb.metadata["grading"] = self._ending
        return nb, resources

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Run one cell, unless the kernel is gone."""
        if self._gone:
            return cell, resources
        # tells the kernel to restore what a test relies on: see grading.guard
        self.kc.session.metadata = {"grading": cell.metadata.get("grading", "")}
        name = _name(cell)
        seconds = self._seconds_left(cell)
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            self._gone = True
            self._end(cell, *self._cause_of_death(name))
        except CellTimeoutError:
            self._gone = True
            reason = f"{name} was still running after {seconds} s and did not let itself stop"
            self._end(cell, "timed out", "CellTimeoutError", reason)
        if any(output.get("ename") == "OutputLimit" for output in cell.get("outputs", [])):
            # the interruption is the grader's, and says nothing to the student
            cell.outputs = [o for o in cell.outputs if o.get("ename") != "KeyboardInterrupt"]
        for output in cell.get("outputs", []):
            if output.get("ename") == "CellTimeoutError":
                reason = f"{name} was still running after {seconds} s"
                output.evalue = f"this cell was still running after {seconds} s and was stopped"
                output.traceback = [output.evalue]
                self._ending = self._ending or {"status": "timed out", "reason": reason}
            elif _says_no_memory(output):
                reason = f"{name} needed more memory than there is"
                self._ending = self._ending or {"status": "out of memory", "reason": reason}
        return cell, resources

    def process_message(self, msg: dict, cell: NotebookNode, cell_index: int) -> object:
        """Keep an output, as long as there is room for it; then stop the cell."""
        if msg["msg_type"] not in OUTPUTS:
            return super().process_message(msg, cell, cell_index)
        before = self._output_left
        self._output_left -= len(str(msg["content"]))
        if self._output_left >= 0:
            return super().process_message(msg, cell, cell_index)
        if before >= 0:
            reason = f"more than {self.output_limit} MB of output; the rest is left out"
            cell.outputs.append(_error("OutputLimit", f"{_name(cell)} brought it to {reason}"))
            self._interrupting = asyncio.ensure_future(self.km.interrupt_kernel())
        return None

    def _seconds_left(self, cell: NotebookNode) -> int:
        """The time limit of a cell: its own, or what is left of the notebook's."""
        left = max(1, round(self._end_time - time.monotonic()))
        return min(self.timeout, left) if self.timeout else left

    def _cause_of_death(self, name: str) -> tuple[str, str, str]:
        """Status, error and reason for a kernel that is gone."""
        provisioner = getattr(self.km, "provisioner", None)
        if getattr(provisioner, "out_of_memory", False):
            return "out of memory", "OutOfMemory", f"{name} needed more memory than there is"
        if getattr(provisioner, "out_of_time", False):
            reason = f"{name} used up the time of the processor that a submission has"
            return "timed out", "OutOfTime", reason
        return "crashed", "KernelDied", f"the kernel died in {name}"

    def _end(self, cell: NotebookNode, status: str, ename: str, reason: str) -> None:
        self._ending = {"status": status, "reason": reason}
        cell.outputs.append(_error(ename, reason))


def _name(cell: NotebookNode) -> str:
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    return f"the cell {grade_id}" if grade_id else "a cell without a name"


def _says_no_memory(output: NotebookNode) -> bool:
    said = f"{output.get('ename')}: {output.get('evalue')}"
    return any(words in said for words in NO_MEMORY)


def _error(ename: str, evalue: str) -> NotebookNode:
    return new_output("error", ename=ename, evalue=evalue, traceback=[f"{ename}: {evalue}"])


def _keep_warnings(cell: NotebookNode) -> None:
    """Turn stderr into stdout: nbgrader gives a cell with any text on stderr 0 points."""
    for output in cell.outputs:
        if output.output_type == "stream":
            output.name = "stdout"


def _fail_if_not_run(cell: NotebookNode, reason: str) -> None:
    if not cell.source.strip():
        return  # there was nothing to run
    if is_grade(cell) and cell.execution_count is None and not has_failed(cell):
        cell.outputs.append(_error("NotRun", f"this cell did not run: {reason}"))


def _keep_last_value(cell: NotebookNode) -> None:
    """Of a test's values keep the one that its last line gives.

    nbgrader reads a value as partial credit, and takes the first. A student's function that the
    test calls could show one.
    """
    if not is_grade(cell) or is_solution(cell):
        return
    values = [output for output in cell.outputs if output.output_type == "execute_result"]
    kept = values[-1:] if _ends_with_value(cell.source) else []
    cell.outputs = [
        output
        for output in cell.outputs
        if output.output_type != "execute_result" or any(output is value for value in kept)
    ]


def _ends_with_value(source: str) -> bool:
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a line that only IPython understands
        return False
    return bool(body) and isinstance(body[-1], ast.Expr)
