"""What an instructor types from release to export, and what each command prints."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from tools.teach.students import ASSIGNMENT, LATE, write_export, write_late

ROOT = Path(__file__).resolve().parents[2]
EXPORT = "export.zip"
CONFIG = """
c.ExecuteSubmission.timeout = 20  # seconds for a cell
c.SandboxProvisioner.memory = 1024  # MiB
c.LateSubmissionPlugin.penalty_method = "zero"
"""
TOO_STRICT = """
    assert name != "relu", "'fast': ReLU is fast, but its units can die\""""


COMMANDS = {
    "release": f"grading release {ASSIGNMENT}",
    "doctor": "grading doctor",
    "collect": f"grading collect {EXPORT}",
    "due": f"nbgrader db assignment add {ASSIGNMENT} --duedate '2026-11-16 23:59 UTC'",
    "late": "grading collect late",
    "grade": f"grading grade {ASSIGNMENT}",
    "again": f"grading grade {ASSIGNMENT}",
    "mended": f"grading release {ASSIGNMENT}",
    "diff": f"grading grade {ASSIGNMENT} --diff",
    "feedback": f"grading feedback {ASSIGNMENT}",
    "report": f"grading report {ASSIGNMENT}",
}


def tell(folder: Path) -> dict[str, str]:
    """Teach the sample class in ``folder``; return what each of the commands printed."""
    shutil.copytree(ROOT / "solutions" / ASSIGNMENT, folder / "solutions" / ASSIGNMENT)
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(config + CONFIG, encoding="utf-8")
    before = {"collect": write_class, "mended": mend_test}
    told = {}
    for name, command in COMMANDS.items():
        if name in before:
            before[name](folder)
        told[name] = run(folder, command)
    return told


def write_class(folder: Path) -> None:
    """Let the students hand in: a zip of Moodle, and a folder with what came by mail."""
    name = f"{ASSIGNMENT}/{ASSIGNMENT}.ipynb"
    source = nbformat.read(folder / "solutions" / name, as_version=4)
    released = nbformat.read(folder / "release" / name, as_version=4)
    write_export(folder / EXPORT, source, released)
    student = f"{LATE.name.lower().replace(' ', '_')}_{LATE.number}"
    write_late(folder / "late", student, source, released)


def mend_test(folder: Path) -> None:
    """Take a line out of a test, as an instructor does who finds it too strict."""
    path = folder / "solutions" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    nb = nbformat.read(path, as_version=4)
    strict = [cell for cell in nb.cells if TOO_STRICT in cell.source]
    if len(strict) != 1:
        raise ValueError(f"{path}: {len(strict)} cells say {TOO_STRICT!r}; mend tools/teach")
    strict[0].source = strict[0].source.replace(TOO_STRICT, "")
    nbformat.write(nb, path)


def run(folder: Path, line: str) -> str:
    """Run a command as it is typed in the course's folder; return what it prints."""
    packages = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": packages, "COLUMNS": "110", "DEEPLEARN_DATA": "digits"}
    program, *arguments = shlex.split(line)
    command = [Path(sys.executable).with_name(program), *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{line} ended with {done.returncode}: {done.stderr}")
    return clean(done.stdout, folder).strip("\n") + "\n"


def clean(text: str, folder: Path) -> str:
    """Leave out what differs from machine to machine: folders, versions, numbers of users."""
    text = text.replace(f"{folder}/", "")
    text = re.sub(r"/\S+/(?=(?:bwrap|alembic)\b)", "…/", text)
    text = re.sub(r"(?<=system: Linux )\S+", "…", text)
    text = re.sub(r"(?<=bubblewrap )[\d.]+", "…", text)
    text = re.sub(r"(?<=user )\d+", "…", text)
    return re.sub(r"(?<=cores: )\d+", "…", text)
