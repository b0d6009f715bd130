"""Attacks as data: many pieces of code that one kernel tries, each by itself.

An attack is Python code. It was stopped if it raises `OSError`, or leaves nothing in ``got``.
Whatever else it raises is a fault of the attack, and counts as such.
"""

import json
import tempfile

from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.utils import determine_grade
from traitlets.config import Config

from grading.execute import ExecuteSubmission
from grading.warm_process import name_kernelspec
from tests.toy_course import nbgrader

name_kernelspec()

HARNESS = """\
import ctypes, glob, json, os, pathlib, resource, signal, socket, stat, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    \"\"\"Call a function of the C library, or Linux by the number of a call.\"\"\"
    function = libc.syscall if isinstance(name, int) else getattr(libc, name)
    arguments = [name, *arguments] if isinstance(name, int) else arguments
    if function(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True
def attempt(code):
    names = {**globals(), "got": None}
    try:
        exec(code, names)
    except OSError as error:
        return "stopped", repr(error)
    except BaseException as error:
        return "broken", repr(error)
    return ("got" if names["got"] else "stopped"), repr(names["got"])[:200]
host = json.loads(HOST)
print(json.dumps({name: attempt(code) for name, code in json.loads(ATTACKS).items()}))"""


def execute(*cells, folder=None, isolate=True, limits=None, **settings):
    """Run cells, or their sources, in one forked kernel; return the notebook."""
    nb = new_notebook(cells=[new_code_cell(c) if isinstance(c, str) else c for c in cells])
    config = Config(SandboxProvisioner={"isolate": isolate, **(limits or {})})
    config.AsyncKernelManager.client_class = "grading.client.PromptClient"  # as in the course
    config.KernelManager.transport_encryption = "auto"
    step = ExecuteSubmission(
        kernel_name="sandbox", shutdown_kernel="immediate", config=config, **settings
    )
    with tempfile.TemporaryDirectory() as empty:
        nb, _ = step.preprocess(nb, {"metadata": {"path": str(folder or empty)}})
    return nb


def points(*cells, test, **settings):
    """The points, of 5, of a test that comes after some cells."""
    metadata = nbgrader("test", grade=True, points=5) | {"grading": "test"}
    nb = execute(*cells, new_code_cell(test, metadata=metadata), **settings)
    return determine_grade(nb.cells[-1])[0]


def run(*cells, **options):
    """Run cells as `execute` does; return what they say, and how the run ended."""
    nb = execute(*cells, **options)
    said = [
        "".join(o.get("text", "") or o.get("evalue", "") for o in cell.outputs) for cell in nb.cells
    ]
    return said, nb.metadata.get("grading", {})


def attempt(attacks, host, **options):
    """Try attacks in one kernel; return for each whether it was stopped, and what it saw.

    Args:
        attacks: name → code.
        host: what the code finds in ``host``: names of what lies outside.
        options: as for `run`.
    """
    given = f"HOST, ATTACKS = {json.dumps(host)!r}, {json.dumps(attacks)!r}"
    (_, said), ending = run(given, HARNESS, **options)
    assert not ending, ending
    return json.loads(said.splitlines()[-1])
