"""Run a submission so that nothing is lost, and nothing is earned by not running."""

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import has_failed, is_grade
from traitlets import Bool, Integer, default


class ExecuteSubmission(Execute):
    """nbgrader's execution, with four differences.

    - Text on stderr costs no points: a warning is not an error.
    - A test cell that did not run is an error. For nbgrader no output means full marks.
    - A kernel that dies, or that can no longer be interrupted, ends the run and keeps what was
      earned so far. For nbgrader the whole submission is lost.
    - A refused submission is not run.

    The notebook's metadata then tells how it ended: ``{"grading": {"status": …, "reason": …}}``
    with the status ``timed out``, ``crashed`` or ``refused``. Without it, all went well.
    """

    iopub_timeout = Integer(
        10, help="Seconds to wait for the rest of a cell's output after its end or interruption."
    ).tag(config=True)

    coalesce_streams = Bool(
        True, help="Whether printed lines in a row become one output, not one for each."
    ).tag(config=True)

    @default("error_on_timeout")
    def _error_on_timeout(self) -> dict:
        message = f"this cell was still running after {self.timeout} s and was stopped"
        return {"ename": "CellTimeoutError", "evalue": message, "traceback": [message]}

    def preprocess(
        self, nb: NotebookNode, resources: dict | None = None, km: object = None
    ) -> tuple[NotebookNode, dict]:
        """Run all cells, then see to warnings and to cells that did not run."""
        self._ending = dict(nb.metadata.get("grading", {}))
        self._gone = bool(self._ending)
        if not self._gone:
            nb, resources = super().preprocess(nb, resources, km)
        for cell in nb.cells:
            if cell.cell_type == "code":
                _keep_warnings(cell)
                _fail_if_not_run(cell, self._ending.get("reason", "it was skipped"))
        if self._ending:
            nb.metadata["grading"] = self._ending
        return nb, resources

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Run one cell, unless the kernel is gone."""
        if self._gone:
            return cell, resources
        name = _name(cell)
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            self._gone = True
            self._end(cell, "crashed", "KernelDied", f"the kernel died in {name}")
        except CellTimeoutError:
            self._gone = True
            reason = f"{name} was still running after {self.timeout} s and did not let itself stop"
            self._end(cell, "timed out", "CellTimeoutError", reason)
        if any(output.get("ename") == "CellTimeoutError" for output in cell.get("outputs", [])):
            reason = f"{name} was still running after {self.timeout} s"
            self._ending = self._ending or {"status": "timed out", "reason": reason}
        return cell, resources

    def _end(self, cell: NotebookNode, status: str, ename: str, reason: str) -> None:
        self._ending = {"status": status, "reason": reason}
        cell.outputs.append(_error(ename, reason))


def _name(cell: NotebookNode) -> str:
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    return f"the cell {grade_id}" if grade_id else "a cell without a name"


def _error(ename: str, evalue: str) -> NotebookNode:
    return new_output("error", ename=ename, evalue=evalue, traceback=[f"{ename}: {evalue}"])


def _keep_warnings(cell: NotebookNode) -> None:
    """Turn stderr into stdout: nbgrader gives a cell with any text on stderr 0 points."""
    for output in cell.outputs:
        if output.output_type == "stream":
            output.name = "stdout"


def _fail_if_not_run(cell: NotebookNode, reason: str) -> None:
    if is_grade(cell) and cell.execution_count is None and not has_failed(cell):
        cell.outputs.append(_error("NotRun", f"this cell did not run: {reason}"))
