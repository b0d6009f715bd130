"""`check`: what a student can find out before handing in."""

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution
from traitlets.config import Config

from grading.commands import Answer
from grading.course import CONFIG_FILE, Course, CourseError
from grading.intake import MEGABYTE, Intake, Submission, read_file
from grading.notebooks import Refused, decode, read_submission
from grading.results import plain_line
from grading.room import obstacle
from grading.task import Outcome, Package, run_submission
from grading.warm_process import name_kernelspec

HELP = "for students: run the visible tests on a notebook as the grader would"
DESCRIPTION = """\
For students. Runs your notebook from top to bottom as the grader does, in a fresh session, and says
which of the visible tests pass. Your file is not changed. The grader has more tests than these.

If the course's release/ folder is at hand, the tests come from there, as in grading: an edited test
in your notebook changes nothing. Else they are those of your file.

  python -m grading check digits_0_to_4.ipynb"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The notebook."""
    parser.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="the file to be checked")


def run(_, options: argparse.Namespace) -> Iterator[Answer]:
    """Check one notebook."""
    path = options.notebook
    if not path.is_file():
        raise CourseError(f"there is no file {path}; name the notebook that you want to check")
    name_kernelspec()
    settings, released = _course(Path(options.course), path)
    limit = Intake(config=settings).notebook_size
    try:
        content = read_file(path.resolve(), limit * MEGABYTE, f"larger than {limit} MB")
        read_submission(decode(content))
    except Refused as error:
        raise CourseError(f"{path} would be refused: {error}") from error
    if obstacle():
        settings.SandboxProvisioner.isolate = False
    given = released.read_bytes() if released else content
    key = hashlib.sha256(given).hexdigest()
    package = Package(key, {path.stem: given}, {}, settings, released=True)
    found = run_submission(package, Submission({path.stem: content}))
    for name in _hidden(read_submission(decode(given))):
        found.points.pop(name)
    yield Answer(_text(path, released, found), _data(path, released, found), _passed(found))


def _hidden(nb: NotebookNode) -> list[str]:
    """The tests of which a student sees nothing."""
    tests = [cell for cell in nb.cells if is_grade(cell) and not is_solution(cell)]
    return [cell.metadata.nbgrader.grade_id for cell in tests if not cell.source.strip()]


def _course(root: Path, path: Path) -> tuple[Config, Path | None]:
    """The course's settings, and the notebook that the student was given, as far as at hand."""
    if not (root / CONFIG_FILE).is_file():
        settings = Config()
        settings.ExecuteSubmission.kernel_name = "sandbox"
        return settings, None
    course = Course(root)
    for assignment in course.assignments():
        released = course.folder("release", assignment) / path.name
        if released.is_file():
            return course.settings, released
    return course.settings, None


def _passed(found: Outcome) -> bool:
    return found.status == "graded" and not found.messages


def _text(path: Path, released: Path | None, found: Outcome) -> str:
    lines = [f"{path.name}, with the tests {'as released' if released else 'of this file'}"]
    if found.reason:
        lines.append(f"{found.status}: {plain_line(found.reason)}")
    size = max(map(len, [*found.points, *found.messages]), default=0)
    for name in dict.fromkeys([*found.points, *found.messages]):
        said = plain_line(found.messages.get(name, ""))
        lines.append(f"{name:<{size}}  {f'not yet: {said}' if said else 'passes'}")
    return "\n".join(lines)


def _data(path: Path, released: Path | None, found: Outcome) -> dict:
    data = {name: value for name, value in asdict(found).items() if name != "notebooks"}
    return {"notebook": str(path), "released": str(released) if released else None, **data}
