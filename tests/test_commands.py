"""The two commands and the files around them: what a page names exists, and does what it says."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tools.next_steps import next_steps

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split())


def run(*command, cwd=ROOT, **variables) -> subprocess.CompletedProcess:
    """Run a command without what the make around these tests hands down."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=inherited | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def program(path: Path, *lines: str) -> Path:
    """Write a program in shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


# The Makefile and what it calls


def test_make_alone_lists_every_target():
    shown = run("make")
    assert shown.returncode == 0
    listed = set(re.findall(r"^  ([a-z-]+) +\w", shown.stdout, re.MULTILINE))
    assert listed == TARGETS - {"lint"}
    assert run("make", "help").stdout == shown.stdout


def test_an_absent_python_is_told_in_one_line():
    result = run("make", "setup", "PYTHON=/no/python3.11")
    assert result.returncode != 0
    first, second = result.stderr.splitlines()
    assert re.search(r"/no/python3\.11 was not found: install Python 3\.11, .*make PYTHON=", first)
    assert second.startswith("make: ***")


def test_every_command_that_is_named_exists():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("book/*.md"), *ROOT.glob("docs/decisions/*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages) + next_steps(ROOT)
    named = set(re.findall(r"(?:`|\n|: )make ([a-z][a-z-]*)", text))
    assert {"course", "test", "check", "grade"} <= named
    assert named <= TARGETS


def test_readme_shows_folders_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = readme.split("## Where things are")[1].split("```")[1]
    folders = re.findall(r"^(\S+)/ ", tree, re.MULTILINE)
    assert len(folders) == len(tree.strip().splitlines())
    assert [name for name in folders if not (ROOT / name).is_dir()] == []
    links = re.findall(r"\]\((?!http)([^)#]+)\)", readme)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_clean_never_removes_the_data_of_a_class(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    kept = [
        "submitted/ada/digits/digits.ipynb",
        "autograded/ada/digits/digits.ipynb",
        "feedback/ada/digits/digits.html",
        "gradebook.db",
        "grades.csv",
        "_build/exchange/inbound/digits.ipynb",
        ".venv/__pycache__/kept",
    ]
    removed = ["_build/html/index.html", "release/digits/digits.ipynb", "grading/__pycache__/x.pyc"]
    for name in [*kept, *removed]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    result = run("make", "clean", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert [name for name in kept if not (tmp_path / name).exists()] == []
    assert [name for name in removed if (tmp_path / name).exists()] == []
    assert run("make", "clean", cwd=tmp_path).returncode == 0


def test_system_does_nothing_where_all_is_there(tmp_path):
    program(tmp_path / "bwrap", "")
    path = f"{tmp_path}:{os.defpath}"
    result = run("sh", "tools/system.sh", CHROMIUM=sys.executable, PATH=path)
    assert result.returncode == 0
    assert "nothing to install" in result.stdout


def test_system_says_what_is_missing_to_an_ordinary_user(tmp_path):
    program(tmp_path / "id", "echo 1000")
    result = run("sh", "tools/system.sh", CHROMIUM="/no/chromium", PATH=f"{tmp_path}:{os.defpath}")
    assert result.returncode == 1

    assert re.fullmatch(r"[^\n]*Missing: chromium.*apt-get install chromium.*\n", result.stderr)


@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="this is not Debian")
def test_system_installs_as_root_on_debian(tmp_path):
    program(tmp_path / "id", "echo 0")
    program(tmp_path / "apt-get", 'echo "apt-get $*"')
    result = run("sh", "tools/system.sh", CHROMIUM="/no/chromium", PATH=f"{tmp_path}:{os.defpath}")
    assert result.returncode == 0, result.stderr
    assert "apt-get installs chromium" in result.stdout
    assert re.search(r"^apt-get update.*\napt-get install .*chromium", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("missing", ["chromium", "bubblewrap"])
def test_system_installs_only_what_is_missing(tmp_path, missing):
    program(tmp_path / "id", "echo 0")
    program(tmp_path / "apt-get", 'echo "apt-get $*"')
    (tmp_path / "sh").symlink_to(shutil.which("sh"))
    there = {"chromium": "bwrap", "bubblewrap": "chromium"}[missing]
    program(tmp_path / there, "")
    result = run("sh", "tools/system.sh", CHROMIUM="chromium", PATH=str(tmp_path))
    if Path("/etc/debian_version").exists():
        assert f" {missing}\n" in result.stdout.replace("  ", " ")
    else:
        assert missing in result.stderr


def test_next_steps_name_the_book_as_a_browser_wants_it(tmp_path):
    text = next_steps(tmp_path / "my course")
    assert f"{tmp_path.as_uri()}/my%20course/_build/html/index.html" in text


# What CI runs


@pytest.fixture
def ci(tmp_path):
    """A copy of .ci/run, with a `make` that only tells how it was called."""
    copy = tmp_path / "checkout" / ".ci" / "run"
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", copy)
    program(tmp_path / "bin" / "make", 'echo "$1 ${DEEPLEARN_DATA-none}"', '[ "$1" != "$FAIL" ]')

    def call(fail=""):
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        return run(copy, cwd="/", PATH=path, FAIL=fail, DEEPLEARN_DATA="/elsewhere")

    return call


def test_ci_runs_make_test_with_mnist_and_reads_data_without(ci, tmp_path):
    assert ci().stdout.splitlines() == ["test none", "test-data none"]
    mnist = tmp_path / "shared" / "data" / "mnist"
    mnist.mkdir(parents=True)
    assert ci().stdout.splitlines() == [f"test {mnist}", "test-data none"]


@pytest.mark.parametrize("target", ["test", "test-data"])
def test_ci_fails_where_make_fails(ci, target):
    result = ci(fail=target)
    assert result.returncode != 0
    assert result.stdout.splitlines()[-1].startswith(f"{target} ")


def test_ci_is_executable():
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR


# The files around the course


def test_version_and_license_are_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert citation["authors"] == project["authors"]
    assert project["license"] in citation["license"]
    assert project["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    owner = f"Copyright (c) 2026, {project['authors'][0]['name']}"
    for name in project["license-files"]:
        assert owner in (ROOT / name).read_text(encoding="utf-8")


def test_decisions_are_numbered():
    pages = sorted(path.name for path in (ROOT / "docs" / "decisions").iterdir())
    assert [int(name[:4]) for name in pages] == list(range(1, len(pages) + 1))
    for name in pages:
        title = (ROOT / "docs" / "decisions" / name).read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {int(name[:4])}. ")


def test_no_file_tells_of_the_machine_it_was_written_on():
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if listed.returncode:
        pytest.skip("not a git checkout")
    machine = re.compile(
        r"(?<![\w}])(?:file://)?/(?:work/(?:main|shared)|root|home/\w+|opt/(?:pypi|wheels))(?![\w-])"
        r"|\bpypi\.|pythonhosted|download\.pytorch|--(?:extra-)?index-url|--find-links"
    )
    allowed = {"tests/test_commands.py", "tools/lock.py"}  # they name what they keep out
    found = set()
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if name not in allowed and path.is_file():
            text = path.read_text(encoding="utf-8", errors="ignore")
            found |= {f"{name}: {match[0]}" for match in machine.finditer(text)}
    assert found == set()
