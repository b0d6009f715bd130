"""Many machines: the same grading on a Dask cluster, here two workers on the loopback."""

import json

import pytest
from distributed import LocalCluster

from grading.__main__ import main
from grading.course import Course
from grading.grade import grade
from grading.release import release
from tests.toy_course import WRONG_DOUBLE, Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings(
    "ignore::sqlalchemy.exc.SAWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def course(tmp_path):
    course = Course(make_course(tmp_path))
    release(course, "toy")
    path = course.folder("release", "toy") / "toy.ipynb"
    released = json.loads(path.read_text(encoding="utf-8"))
    for name in ("ada", "cyd", "dan"):
        hand_in(tmp_path, name, Submission(released).nb)
    hand_in(tmp_path, "bob", Submission(released).answer("double", WRONG_DOUBLE).nb)
    hand_in(tmp_path, "eve", Submission(released).answer("halve", "import os\nos._exit(1)").nb)
    hand_in(tmp_path, "fay", b"{")
    return course


def test_a_cluster_gives_the_same_results(course, scheduler, capsys):
    options = ["--course", str(course.root), "grade", "toy", "--json", "--scheduler", scheduler]
    assert main(options) == 0
    there = json.loads(capsys.readouterr().out)["results"][0]["submissions"]
    here = grade(course, "toy", force=True, jobs=1, progress=False)
    told = [vars(result) | {"status": result.ending, "reason": result.why} for result in here]
    assert there == told
    assert [(result.student, result.score, result.status) for result in here] == [
        *[("ada", 5, "graded"), ("bob", 3, "graded"), ("cyd", 5, "graded"), ("dan", 5, "graded")],
        *[("eve", 2, "crashed"), ("fay", 0, "refused")],
    ]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://127.0.0.1:1", "no scheduler answers there"),
        ("nonsense://x", "no scheduler answers there"),
    ],
)
def test_a_scheduler_that_does_not_answer(course, capsys, address, words):
    options = ["--course", str(course.root), "grade", "toy", "--scheduler", address]
    assert main(options) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"error: --scheduler {address}: ")
    assert words in said
    assert not (course.root / "autograded").exists()


def test_a_cluster_without_workers(course, capsys):
    with LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=":0") as cluster:
        address = cluster.scheduler_address
        assert main(["--course", str(course.root), "grade", "--scheduler", address]) == 1
    assert f"has no worker; start some: `dask worker {address}`" in capsys.readouterr().err
