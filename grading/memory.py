"""The memory that a kernel's messages fill in the process that grades.

A message may have any number of parts, of any length. zmq limits how many messages wait, but it
takes each in until it is whole. So the memory itself is watched, and the kernel that fills it is
ended: what was not whole is then forgotten.
"""

import contextlib
import os
import signal
import threading

import psutil
from jupyter_client.provisioning import LocalProvisioner

PAUSE = 0.02  # seconds, in which a kernel sends some 40 MB
MEGABYTE = 10**6


class MemoryWatch:
    """Ends a kernel if the memory of this process grows too much while the ``with`` block lasts.

    Where a process runs several kernels at a time, all of them are blamed.

    Args:
        limit: MB by which it may grow.
        provisioner: of the kernel, which has started.

    Attributes:
        full: whether it has grown by more.
    """

    def __init__(self, limit: int, provisioner: LocalProvisioner):
        self.full = False
        self._limit, self._provisioner = limit * MEGABYTE, provisioner
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        memory = psutil.Process().memory_info
        most = memory().rss + self._limit
        while not self._over.wait(PAUSE):
            if memory().rss > most:
                self.full = True
                _end(self._provisioner)
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def _end(provisioner: LocalProvisioner) -> None:
    """End a kernel at once, with all that runs in its room: each of them may hold its sockets."""
    room = getattr(provisioner, "room", None)
    with contextlib.suppress(ProcessLookupError):
        if room:
            os.kill(room.pid, signal.SIGKILL)
        else:
            os.killpg(provisioner.pgid, signal.SIGKILL)
