"""Setting up: what is refused before it starts, and what follows when it is stopped."""

import ast
import errno
import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import environment

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split())
UNFINISHED = environment.UNFINISHED


# Before anything is made


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 10, 0), (3, 12, 1), (2, 7, 18)])
def test_other_pythons_are_refused_in_one_line(version):
    with pytest.raises(SystemExit) as refusal:
        environment.check_python(version)
    line = str(refusal.value)
    assert "\n" not in line
    assert ".".join(map(str, version)) in line
    assert "make PYTHON=" in line


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 11, 15, "final", 0)])
def test_python_311_is_accepted(version):
    environment.check_python(version)


def test_an_old_python_can_read_the_file_that_refuses_it():
    source = Path(environment.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
    modules = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in ([ast.alias(node.module)] if hasattr(node, "module") else node.names)
    }
    assert "venv" in modules <= set(sys.stdlib_module_names)


def test_a_folder_of_somebody_else_is_refused_in_one_line(tmp_path, monkeypatch):
    environment.check_writable(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK | os.X_OK)
    with pytest.raises(SystemExit, match=rf"^You may not write to {tmp_path}: .*clone[^\n]*$"):
        environment.check_writable(tmp_path)


def test_a_nearly_full_disk_is_refused_in_one_line(tmp_path, monkeypatch):
    environment.check_space(tmp_path, needed_gb=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1.26e9))
    with pytest.raises(SystemExit, match=r"^The environment needs about 3 GB, and \S+ has 1\.3 GB"):
        environment.check_space(tmp_path)


def test_a_python_without_any_pip_is_refused_in_one_line(monkeypatch):
    assert "ensurepip" in environment.pip_installer("python")
    present = {"pip"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in present)
    assert environment.pip_installer("python")[1:5] == ["-m", "pip", "--python", "python"]
    present.clear()
    with pytest.raises(
        SystemExit, match=r"^[^\n]*neither ensurepip nor pip[^\n]*python3-venv[^\n]*$"
    ):
        environment.pip_installer("python")


@pytest.mark.parametrize(
    ("state", "starts", "step"),
    [
        ("/a/course\nhash\n", True, "nothing"),
        ("/a/course\nother hash\n", True, "update"),
        ("/a/course\nhash\n", False, "make"),
        ("/a/course\nother hash\n", False, "make"),
        ("/moved\nhash\n", True, "make"),
        (UNFINISHED, True, "make"),
        ("", True, "make"),
    ],
)
def test_what_is_done_follows_from_what_is_there(state, starts, step):
    assert environment.next_step(state, "/a/course\nhash\n", starts) == step


def test_an_environment_of_somebody_else_is_never_removed():
    assert environment.next_step(None, "x\ny\n", anything_there=False) == "make"
    with pytest.raises(SystemExit, match=r"was not made by this Makefile: move it away"):
        environment.next_step(None, "x\ny\n", anything_there=True)


# While it is made


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course to set up: `steps` is what would be run, `failure` a step and what it raises."""
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "STATE", tmp_path / ".venv" / ".made-by-make")
    monkeypatch.setattr(environment, "check_space", lambda folder: None)
    monkeypatch.setattr(environment, "check_python", lambda version: None)
    course = SimpleNamespace(root=tmp_path, state=environment.STATE, steps=[], failure=None)

    def run(*command):
        course.steps.append(command[2:4])
        if course.failure and len(course.steps) == course.failure[0]:
            raise course.failure[1]

    monkeypatch.setattr(environment, "run", run)
    return course


ENSUREPIP, PACKAGES, ITSELF = ("ensurepip", "--default-pip"), ("pip", "install"), ("pip", "install")


def test_a_second_run_does_nothing(course, capsys):
    environment.main()
    assert course.steps == [ENSUREPIP, PACKAGES, ITSELF]
    assert "ready" in capsys.readouterr().out
    environment.main()
    assert len(course.steps) == 3
    assert capsys.readouterr().out == ""


def test_a_changed_lock_is_installed_over_the_old(course):
    environment.main()
    (course.root / "requirements.txt").write_text("numpy==2.4.7\n")
    course.steps.clear()
    environment.main()
    assert course.steps == [PACKAGES, ITSELF]
    (course.root / "pyproject.toml").write_text("[project]\n[tool.ruff]\nline-length = 100\n")
    environment.main()
    assert len(course.steps) == 2, "a setting of ruff changes nothing that is installed"
    (course.root / "pyproject.toml").write_text('[project]\nname = "x"\n')
    environment.main()
    assert len(course.steps) == 4


@pytest.mark.parametrize("at", [1, 2, 3])
def test_interrupted_anywhere_it_is_made_anew(course, at):
    course.failure = (at, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        environment.main()
    assert course.state.read_text() == UNFINISHED
    leftover = course.root / ".venv" / "lib" / "half-made"
    leftover.write_text("")
    course.failure = None
    course.steps.clear()
    environment.main()
    assert course.steps == [ENSUREPIP, PACKAGES, ITSELF]
    assert not leftover.exists()
    assert course.state.read_text() == environment.wanted_state()


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_runs_full_is_told_in_one_line_and_cleared(course, at, reason):
    course.failure = (at, OSError(reason, os.strerror(reason)))
    with pytest.raises(SystemExit, match=r"^The disk ran full, [^\n]*make room[^\n]*$"):
        environment.main()
    assert list((course.root / ".venv").iterdir()) == [course.state]
    course.failure = None
    environment.main()
    assert course.state.read_text() == environment.wanted_state()


def test_other_trouble_with_the_disk_is_not_called_a_full_disk(course):
    course.failure = (2, OSError(errno.EIO, "broken"))
    with pytest.raises(OSError, match="broken"):
        environment.main()


def test_a_failed_step_shows_its_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(environment, "VENV", tmp_path)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        environment.run(sys.executable, "-c", "exit('ERROR: No space left on device')")
    with pytest.raises(SystemExit, match=r"^python\S* -c .* failed for the reason above: put it"):
        environment.run(sys.executable, "-c", "exit('no such package')")
    assert "no such package" in capsys.readouterr().err
    environment.run(sys.executable, "-c", "import os; os.stat(os.environ['TMPDIR'])")
    assert not (tmp_path / "tmp").exists()
