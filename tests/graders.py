"""Graders that can be killed: each a copy of a process that has imported `grading`.

A grader that starts as a program spends seconds on imports, twenty of them a minute. A copy calls
the same `main` in a process group of its own. All that it starts and leaves behind becomes a child
of the first process, which counts them.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from grading.__main__ import main
from grading.warm_process import ADDRESS

ROOT = Path(__file__).parent.parent
SET_CHILD_SUBREAPER = 36  # include/uapi/linux/prctl.h


class Graders:
    """Starts graders in a course folder.

    Args:
        course: the folder.
        temporary: the folder of their temporary files.
    """

    def __init__(self, course, temporary):
        places = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONPATH": places, "TMPDIR": str(temporary)}
        env.pop(ADDRESS, None)  # of the process that the other tests of this session share
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.graders"],
            **{"cwd": course, "env": env, "text": True},
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE},
        )

    def start(self, *arguments):
        """Start one; return its process number, which is that of its group as well."""
        return self._ask(arguments=arguments)

    def wait(self, pid):
        """Wait for the end of one; return its exit status and what it said on stderr."""
        return self._ask(pid=pid)

    def descendants(self):
        """Every process that a grader started, directly or not, and that still runs."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def close(self):
        """End the first process, and what is left of the others."""
        left = self.descendants()
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _ask(self, **request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def serve():
    """Start graders and wait for them, as the lines of stdin say."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ended = {}

    def bury(*_):
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                ended[found[0]] = os.waitstatus_to_exitcode(found[1])

    signal.signal(signal.SIGCHLD, bury)
    for line in sys.stdin:
        request = json.loads(line)
        if "arguments" in request:
            answer = os.fork()
            if answer == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                grade(request["arguments"])
        else:
            while request["pid"] not in ended:
                time.sleep(0.01)
            said = Path(f"_build/{request['pid']}.txt").read_text(encoding="utf-8")
            answer = [ended.pop(request["pid"]), said]
        print(json.dumps(answer), flush=True)


def grade(arguments):
    """Become a grader; what it says goes to a file."""
    os.setpgid(0, 0)
    # a shell that starts the tests in the background has them ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(os.open(f"_build/{os.getpid()}.txt", os.O_WRONLY | os.O_CREAT), 2)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    sys.exit(main(arguments))


if __name__ == "__main__":
    serve()
