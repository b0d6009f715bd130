"""Honest submissions keep their points: whatever their files are named, and whoever sits beside."""

import os

import nbformat
import pytest

from grading.course import Course
from grading.grade import grade, make_package
from grading.groups import parent_groups
from grading.intake import Intake
from grading.release import release
from grading.room import obstacle
from grading.task import run_submission
from tests.probes import run
from tests.toy_course import MAX, RIGHT_DOUBLE, Submission, hand_in, make_course

pytestmark = [
    pytest.mark.skipif(bool(obstacle()), reason=obstacle()),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]

HALVE = "\n\ndef halve(x):\n    return x / FACTOR"
HOG = f"""\
import os, time
for _ in range(60):
    if os.fork() == 0:
        os.setsid()
        while True:
            pass
time.sleep(4){HALVE}"""
WORKS = f"""\
import time
time.sleep(0.5)
begin, used = time.monotonic(), time.process_time()
while time.process_time() - used < 0.5:
    pass
assert time.monotonic() - begin < 3, time.monotonic() - begin{HALVE}"""
SAVES = f"""\
import os, pathlib
os.makedirs("out", exist_ok=True)
for name in ("weights.csv", "out/weights.csv"):
    assert pathlib.Path(name).read_text() == "0,0"
    pathlib.Path(name).write_text("1,2")
pathlib.Path("out/new.csv").write_text("1,2"){HALVE}"""
READS = f"""\
import random, torch
assert open("data.csv").read() == "0,0" and random.random() and torch.ones(1){HALVE}"""
# what lies in a room, what Python and Jupyter look for beside a notebook, and what hides a module
NAMES = """
    data.csv kernel.json run/kernel/kernel.json run/kernel/s-1 s-1 s-5 k 0 proc/1 dev/null tmp/x
    random.py torch.py json.py grading/__init__.py IPython/__init__.py sitecustomize.py
    ipython_config.py ipython_kernel_config.py jupyter_config.py matplotlibrc startup.py .pdbrc
    toy toy.ipynb.txt source.ipynb/x autograded/x .hidden -x toy\u202e.csv
"""
# student: (the cell halve, the files that were handed in beside the notebook)
STUDENTS = {
    "a_hog": (HOG, []),
    "b_neighbour": (WORKS, []),
    "saves": (SAVES, ["weights.csv", "out/weights.csv"]),
    "names": (READS, NAMES.split()),
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The toy course with these students' submissions."""
    course = Course(make_course(tmp_path_factory.mktemp("neighbours")))
    release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)
    for student, (source, names) in STUDENTS.items():
        made = Submission(released).answer("halve", source).answer("double", RIGHT_DOUBLE)
        hand_in(course.root, student, made.nb)
        for name in names:
            path = course.folder("submitted", "toy", student) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("0,0")
    return course


@pytest.fixture(scope="module")
def results(course):
    return {result.student: result for result in grade(course, "toy", jobs=2, progress=False)}


@pytest.mark.parametrize("student", [name for name in STUDENTS if name != "b_neighbour"])
def test_an_honest_submission_has_all_points(results, student):
    assert (results[student].status, results[student].points) == ("graded", MAX), results[student]


@pytest.mark.skipif("cpu" not in parent_groups(), reason="control groups cannot be written")
def test_who_sits_beside_sixty_processes_has_the_time_to_compute(results):
    assert results["b_neighbour"].points == MAX, results["b_neighbour"].messages


@pytest.mark.parametrize("student", ["saves", "names"])
def test_files_are_readable_though_the_grader_keeps_its_own_to_itself(course, student):
    package = make_package(course, "toy", None)
    submission = Intake().read(course.folder("submitted", "toy", student), ["toy"])
    before = os.umask(0o077)
    try:
        outcome = run_submission(package, submission)
    finally:
        os.umask(before)
    assert (outcome.status, outcome.points) == ("graded", MAX), outcome


FILL = """\
try:
    for number in range(9):
        open(f'{number}', 'wb').write(bytes(2**20))
except OSError as error:
    print(number, error.strerror)"""


def test_files_that_were_handed_in_take_nothing_of_what_may_be_written(tmp_path):
    for name in ("weights.bin", "more.bin"):
        (tmp_path / name).write_bytes(bytes(2 * 2**20 + 1))
    (said,), ending = run(FILL, folder=tmp_path, limits={"disk": 4})
    assert (said, ending) == ("4 No space left on device\n", {})


READ_AND_WRITE = """\
import os
print(len(os.listdir()), os.path.getsize('data.bin'))
try:
    open('data.bin', 'a')
except OSError:
    print('refused')
open('mine.txt', 'w').write('x')"""


@pytest.mark.parametrize(
    ("size", "files"),
    [pytest.param(5 * 2**20, 1, id="large"), pytest.param(0, 2_001, id="many")],
)
def test_more_than_a_submission_can_be_is_readable_and_not_copied(tmp_path, size, files):
    with (tmp_path / "data.bin").open("wb") as file:
        file.truncate(size)
    for number in range(files - 1):
        (tmp_path / str(number)).touch()
    (said,), ending = run(READ_AND_WRITE, folder=tmp_path, limits={"disk": 4})
    assert (said, ending) == (f"{files} {size}\nrefused\n", {})
    assert len(list(tmp_path.iterdir())) == files
