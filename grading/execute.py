"""Run a submission so that nothing is lost, and nothing is earned by not running."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator

from nbclient.client import CellExecutionComplete
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from traitlets import Integer, default

from grading.kernels import ForkedKernel
from grading.memory import MEGABYTE, MemoryWatch
from grading.outputs import (
    ERRORS,
    CautiousManager,
    build_error,
    build_output,
    plain_error,
    size,
)
from grading.proof import prove
from grading.verdict import believe, says_no_memory, settle

SPARE, SPARE_GIVEN = 10**5, 10**7  # bytes that a cell may bring beyond the limit before its stop
SHOWN = ("stream", "display_data", "execute_result", "update_display_data")


class ExecuteSubmission(Execute):
    """nbgrader's execution, with these differences.

    - Text on stderr costs no points: a warning is not an error.
    - A test cell that did not run is an error. For nbgrader no output means full marks.
    - What a test displays gives no points: only a number that it ends with counts.
    - A kernel that dies, or that can no longer be interrupted, ends the run and keeps what was
      earned so far. For nbgrader the whole submission is lost.
    - All cells together have a time limit, and so has the amount of output: what is beyond it is
      left out, but for errors, and much of it stops the cell. A kernel that sends so much at once
      that it fills the memory of this process is ended.
    - Outputs are built anew from the kernel's messages, since a submission can forge these.
    - The end of a cell counts if the kernel itself has told it. It is given a secret word with the
      cell, and signs with it how the cell has ended, and what number a test has given.
    - A refused submission is not run.

    The notebook's metadata then tells how it ended: ``{"grading": {"status": …, "reason": …}}``
    with the status ``timed out``, ``out of memory``, ``crashed`` or ``refused``. Without it, all
    went well.
    """

    iopub_timeout = Integer(
        10,
        min=1,
        help="Seconds to wait for the rest of a cell's output after its end or interruption.",
    ).tag(config=True)

    time_limit = Integer(900, min=1, help="Seconds for all cells together.").tag(config=True)

    output_limit = Integer(10, min=1, help="Megabytes of output of all cells.").tag(config=True)

    memory_limit = Integer(
        200, min=1, help="Megabytes of the grader's own memory that a kernel may fill with output."
    ).tag(config=True)

    def __init__(self, **kwargs):
        super().__init__(
            **{"kernel_manager_class": CautiousManager, "record_timing": False, **kwargs}
        )

    @default("error_on_timeout")
    def _error_on_timeout(self) -> dict:
        return {"ename": "CellTimeoutError", "evalue": "this cell ran too long", "traceback": []}

    def preprocess(
        self, nb: NotebookNode, resources: dict | None = None, km: object = None
    ) -> tuple[NotebookNode, dict]:
        """Run all cells, then see to warnings and to cells that did not run."""
        self._ending = dict(nb.metadata.get("grading", {}))
        self._gone = bool(self._ending)
        self._end_time = 0.0  # known when the first cell starts: the kernel's start does not count
        self._output_left = self.output_limit * MEGABYTE
        self._shown: dict[str, list[NotebookNode]] = {}
        if not self._gone:
            self.timeout_func = self._seconds_left
            nb, resources = super().preprocess(nb, resources, km)
            if self._memory.full and not self._ending:
                self._ending = {"status": "crashed", "reason": self._overflow("the last cell")}
        for cell in nb.cells:
            if cell.cell_type == "code":
                settle(cell, self._ending.get("reason", "it was skipped"))
        if self._ending:
            nb.metadata["grading"] = self._ending
        return nb, resources

    @contextlib.contextmanager
    def setup_kernel(self, **kwargs) -> Iterator[None]:
        """Have a kernel, and watch what it does to this process's memory until it is gone."""
        with contextlib.ExitStack() as stack, super().setup_kernel(**kwargs):
            watch = MemoryWatch(self.memory_limit, self.km.provisioner)
            self._memory = stack.enter_context(watch)
            yield

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Run one cell, unless the kernel is gone."""
        if self._gone:
            return cell, resources
        name = _name(cell)
        self._end_time = self._end_time or time.monotonic() + self.time_limit
        if time.monotonic() >= self._end_time:
            self._gone = True
            reason = f"all cells together had {self.time_limit} s, which were over before {name}"
            self._end(cell, "timed out", "CellTimeoutError", reason)
            return cell, resources
        # the kernel restores what a test relies on, and gives the proof back: see grading.guard
        self._proof = secrets.token_hex()
        kind = cell.metadata.get("grading", "")
        self.kc.session.metadata = {"grading": kind, "proof": self._proof}
        self._spare = SPARE_GIVEN if kind else SPARE  # tests may draw figures
        seconds = self._seconds_left(cell)
        end = time.monotonic() + seconds
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            self._gone = True
            self._end(cell, *self._cause_of_death(name))
        except CellTimeoutError:
            self._gone = True
            late = f"was still running after {seconds} s and did not let itself stop"
            if time.monotonic() < end:
                late = f"ended, but its last output did not come within {self.iopub_timeout} s"
            self._end(cell, "timed out", "CellTimeoutError", f"{name} {late}")
        if any(output.get("ename") == "OutputLimit" for output in cell.get("outputs", [])):
            # the interruption is the grader's, and says nothing to the student
            cell.outputs = [o for o in cell.outputs if o.get("ename") != "KeyboardInterrupt"]
        for output in cell.get("outputs", []):
            if output.get("ename") == "CellTimeoutError":
                reason = f"{name} was still running after {seconds} s"
                output.evalue = f"this cell was still running after {seconds} s and was stopped"
                output.traceback = [output.evalue]
                self._ending = self._ending or {"status": "timed out", "reason": reason}
            elif says_no_memory(output):
                reason = f"{name} needed more memory than there is"
                self._ending = self._ending or {"status": "out of memory", "reason": reason}
        return cell, resources

    def process_message(self, msg: dict, cell: NotebookNode, cell_index: int) -> None:
        """Keep what the kernel says of a cell, as long as there is room for it."""
        kind, content = msg["msg_type"], msg["content"]
        if kind == "status":
            if isinstance(content, dict) and content.get("execution_state") == "idle":
                raise CellExecutionComplete
        elif kind != "execute_input":
            self._output_left -= (length := size(msg))
            if self._output_left < 0:
                self._leave_out(kind, length, cell)
            if kind == "error":
                if sum(output.output_type == "error" for output in cell.outputs) < ERRORS:
                    cell.outputs.append(build_output(kind, content))
            elif self._output_left >= 0 and isinstance(content, dict):
                self._show(kind, content, cell)

    def _leave_out(self, kind: str, length: int, cell: NotebookNode) -> None:
        """Show no more than there is room for; stop a cell that takes much more."""
        words = f"more than {self.output_limit} MB of output; the rest is left out"
        if self._output_left + length >= 0:
            cell.outputs.append(new_output("stream", text=f"{words}\n"))
        before, self._spare = self._spare, self._spare - length
        if before >= 0 > self._spare:
            cell.outputs.append(plain_error("OutputLimit", f"{_name(cell)} brought it to {words}"))
            if kind != "error":  # after which a cell ends by itself
                self._interrupting = asyncio.ensure_future(self.km.interrupt_kernel())

    def _show(self, kind: str, content: dict, cell: NotebookNode) -> None:
        """Show, change or clear a cell's output; errors stay."""
        if kind == "clear_output":
            self.clear_before_next_output = bool(content.get("wait"))
            if not self.clear_before_next_output:
                _clear(cell)
            return
        transient = content.get("transient")
        name = str(transient.get("display_id") or "") if isinstance(transient, dict) else ""
        output = build_output(kind, content) if kind in SHOWN else None
        if output is None:
            return
        if kind == "update_display_data":
            for shown in self._shown.get(name, []):
                shown.data, shown.metadata = output.data, output.metadata
            return
        if self.clear_before_next_output:
            self.clear_before_next_output = False
            _clear(cell)
        cell.outputs.append(output)
        if name and kind == "display_data":
            self._shown.setdefault(name, []).append(output)

    def on_cell_executed(self, cell: NotebookNode, execute_reply: dict, **kwargs) -> None:
        """See to it that a failed cell has an error, and that the kernel has told its end."""
        content = execute_reply["content"]
        if not isinstance(content, dict) or content.get("status") not in ("ok", "error"):
            content = {"status": "error", "ename": "NoReply", "evalue": "the kernel gave no answer"}
        execute_reply["content"] = content
        cell.execution_count = self.code_cells_executed
        guarded = isinstance(getattr(self.km.provisioner, "process", None), ForkedKernel)
        if content["status"] == "error":
            # nbgrader goes by the errors that are shown
            shown = any(output.output_type == "error" for output in cell.outputs)
            if not shown or content.get("ename") == "CellTimeoutError":
                cell.outputs.append(build_error(content))
        elif guarded and content.get("proof") != prove(self._proof, "ok", content.get("value")):
            reason = "something other than the kernel said that this cell had ended"
            cell.outputs.append(plain_error("NoProof", reason))
        elif guarded and cell.metadata.get("grading") == "test":
            believe(cell, content.get("value"))

    def _seconds_left(self, cell: NotebookNode) -> int:
        """The time limit of a cell: its own, or what is left of the notebook's."""
        left = max(1, round(self._end_time - time.monotonic()))
        return min(self.timeout, left) if self.timeout else left

    def _cause_of_death(self, name: str) -> tuple[str, str, str]:
        """Status, error and reason for a kernel that is gone."""
        if self._memory.full:
            return "crashed", "OutputLimit", self._overflow(name)
        if getattr(self.km.provisioner, "out_of_memory", False):
            return "out of memory", "OutOfMemory", f"{name} needed more memory than there is"
        if getattr(self.km.provisioner, "out_of_time", False):
            reason = f"{name} used up the time of the processor that a submission has"
            return "timed out", "OutOfTime", reason
        return "crashed", "KernelDied", f"the kernel died in {name}"

    def _overflow(self, name: str) -> str:
        return f"{name} filled {self.memory_limit} MB of the grader's memory with output"

    def _end(self, cell: NotebookNode, status: str, ename: str, reason: str) -> None:
        self._ending = {"status": status, "reason": reason}
        cell.outputs.append(plain_error(ename, reason))


def _name(cell: NotebookNode) -> str:
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
    return f"the cell {grade_id}" if grade_id else "a cell without a name"


def _clear(cell: NotebookNode) -> None:
    cell.outputs = [output for output in cell.outputs if output.output_type == "error"]
