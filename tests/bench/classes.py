"""What grading a class costs: beside plain nbgrader, by the size of the class, and once more.

`honest` takes one class through both whole commands. Its students compute, for both alike.
`sizes` takes classes that compute next to nothing, so what is left is the grader's own time.
"""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psutil

from grading.answers import Answer
from grading.course import Course
from grading.hand_in import write_submission
from grading.release import release
from grading.sample import find_answers
from tests.toy_course import RIGHT_DOUBLE, WRONG_DOUBLE, make_course

ROOT = Path(__file__).resolve().parents[2]
PLAIN = """\
c = get_config()
c.CourseDirectory.source_directory = "solutions"
c.ClearMarkScheme.enforce_metadata = False
"""
MEGABYTE = 10**6
ASSIGNMENT, STUDENTS, CLASSES = "signals", 40, (40, 400, 2000)
TIMES_FASTER, MOST_SECONDS, MOST_AGAIN, MOST_MEMORY, MOST_GROWTH = 8, 0.35, 20, 1500, 1.1


def grade_classes(folder: Path) -> list[str]:
    """Print what grading costs; return the goals that were missed."""
    ours, theirs, memory = honest(folder, ASSIGNMENT, STUDENTS)
    print(
        f"\nGrading {STUDENTS} honest answers to {ASSIGNMENT}, whole commands: ours {ours:.1f} s, "
        f"plain nbgrader {theirs:.1f} s, {theirs / ours:.1f} times faster (goal: {TIMES_FASTER})"
    )
    print(f"{'students who compute nothing':34}{'s each':>8}{'again, s':>10}{'peak, MB':>10}")
    rows = []
    for students, each, again, peak in sizes(folder, CLASSES):
        print(f"{students:>34}{each:8.3f}{again:10.1f}{peak:10.0f}", flush=True)
        rows.append((each, again, peak))
    each, again, peaks = zip(*rows, strict=True)
    print(
        f"{'goal: at most':>34}{MOST_SECONDS:8.3f}{MOST_AGAIN:10.1f}{MOST_MEMORY:10.0f}; the last "
        f"class takes {each[-1] / each[-2]:.2f} times as long for each as the one before"
    )
    met = {
        "times faster than nbgrader": theirs >= TIMES_FASTER * ours,
        "seconds of a submission": max(each) <= MOST_SECONDS,
        "growth with the class": each[-1] <= MOST_GROWTH * each[-2],
        "seconds of an unchanged class": max(again) <= MOST_AGAIN,
        "memory of grading": max(memory, *peaks) <= MOST_MEMORY,
    }
    return [name for name, is_met in met.items() if not is_met]


def honest(folder: Path, assignment: str, students: int) -> tuple[float, float, float]:
    """Grade a class with one command of ours, and with one of plain nbgrader.

    Returns:
        Seconds of ours, seconds of nbgrader's, and the peak of memory of ours in MB.
    """
    answers = [a for a in find_answers(Course(ROOT), assignment) if _is_honest(a)]
    answers = list(itertools.islice(itertools.cycle(answers), students))
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    ours = _open(folder / "ours", assignment, config, answers)
    theirs = _open(folder / "theirs", assignment, PLAIN, answers)
    with _memory() as peak:
        seconds = _timed(ours, "-m", "grading", "grade", assignment)
    return seconds, _timed(theirs, "-m", "nbgrader", "autograde", assignment), peak[0]


def _is_honest(answer: Answer) -> bool:
    return answer.status == "graded" and not answer.damage


def _open(root: Path, assignment: str, config: str, answers: list[Answer]) -> Path:
    """A course in which each answer was handed in by a student of its own."""
    source = Course(ROOT).folder("source", assignment) / f"{assignment}.ipynb"
    nb = nbformat.read(source, as_version=4)
    copy = root / "solutions" / assignment / source.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(source.read_bytes())
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    _run(root, "-m", "nbgrader", "generate_assignment", assignment)
    given = nbformat.read(root / "release" / assignment / source.name, as_version=4)
    for number, answer in enumerate(answers):
        _hand_in(root, assignment, number, write_submission(answer, nb, given))
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
        while not ended.wait(0.2):
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
