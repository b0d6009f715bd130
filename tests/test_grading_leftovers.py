"""What a killed grader left is removed, and what a living one has is not."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grading import leftovers
from grading.__main__ import main
from grading.room import Room, obstacle
from tests.graders import Graders

OTHER_USER = 12345
ENDED = 2**22 + 1  # more than Linux numbers processes


@pytest.fixture
def temporary(monkeypatch, tmp_path_factory):
    """An empty folder for temporary files, in which this process has its own."""
    tmp_path_factory.getbasetemp()  # pytest's own lies elsewhere
    with tempfile.TemporaryDirectory(prefix="left-") as name:  # short: a socket's path ends at 107
        monkeypatch.setattr(tempfile, "tempdir", name)
        leftovers.own_folder.cache_clear()
        yield Path(name)
        leftovers.own_folder.cache_clear()


def folder(place, name):
    made = place / name
    (made / "room-1").mkdir(parents=True)
    (made / "room-1" / "k").symlink_to("/proc/1/root")
    return made


def test_what_is_left_is_removed(temporary):
    left = folder(temporary, "grading-left")
    (temporary / "grading-begun").mkdir()  # its grader was killed before it wrote anything
    leftovers.sweep()
    assert not left.exists()
    assert list(temporary.iterdir()) == [leftovers.own_folder()]


@pytest.mark.parametrize("name", ["other", "room-1", "submission-1"])
def test_what_is_not_a_graders_stays(temporary, name):
    other = folder(temporary, name)
    leftovers.sweep()
    assert other.exists()


def test_who_loses_a_folder_to_another_grader_takes_the_next(temporary, monkeypatch):
    hold, lost = leftovers._hold, []

    def swept_just_before(made):
        if not lost:
            lost.append(made)
            made.rmdir()
        return hold(made)

    monkeypatch.setattr(leftovers, "_hold", swept_just_before)
    own = leftovers.own_folder()
    assert own.is_dir()
    assert [own] != lost


def test_what_a_living_grader_has_stays_until_it_is_killed(temporary):
    code = "import sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
    code += "from grading import leftovers; print(leftovers.own_folder(), flush=True)\n"
    code += "sys.stdin.read()"
    command = [sys.executable, "-c", code, str(temporary)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        living = Path(process.stdout.readline().strip())
        leftovers.sweep()
        assert living.is_dir()
        process.kill()
    assert living.is_dir()
    leftovers.sweep()
    assert not living.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_what_another_user_left_stays(temporary):
    theirs = folder(temporary, "grading-theirs")
    os.chown(theirs, OTHER_USER, OTHER_USER)
    leftovers.sweep()
    assert theirs.exists()


def test_a_link_is_not_followed(temporary, tmp_path_factory):
    elsewhere = folder(tmp_path_factory.mktemp("elsewhere"), "mine")
    (temporary / "grading-link").symlink_to(elsewhere)
    leftovers.sweep()
    assert (elsewhere / "room-1").exists()


def test_control_groups_of_ended_processes_are_removed(temporary, monkeypatch, tmp_path_factory):
    place = tmp_path_factory.mktemp("groups")
    monkeypatch.setattr(leftovers, "parent_groups", lambda: {"memory": place, "pids": place})
    names = [f"grading-{ENDED}-1", f"grading-{os.getpid()}-1", "grading-by-hand", "else"]
    for name in names:
        (place / name).mkdir()
    leftovers.sweep()
    assert sorted(path.name for path in place.iterdir()) == sorted(names[1:])


def test_temporary_files_lie_together_only_inside_the_block(temporary):
    before = dict(os.environ)
    with leftovers.together():
        inside = tempfile.mkdtemp()
        assert os.environ["TMPDIR"] == str(leftovers.own_folder())
    assert inside.startswith(f"{temporary}/grading-")
    assert (tempfile.gettempdir(), dict(os.environ)) == (str(temporary), before)


def test_a_process_that_ends_leaves_nothing(temporary):
    code = "from grading import leftovers\nwith leftovers.together():\n    import tempfile\n"
    code += "    tempfile.mkdtemp()\n    import multiprocessing.pool\n"
    env = {**os.environ, "TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert list(temporary.iterdir()) == []


def test_a_path_that_is_too_long_for_sockets_is_named_with_the_cure(
    temporary, tmp_path, monkeypatch, capsys
):
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / "toy.ipynb")
    deep = temporary / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    cure = f"sockets need a path for temporary files of at most 55 bytes: set TMPDIR ({deep})"
    for command in (["check", str(tmp_path / "toy.ipynb")], ["doctor"]):
        assert main(command) == 1
        assert cure in capsys.readouterr().err
    assert list(deep.iterdir()) == []


MAKES_ROOMS = """
import ctypes, os, random, signal, sys, time
import psutil
from grading.room import Room

SET_CHILD_SUBREAPER = 36  # include/uapi/linux/prctl.h
number, end = int(sys.argv[1]), {"group": os.killpg, "process": os.kill}[sys.argv[2]]
ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
draw = random.Random(0)
for _ in range(150):
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        while True:
            Room(memory=256, processes=16, disk=1).close()
    time.sleep(draw.uniform(0.01, 0.03))
    end(pid, number)
    os.waitpid(pid, 0)
living = psutil.Process().children(recursive=True)
left = psutil.wait_procs(living, timeout=10)[1]
print(*(process.name() for process in left))
for process in left:
    process.kill()
"""


@pytest.mark.skipif(bool(obstacle()), reason=obstacle())
@pytest.mark.parametrize("whom", ["group", "process"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_room_that_is_being_made_ends_with_who_makes_it(temporary, number, whom):
    command = [sys.executable, "-c", MAKES_ROOMS, str(int(number)), whom]
    env = {**os.environ, "TMPDIR": str(temporary)}
    said = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    leftovers.sweep()
    assert said.stdout.split() == []


@pytest.mark.skipif(bool(obstacle()), reason=obstacle())
@pytest.mark.parametrize("step", ["_start", "_copy"])
def test_a_room_that_is_not_finished_is_not_left(temporary, tmp_path, monkeypatch, step):
    real, begun = getattr(Room, step), []

    def stop(room, *arguments):
        real(room, *arguments)
        begun.append(room)
        raise KeyboardInterrupt

    (tmp_path / "data.csv").touch()
    monkeypatch.setattr(Room, step, stop)
    with pytest.raises(KeyboardInterrupt):
        Room(tmp_path, memory=256, processes=16, disk=1)
    assert begun[0]._process.returncode is not None
    assert not any(folder.exists() for folder in begun[0].groups.folders)
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(bool(obstacle()), reason=obstacle())
def test_a_check_removes_what_is_left_and_leaves_nothing_for_good(temporary, tmp_path_factory):
    left = folder(temporary, "grading-left")
    place = tmp_path_factory.mktemp("student")
    (place / "_build").mkdir()  # for what the grader says
    cells = [new_code_cell("import time; time.sleep(60)")]
    nbformat.write(new_notebook(cells=cells), place / "toy.ipynb")
    graders = Graders(place, temporary)
    try:
        pid = graders.start("check", "toy.ipynb")
        end = time.monotonic() + 120
        parts = {"room", "submission", "warm"}
        while not parts <= {path.name.split("-")[0] for path in temporary.glob("grading-*/*")}:
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        assert not left.exists()
        os.kill(pid, signal.SIGKILL)
        assert graders.wait(pid)[0] == -signal.SIGKILL
        assert [path.name[:8] for path in temporary.iterdir()] == ["grading-"]
        leftovers.sweep()
        assert list(temporary.iterdir()) == [leftovers.own_folder()]
    finally:
        graders.close()
