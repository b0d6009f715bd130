"""The process that kernels are forked from, as its grader sees it: started, shared, asked, ended.

What it does itself is `grading.warm`. What it and its kernels may know is chosen here.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import platformdirs

from grading.shown import data_set

ADDRESS = "GRADING_WARM_PROCESS"  # names the socket of the process that a grader has started
SECONDS_TO_END = 1


class WarmProcess:
    """The process that kernels are forked from; started when the first one is asked for.

    The processes that grade for one grader share one: `share` names it in the environment.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen | None = None

    def share(self) -> None:
        """Start the process now, and let the programs that are started from here use it."""
        with self._lock:
            if self._channel is None:
                self._connect()
            os.environ[ADDRESS] = self._address

    def ask(self, **request) -> dict:
        """Send a request, and return its answer.

        Raises:
            ConnectionError: if the process ends instead; the next request starts another one.
        """
        with self._lock:
            if self._channel is None:
                self._connect()
            try:
                self._channel.sendall(json.dumps(request).encode() + b"\n")
                return json.loads(self._answers.readline())
            except (OSError, ValueError):
                self._hang_up()
                raise ConnectionError("the process that starts kernels has ended") from None

    def _connect(self) -> None:
        self._address = os.environ.get(ADDRESS, "")
        self._channel = socket.socket(socket.AF_UNIX)
        try:
            self._channel.connect(self._address)
        except OSError:  # there is none to share, or it has ended
            self._start()
            self._channel.connect(self._address)
        self._answers = self._channel.makefile("r", encoding="utf-8")

    def _start(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="warm-")
        self._address = str(Path(folder.name, "socket"))
        self._owner, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(64)
            descriptors = [listener.fileno(), theirs.fileno()]
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "grading.warm", *map(str, descriptors)],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # where programs that submissions start would print
                env=clean_environment() | _private_folders(folder.name),
                start_new_session=True,
            )
        self._folder = folder
        atexit.register(self._close_at_end)

    def _close_at_end(self) -> None:
        """Close while Python ends; a second Ctrl-C would leave that half done."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.close()

    def close(self) -> None:
        """End the process and all kernels that it still has, unless it is another program's."""
        atexit.unregister(self._close_at_end)
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._answers.close()
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._owner.close()
            try:
                self._process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:  # it has no kernel yet, and is busy with imports
                self._process.kill()
                self._process.wait()
            self._process = None
            self._folder.cleanup()


WARM = WarmProcess()


def name_kernelspec() -> None:
    """Let Jupyter find the kernelspec ``sandbox``, here and in the programs started from here."""
    place = str(Path(__file__).parent / "jupyter")
    known = os.environ.get("JUPYTER_PATH", "")
    if place not in known.split(os.pathsep):
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [place, known]))


def clean_environment() -> dict[str, str]:
    """What a submission may know of the grader's environment; passwords and keys stay out.

    The memory of a copied process holds all that the first one was given.
    """
    names = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    threads = os.environ.get("OMP_NUM_THREADS", "1")  # as many threads as graders are too many
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
        **{"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": "0"},  # sets keep their order
        **{"DEEPLEARN_DATA": data_set()[0], "HOME": "/tmp", "MPLCONFIGDIR": "/tmp/matplotlib"},
        **{"IPYTHONDIR": "/tmp/ipython", "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
    }


def _private_folders(home: str) -> dict[str, str]:
    """Where the process itself may look for settings: a room has a /tmp of its own, it has not.

    What others leave in the machine's /tmp it would import, with the rights of the grader.
    """
    fonts = platformdirs.user_cache_path("training-deep-networks") / "matplotlib"
    return {"HOME": home, "IPYTHONDIR": f"{home}/ipython", "MPLCONFIGDIR": str(fonts)}
