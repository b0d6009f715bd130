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


def tell(folder: Path) -> dict[str, str]:
    """Teach the sample class in ``folder``, and return what was printed, by the step's name."""
    shutil.copytree(ROOT / "solutions" / ASSIGNMENT, folder / "solutions" / ASSIGNMENT)
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    (folder / "nbgrader_config.py").write_text(config + CONFIG, encoding="utf-8")
    told = {"release": run(folder, f"grading release {ASSIGNMENT}")}
    told["doctor"] = run(folder, "grading doctor")
    write_class(folder)
    told["collect"] = run(folder, f"grading collect {EXPORT}")
    due = f"nbgrader db assignment add {ASSIGNMENT} --duedate='2026-11-16 23:59 UTC'"
    told["late"] = run(folder, due, "grading collect late")
    told["grade"] = run(folder, f"grading grade {ASSIGNMENT}")
    told["again"] = run(folder, f"grading grade {ASSIGNMENT}")
    mend_test(folder)
    diff = f"grading grade {ASSIGNMENT} --diff"
    told["diff"] = run(folder, f"grading release {ASSIGNMENT}", diff)
    told["feedback"] = run(folder, f"grading feedback {ASSIGNMENT}")
    told["report"] = run(folder, f"grading report {ASSIGNMENT}")
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


def run(folder: Path, *lines: str) -> str:
    """Run commands as they are typed in the course's folder; return them with what they print."""
    packages = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": packages, "COLUMNS": "110", "DEEPLEARN_DATA": "digits"}
    printed = []
    for line in lines:
        program, *arguments = shlex.split(line)
        command = [Path(sys.executable).with_name(program), *arguments]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{line} ended with {done.returncode}: {done.stderr}")
        printed.append(f"$ {line}\n{clean(done.stdout, folder)}".rstrip())
    return "\n\n".join(printed) + "\n"


def clean(text: str, folder: Path) -> str:
    """Leave out what differs from machine to machine: folders, versions, numbers of users."""
    text = text.replace(f"{folder}/", "")
    text = re.sub(r"/\S+/(?=(?:bwrap|alembic)\b)", "…/", text)
    text = re.sub(r"(?<=system: Linux )\S+", "…", text)
    text = re.sub(r"(?<=bubblewrap )[\d.]+", "…", text)
    text = re.sub(r"(?<=user )\d+", "…", text)
    return re.sub(r"(?<=cores: )\d+", "…", text)
