"""The work on one submission, as a function that any process on any machine can run.

It gets everything as bytes and returns everything as text. It touches neither the course folder nor
the gradebook: many of these run at a time, and one process writes down what they find.
"""

import functools
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from nbgrader.preprocessors import LimitOutput
from nbgrader.utils import determine_grade, is_grade, is_solution
from traitlets.config import Config, LoggingConfigurable

from grading.execute import ExecuteSubmission
from grading.intake import Submission
from grading.notebooks import Refused, decode, read_submission
from grading.transplant import InstructorCopy, refused, transplant
from grading.warm_process import name_kernelspec


@dataclass(frozen=True, eq=False)
class Package:
    """What a worker has to know of an assignment.

    Attributes:
        key: differs where anything that a score depends on differs.
        notebooks: the instructor's notebooks, by name.
        files: the instructor's other files, by path.
        settings: nbgrader's, as `traitlets.config.Config`.
        released: whether the notebooks are those that students were given.
    """

    key: str
    notebooks: dict[str, bytes]
    files: dict[str, bytes]
    settings: Config
    released: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Package) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass
class Outcome:
    """What running one submission gave.

    Attributes:
        notebooks: the graded notebooks, by name, as JSON.
        status: one of `grading.results.STATUSES`.
        reason: why it is not ``graded``.
        points: the points of each test cell, by ``grade_id``.
        messages: the errors, by the name of their cell.
    """

    notebooks: dict[str, str] = field(default_factory=dict)
    status: str = "graded"
    reason: str = ""
    points: dict[str, float] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)


def run_submission(package: Package, submission: Submission) -> Outcome:
    """Rebuild, execute and score what a student handed in; whatever happens is in the outcome."""
    outcome = Outcome()
    name_kernelspec()  # a worker of a cluster has not read nbgrader_config.py
    try:
        with tempfile.TemporaryDirectory(prefix="submission-") as place:
            for name, content in {**submission.files, **package.files}.items():
                path = Path(place, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            for name in package.notebooks:
                copy, content = instructor_copy(package, name), submission.notebooks.get(name, "")
                nb = rebuild(copy, content, submission.problems)
                _run_notebook(package, name, nb, place, outcome)
            outcome.reason = outcome.reason or "; ".join(submission.problems)
    except Exception as error:
        # whatever it is, it may not stop the class
        reason = f"grading went wrong: {type(error).__name__}: {error}"
        return Outcome(status="failed", reason=reason)
    return outcome


def _run_notebook(
    package: Package, name: str, nb: NotebookNode, place: str, outcome: Outcome
) -> None:
    resources = {"metadata": {"path": place}, "unique_key": name}
    for step in (ExecuteSubmission, LimitOutput):
        nb, resources = step(config=package.settings).preprocess(nb, resources)
    ending = nb.metadata.get("grading", {})
    if outcome.status == "graded":
        outcome.status = ending.get("status", "graded")
        outcome.reason = ending.get("reason", "")
    read_scores(nb, outcome)
    outcome.notebooks[name] = nbformat.writes(nb)


def rebuild(
    instructor: InstructorCopy, content: bytes | str, problems: Sequence[str] = ()
) -> NotebookNode:
    """The notebook to be graded, from what was handed in; or the empty one, with the reason."""
    try:
        if isinstance(content, str):
            raise Refused(content)
        return transplant(instructor, read_submission(decode(content)), problems)
    except Refused as error:
        return refused(instructor, str(error), problems)


@functools.lru_cache(maxsize=8)
def instructor_copy(package: Package, name: str) -> InstructorCopy:
    """The instructor's notebook, read once by each process."""
    with tempfile.TemporaryDirectory(prefix="source-") as place:
        path = Path(place, f"{name}.ipynb")
        path.write_bytes(package.notebooks[name])
        parent = LoggingConfigurable(config=package.settings)
        return InstructorCopy(path, parent=parent, released=package.released)


def read_scores(nb: NotebookNode, outcome: Outcome) -> None:
    """Add a graded notebook's points and messages to an outcome."""
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if cell.cell_type != "code":
            continue
        if is_grade(cell) and not is_solution(cell):
            outcome.points[name] = determine_grade(cell)[0] or 0.0
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors:
            text = strip_ansi(errors[-1].evalue).strip()
            if errors[-1].ename == "StdinNotImplementedError":
                text += " input() waits for a person, and none is there when this is graded"
            # An assertion's message speaks for itself; any other error needs its name.
            named = not text or errors[-1].ename != "AssertionError"
            message = f"{errors[-1].ename}: {text}".rstrip(": ") if named else text
            if message == "NotImplementedError":  # as the released notebook raises it
                message = "not answered"
            outcome.messages.setdefault(name or "a cell that you added", message)


def fingerprint(submission: Submission) -> str:
    """A hash of all that was handed in."""
    digest = hashlib.sha256("\n".join(submission.problems).encode())
    for name, content in sorted({**submission.notebooks, **submission.files}.items()):
        data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        digest.update(f"{name}\0{type(content).__name__}\0{len(data)}\0".encode("utf-8", "replace"))
        digest.update(data)
    return digest.hexdigest()
