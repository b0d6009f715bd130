"""How much memory the grader takes, its submissions left out."""

import threading
from pathlib import Path

import psutil


class Memory(threading.Thread):
    """Watches how much memory the grader's own processes take together.

    Of this process, which is that of the tests, what it takes more than at the start.
    """

    def __init__(self, pause):
        super().__init__(daemon=True)
        self.most, self._pause, self._done = 0, pause, threading.Event()

    def run(self):
        """Look, and pause: a look takes the processor's time."""
        own = psutil.Process()
        before = _own_memory(own)
        while not self._done.wait(self._pause):
            found = [own, *own.children(recursive=True)]
            self.most = max(self.most, sum(map(_own_memory, found)) - before)

    def stop(self):
        """Stop, and return the most that was seen."""
        self._done.set()
        self.join()
        return self.most


def _own_memory(process):
    """A process's part of what it shares, too; 0 for a submission, which has its own network."""
    try:
        network = Path(f"/proc/{process.pid}/ns/net").readlink()
        memory = process.memory_full_info()
    except (OSError, psutil.Error):
        return 0
    return memory.pss if network == Path("/proc/self/ns/net").readlink() else 0
