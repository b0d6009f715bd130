"""Grading by a user without any right: the same scores, the same walls, by a namespace of users."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from grading.course import Course
from grading.release import release
from grading.room import obstacle
from tests.attacks_processes import KERNEL, PROCESSES, RIGHTS
from tests.attacks_reach import CLOSED, COPY
from tests.ordinary_user import OUTSIDE
from tests.toy_course import WRONG_DOUBLE, Submission, hand_in, make_course

NOBODY = 65534
CHECKOUT = Path(__file__).resolve().parents[1]
ATTACKS = [*OUTSIDE, *RIGHTS, *PROCESSES, *CLOSED, *KERNEL]
LIMITS = """\
c.ExecuteSubmission.timeout = 3
c.SandboxProvisioner.memory = 400"""

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0,
        reason="only root can become another user; run as an ordinary one, all tests are this test",
    ),
    pytest.mark.skipif(bool(obstacle()), reason=obstacle()),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]


def as_nobody(*command):
    """A command as a user without rights, who finds this Python below whatever folder it lies."""
    needed = {Path(sys.prefix), Path(sys.base_prefix), CHECKOUT}
    needed |= {path.resolve() for path in needed}
    closed = {
        min((p for p in path.parents if not p.stat().st_mode & 0o001), default=None)
        for path in needed
    } - {None}
    view = []
    for folder in closed:
        view += ["--perms", "0755", "--tmpfs", str(folder)]
        inside = sorted(path for path in needed if path.is_relative_to(folder))
        for path in inside:
            for parent in list(path.relative_to(folder).parents)[-2::-1]:
                view += ["--perms", "0755", "--dir", str(folder / parent)]
        for path in inside:
            view += ["--ro-bind", str(path.resolve()), str(path)]
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=-all"]
    return ["bwrap", "--dev-bind", "/", "/", *view, "setpriv", *user, *command]


def submissions(released):
    """Student → notebook."""
    made = {name: Submission(released) for name in ("right", "wrong", "hungry", "endless")}
    made["wrong"].answer("double", WRONG_DOUBLE)
    made["hungry"].answer("double", "held = bytearray(600 * 2**20)")
    made["endless"].answer("halve", "while True:\n    pass")
    return {name: one.nb for name, one in made.items()}


@pytest.fixture(scope="module")
def folder():
    """A course that belongs to nobody, and a submission's folder; open, as pytest's own is not."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        root = Path(name)
        course = Course(make_course(root / "course", LIMITS))
        release(course, "toy")
        released = json.loads((course.root / "release/toy/toy.ipynb").read_text(encoding="utf-8"))
        for student, nb in submissions(released).items():
            hand_in(course.root, student, nb)
        for place in ("data/data", "home/.ssh"):
            (root / place).mkdir(parents=True)
        (root / "data" / "data.csv").write_text("1,2")
        for path in [root, *root.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        shutil.copy("/usr/bin/id", root / "data" / "rootid")
        (root / "data" / "rootid").chmod(0o4755)
        # of root: no kernel may fail to start for what cannot be read
        (root / "data" / "closed.csv").touch(0o600)
        (root / "data" / "listed").mkdir()
        (root / "data" / "listed" / "file").touch()
        (root / "data" / "listed").chmod(0o744)
        yield root


@pytest.fixture(scope="module")
def found(folder):
    """What the ordinary user's grader found."""
    script = str(CHECKOUT / "tests" / "ordinary_user.py")
    environment = {
        **{"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "PASSWORD": "secret"},
        **{"PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"},
    }
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        command = as_nobody(sys.executable, script, str(folder), port)
        run = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_the_grader_has_no_right(found):
    assert found["user"] == NOBODY
    assert found["groups"] == []


def test_the_room_has_a_namespace_of_users(found):
    seen = next(one["found"] for one in found["doctor"] if one["what"] == "inside: namespaces")
    assert "user" in seen.split(": ")[1].split(", ")


@pytest.mark.parametrize(
    ("student", "points", "status"),
    [
        ("right", [2, 3], "needs manual grading"),
        ("wrong", [0, 3], "needs manual grading"),
        ("hungry", [0, 3], "out of memory, needs manual grading"),
        ("endless", [2, 0], "timed out, needs manual grading"),
    ],
)
def test_points_and_status(found, student, points, status):
    result = next(one for one in found["class"] if one["student"] == student)
    assert result["status"] == status, result["reason"]
    assert list(result["points"].values()) == points, result["messages"]


def test_doctor_says_what_an_ordinary_user_lacks(found):
    lacking = {one["what"]: one["cure"] for one in found["doctor"] if not one["good"]}
    assert list(lacking) == ["control groups"]
    assert "run as root, or in a group that systemd delegates" in lacking["control groups"]
    said = next(one["found"] for one in found["doctor"] if one["what"] == "control groups")
    assert said == "this user cannot make any"


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_submission_of_an_ordinary_users_class_cannot(found, attack):
    assert found["attacks"][attack][0] == "stopped", found["attacks"][attack]


@pytest.mark.parametrize("change", COPY)
def test_a_notebook_of_an_ordinary_users_class_changes_a_copy_of_its_files(found, folder, change):
    assert found["attacks"][change][0] == "got", found["attacks"][change]
    assert (folder / "data" / "data.csv").read_text() == "1,2"
