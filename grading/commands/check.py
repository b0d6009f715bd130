"""`check`: what a student can find out before handing in."""

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution
from traitlets.config import Config

from grading import leftovers
from grading.commands import Answer
from grading.course import CONFIG_FILE, Course, CourseError
from grading.environment import package_files
from grading.intake import MEGABYTE, Intake, Submission, read_file
from grading.matching import Sources, Unknown, read_content
from grading.notebooks import Refused, decode, read_submission
from grading.results import plain_line
from grading.room import obstacle
from grading.settings import check_settings
from grading.task import Outcome, Package, run_submission
from grading.warm_process import name_kernelspec

HELP = "for students: run the visible tests on a notebook as the grader would"
DESCRIPTION = """\
For students. Runs your notebook from top to bottom as the grader does, in a fresh session, and says
which of the visible tests pass. Your file is not changed. The grader has more tests than these.
The files beside your notebook are at hand while it runs; other notebooks are not.

The tests come from release/<assignment>/ in the course's folder (--course; else the folder you are
in), together with the files that lie there: an edited test in your notebook changes nothing. Your
file may have any name: its cells tell the assignment. If the course's folder is not at hand, or has
no such assignment, the tests are those of your file.

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
    root = Path(options.course)
    course = Course(root) if (root / CONFIG_FILE).is_file() else None
    settings = course.settings if course else Config(ExecuteSubmission={"kernel_name": "sandbox"})
    check_settings(settings)
    intake = Intake(config=settings)
    content = _read(path, intake)
    released = _released(course, path, content) if course else None
    files = package_files(released.parent) if released else {}
    # other notebooks are named as well, so that nobody is told that they were left out
    folder = path.resolve().parent
    beside = intake.read(folder, [other.stem for other in folder.glob("*.ipynb")], files)
    given = released.read_bytes() if released else content
    name = released.stem if released else path.stem
    key = hashlib.sha256(given).hexdigest()
    package = Package(key, {name: given}, files, settings, released=True)
    submission = Submission({name: content}, beside.files, beside.problems)
    with leftovers.together():
        leftovers.sweep()
        if obstacle():
            settings.SandboxProvisioner.isolate = False
        found = run_submission(package, submission)
    for name in _hidden(read_submission(decode(given))):
        found.points.pop(name, None)  # there are none where nothing was run
    yield Answer(_text(path, released, found), _data(path, released, found), _passed(found))


def _read(path: Path, intake: Intake) -> bytes:
    limit = intake.notebook_size
    try:
        content = read_file(path.resolve(), limit * MEGABYTE, f"larger than {limit} MB")
        read_submission(decode(content))
    except Refused as error:
        raise CourseError(f"{path} would be refused: {error}") from error
    return content


def _released(course: Course, path: Path, content: bytes) -> Path | None:
    """The notebook that the student was given, if it is at hand."""
    try:
        found = Sources(course, "release").find(read_content(content), [path.name])
    except Unknown:
        return None
    return course.folder("release", found[0]) / f"{found[1]}.ipynb"


def _hidden(nb: NotebookNode) -> list[str]:
    """The tests of which a student sees nothing."""
    tests = [cell for cell in nb.cells if is_grade(cell) and not is_solution(cell)]
    return [cell.metadata.nbgrader.grade_id for cell in tests if not cell.source.strip()]


def _passed(found: Outcome) -> bool:
    return found.status == "graded" and not found.messages


def _text(path: Path, released: Path | None, found: Outcome) -> str:
    tests = f"as released in {released.parent.name}/{released.name}" if released else "of this file"
    lines = [f"{path.name}, with the tests {tests}"]
    if obstacle():
        lines.append(f"run with your own rights, since it could not be isolated: {obstacle()}")
    if found.reason:
        lines.append(f"{found.status}: {plain_line(found.reason)}")
    size = max(map(len, [*found.points, *found.messages]), default=0)
    for name in dict.fromkeys([*found.points, *found.messages]):
        said = plain_line(found.messages.get(name, ""))
        lines.append(f"{name:<{size}}  {f'not yet: {said}' if said else 'passes'}")
    return "\n".join(lines)


def _data(path: Path, released: Path | None, found: Outcome) -> dict:
    data = {name: value for name, value in asdict(found).items() if name != "notebooks"}
    place = str(released) if released else None
    return {"notebook": str(path), "released": place, "obstacle": obstacle(), **data}
