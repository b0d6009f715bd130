"""Control groups: limits on what all processes of one submission take together.

In a group for the processor, a submission gets as much of it as each one beside it, however many
processes it runs. Groups are used where the machine lets this user write them: for root, as a rule;
for others where systemd has delegated a group. Elsewhere each process has a limit of its own
(`grading.confine`).
"""

import contextlib
import functools
import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "pids", "cpu")


class ControlGroups:
    """A group for each of memory, processes and the processor, or one for all.

    Args:
        memory: the limit in bytes.
        pids: the limit for processes and threads.

    Attributes:
        folders: the groups to join; none where they cannot be written.
        holds: which of `CONTROLLERS` they are for.
    """

    _count = 0

    def __init__(self, *, memory: int, pids: int):
        ControlGroups._count += 1
        name = f"grading-{os.getpid()}-{ControlGroups._count}"
        parents = parent_groups()
        self.holds = set(parents)
        self.folders = sorted({parent / name for parent in parents.values()})
        for folder in self.folders:
            folder.mkdir()
        for kind, limits in {
            "memory": {
                **{"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
                **{"memory.max": memory, "memory.swap.max": 0},
            },
            "pids": {"pids.max": pids},
        }.items():
            for file, limit in limits.items():
                path = parents[kind] / name / file if kind in parents else None
                if path and path.exists():
                    path.write_text(str(limit))

    @property
    def out_of_memory(self) -> bool:
        """Whether a process was ended because the memory was used up."""
        for folder in self.folders:
            for file in ("memory.events", "memory.oom_control"):
                lines = (folder / file).read_text().splitlines() if (folder / file).exists() else []
                counts = dict(line.split() for line in lines)
                if int(counts.get("oom_kill", 0)):
                    return True
        return False

    def remove(self) -> None:
        """Remove the groups; their processes have been ended."""
        for folder in self.folders:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    folder.rmdir()
                if not folder.exists():
                    break
                time.sleep(0.005)  # the last process is still being buried


@functools.cache
def parent_groups() -> dict[str, Path]:
    """For each controller, the group of this process, where groups can be made in it."""
    found = {}
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, names, place = line.split(":", 2)
        if names:  # version 1: a tree for each controller
            for kind in set(names.split(",")) & set(CONTROLLERS):
                found[kind] = ROOT / kind / place.strip("/")
        else:  # version 2: one tree
            for tree in (ROOT, ROOT / "unified"):
                folder = tree / place.strip("/")
                for kind in _read(folder / "cgroup.subtree_control").split():
                    if kind in CONTROLLERS:
                        found.setdefault(kind, folder)
    return {kind: folder for kind, folder in found.items() if _can_make(folder)}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _can_make(folder: Path) -> bool:
    trial = folder / f"grading-{os.getpid()}-trial"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError:
        return False
    return True
