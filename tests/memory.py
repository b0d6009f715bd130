"""How much memory the grader takes, its submissions left out."""

import subprocess
import sys
from pathlib import Path

import psutil


def grade_and_measure(root, assignment, jobs, pause):
    """Grade an assignment with the command, and look every so many seconds at what it takes.

    The command has processes of its own: nothing that ran before in this one is counted.

    Returns:
        The MB of each of its processes, at the moment when they took the most together.
    """
    command = [sys.executable, "-m", "grading", "grade", assignment, "--jobs", str(jobs)]
    most = {}
    with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL) as grader:
        while grader.poll() is None:
            seen = _memory(psutil.Process(grader.pid))
            if sum(seen.values()) > sum(most.values()):
                most = seen
            try:
                grader.wait(pause)
            except subprocess.TimeoutExpired:
                continue
    return most


def _memory(grader):
    try:
        processes = [grader, *grader.children(recursive=True)]
    except psutil.Error:  # it has ended
        return {}
    return {process.pid: _own_memory(process) // 10**6 for process in processes}


def _own_memory(process):
    """A process's part of what it shares, too; 0 for a submission, which has its own network."""
    try:
        network = Path(f"/proc/{process.pid}/ns/net").readlink()
        memory = process.memory_full_info()
    except (OSError, psutil.Error):
        return 0
    return memory.pss if network == Path("/proc/self/ns/net").readlink() else 0
