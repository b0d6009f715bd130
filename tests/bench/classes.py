"""What grading a class costs: beside plain nbgrader, by the size of the class, and once more.

`beside` takes one class through both whole commands: one whose notebook computes little, and one of
the course's own assignments. Its students compute, for both alike. `sizes` takes classes that
compute next to nothing, so what is left is the grader's own time.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell

from grading.course import Course
from grading.hand_in import write_submission
from grading.release import release
from grading.sample import find_answers
from tests.toy_course import RIGHT_DOUBLE, WRONG_DOUBLE, make_course, source_notebook

ROOT = Path(__file__).resolve().parents[2]
PLAIN = """\
c = get_config()
c.CourseDirectory.source_directory = "solutions"
c.ClearMarkScheme.enforce_metadata = False
"""
IMPORTS = "import matplotlib.pyplot as plt\nimport numpy as np\nimport torch"
MEGABYTE = 10**6
STUDENTS, CLASSES = 40, (40, 400, 2000)
TIMES_FASTER, MOST_SECONDS, MOST_AGAIN, MOST_MEMORY, MOST_GROWTH = 8, 0.35, 20, 1500, 1.1


def grade_classes(folder: Path) -> list[str]:
    """Print what grading costs; return the goals that were missed."""
    who = f"{STUDENTS} students, whole commands"
    print(f"\n{who:34}{'ours, s':>8}{'plain, s':>10}{'peak, MB':>10}")
    ratios, peaks = [], []
    for name, source, write in (light(), honest("signals")):
        ours, theirs, peak = beside(folder / name, name, source, write)
        ratios.append(theirs / ours)
        peaks.append(peak)
        print(f"{name:>34}{ours:8.1f}{theirs:10.1f}{peak:10.0f}; {ratios[-1]:.1f} times faster")
    print(f"goal where little is computed: {TIMES_FASTER} times faster\n")
    print(f"{'students who compute nothing':34}{'s each':>8}{'again, s':>10}{'peak, MB':>10}")
    rows = []
    for students, each, again, peak in sizes(folder, CLASSES):
        print(f"{students:>34}{each:8.3f}{again:10.1f}{peak:10.0f}", flush=True)
        rows.append((each, again))
        peaks.append(peak)
    each, again = zip(*rows, strict=True)
    print(
        f"{'goal: at most':>34}{MOST_SECONDS:8.3f}{MOST_AGAIN:10.1f}{MOST_MEMORY:10.0f}; the last "
        f"class takes {each[-1] / each[-2]:.2f} times as long for each as the one before"
    )
    met = {
        "times faster than nbgrader": ratios[0] >= TIMES_FASTER,
        "seconds of a submission": max(each) <= MOST_SECONDS,
        "growth with the class": each[-1] <= MOST_GROWTH * each[-2],
        "seconds of an unchanged class": max(again) <= MOST_AGAIN,
        "memory of grading": max(peaks) <= MOST_MEMORY,
    }
    return [name for name, is_met in met.items() if not is_met]


def light() -> tuple[str, nbformat.NotebookNode, Callable]:
    """The toy course, with what all notebooks of the course import; and what its students write."""
    source = source_notebook()
    source.cells.insert(1, new_code_cell(IMPORTS))
    return "toy", source, _toy_answer


def honest(assignment: str) -> tuple[str, nbformat.NotebookNode, Callable]:
    """One of the course's assignments, and what its students write."""
    course = Course(ROOT)
    path = course.folder("source", assignment) / f"{assignment}.ipynb"
    source = nbformat.read(path, as_version=4)
    found = find_answers(course, assignment)
    answers = [answer for answer in found if answer.status == "graded" and not answer.damage]

    def write(given: nbformat.NotebookNode, number: int) -> bytes:
        return write_submission(answers[number % len(answers)], source, given)

    return assignment, source, write


def beside(
    folder: Path, assignment: str, source: nbformat.NotebookNode, write: Callable
) -> tuple[float, float, float]:
    """Grade a class with one command of ours, and with one of plain nbgrader.

    Returns:
        Seconds of ours, seconds of nbgrader's, and the peak of memory of ours in MB.
    """
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    ours = _open(folder / "ours", assignment, config, source, write)
    theirs = _open(folder / "theirs", assignment, PLAIN, source, write)
    with _memory() as peak:
        seconds = _timed(ours, "-m", "grading", "grade", assignment)
    return seconds, _timed(theirs, "-m", "nbgrader", "autograde", assignment), peak[0]


def _open(
    root: Path, assignment: str, config: str, source: nbformat.NotebookNode, write: Callable
) -> Path:
    """A course in which all students have handed in."""
    path = root / "solutions" / assignment / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(source, path)
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    _run(root, "-m", "nbgrader", "generate_assignment", assignment)
    given = nbformat.read(root / "release" / assignment / path.name, as_version=4)
    for number in range(STUDENTS):
        _hand_in(root, assignment, number, write(given, number))
    return root


def _hand_in(root: Path, assignment: str, number: int, content: bytes) -> None:
    path = root / "submitted" / f"student-{number:04}" / assignment / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def sizes(folder: Path, classes: tuple[int, ...]) -> Iterator[tuple[int, float, float, float]]:
    """Grade classes of the toy course, which computes nothing, each from the beginning.

    Yields:
        The number of students, the seconds that each takes, the seconds that the whole command
        takes when nothing has changed, and the peak of memory in MB.
    """
    for students in classes:
        root = make_course(folder / f"toy-{students}")
        release(Course(root), "toy")
        given = nbformat.read(root / "release" / "toy" / "toy.ipynb", as_version=4)
        for number in range(students):
            _hand_in(root, "toy", number, _toy_answer(given, number))
        with _memory() as peak:
            first = _timed(root, "-m", "grading", "grade", "toy")
        yield students, first / students, _timed(root, "-m", "grading", "grade", "toy"), peak[0]


def _toy_answer(given: nbformat.NotebookNode, number: int) -> bytes:
    """A right or a wrong answer, of which no two are the same."""
    answers = {"double": (RIGHT_DOUBLE, WRONG_DOUBLE)[number % 2]}
    answers["halve"] = "def halve(x):\n    return x / FACTOR"
    for cell in given.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in answers:
            cell.source = f"{answers[name]}\n# student {number}"
    return nbformat.writes(given).encode()


def _timed(root: Path, *command: str) -> float:
    start = time.perf_counter()
    _run(root, *command)
    return time.perf_counter() - start


def _run(root: Path, *command: str) -> None:
    done = subprocess.run([sys.executable, *command], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed in {root}:\n{done.stdout}{done.stderr}")


@contextmanager
def _memory() -> Iterator[list[float]]:
    """The peak of what all processes started from here hold, in MB; shared pages count once."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(1):  # to look takes time, too
            peak[0] = max(peak[0], sum(map(_share, psutil.Process().children(recursive=True))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _share(process: psutil.Process) -> float:
    try:
        return process.memory_full_info().pss / MEGABYTE
    except psutil.Error:  # it has ended
        return 0.0
