"""Run as an ordinary user by `tests/test_grading_ordinary_user.py`: grade a class, try attacks.

Its arguments are the folder to work in and a port of the host. It prints what it found, as JSON.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from grading import seccomp
from grading.__main__ import main
from grading.groups import ControlGroups
from tests.attacks_processes import KERNEL, PROCESSES, RIGHTS
from tests.attacks_reach import CLOSED, COPY, REACH
from tests.probes import attempt

OUTSIDE = (
    *("solution", "settings of the course", "submission of another", "write the settings"),
    *("course by a relative path", "grader's variable", "server of the host", "list of servers"),
    *("folder of the grader", "memory of the grader", "signal to the grader"),
)


def answer(*command):
    """What a command of the toolkit says."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        main([*command, "--json"])
    return json.loads(said.getvalue())["results"]


def try_attacks(root, port):
    """Try what is tried as root, too."""
    course = root / "course"
    host = {
        "solution": str(course / "solutions" / "toy" / "toy.ipynb"),
        "settings": str(course / "nbgrader_config.py"),
        "other": str(course / "submitted" / "right" / "toy" / "toy.ipynb"),
        **{"course": str(course), "folder": str(root / "data"), "tcp": port},
        **{"grader": os.getpid(), "home": str(Path.home()), "python": [], "variable": "PASSWORD"},
        "calls": {call: seccomp.number(call) for call in seccomp.CALLS},
    }
    tables = {**{name: REACH[name] for name in OUTSIDE}, **RIGHTS, **PROCESSES, **CLOSED}
    return {
        **attempt(tables, host, folder=root / "data"),
        **attempt(KERNEL, host, folder=root / "data"),
        **attempt(COPY, host, folder=root / "data"),
    }


if __name__ == "__main__":
    work, server = Path(sys.argv[1]), int(sys.argv[2])
    groups = ControlGroups(memory=2**26, pids=8)
    groups.remove()
    found = {
        **{"user": os.getuid(), "groups": sorted(groups.holds)},
        "class": answer("--course", str(work / "course"), "grade", "--jobs", "1")[0]["submissions"],
        **{"doctor": answer("doctor"), "attacks": try_attacks(work, server)},
    }
    print(json.dumps(found))
