"""Kernels that are ready at once, and isolated: copies of a process that holds torch already.

A kernel of its own for each submission takes two seconds, nearly all of them to import torch and
matplotlib. Here one process imports them once (`grading.warm`). Each kernel is a copy of it that
has walked into a room of its own (`grading.room`).

Whatever starts kernels by their kernelspec can use this: nbclient, nbconvert, nbgrader, JupyterLab.
The kernelspec ``sandbox`` names the provisioner, and ``nbgrader_config.py`` sets its limits.
"""

import asyncio
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
import time
from pathlib import Path

from jupyter_client.provisioning import LocalProvisioner
from traitlets import Bool, Integer

from grading.room import MEBIBYTE, SOCKETS, WORK, Room, check_isolation, data_set

LAUNCHER = "ipykernel_launcher"
ADDRESS = "GRADING_WARM_PROCESS"  # names the socket of the process that a grader has started
LOST = 1  # the exit code of a kernel that went down with the process it was forked from
SECONDS_TO_START = 60
SECONDS_TO_END = 5


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
                env=clean_environment(),
                start_new_session=True,
            )
        self._folder = folder
        atexit.register(self.close)

    def close(self) -> None:
        """End the process and all kernels that it still has, unless it is another program's."""
        atexit.unregister(self.close)
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


class ForkedKernel:
    """A kernel's process, with what jupyter_client uses of ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, group: int, pid: int):
        self.group, self.pid = group, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, None while the kernel runs."""
        if self.returncode is None:
            try:
                self.returncode = WARM.ask(poll=self.group)["exit_code"]
            except ConnectionError:
                self.returncode = LOST
        return self.returncode

    def wait(self) -> int | None:
        """Return the exit code; called when `poll` has said that there is one."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End the kernel at once."""
        self.send_signal(signal.SIGKILL)


class SandboxProvisioner(LocalProvisioner):
    """Fork the kernel into a room, in place of starting a program.

    Attributes:
        room: where the kernel runs; None without isolation.
    """

    isolate = Bool(True, help="Whether kernels run in a room of their own.").tag(config=True)
    memory = Integer(2048, help="MiB that a submission may use in all.").tag(config=True)
    processes = Integer(128, help="Processes and threads that it may run.").tag(config=True)
    cpu_time = Integer(600, help="Seconds of the processor for each process.").tag(config=True)
    disk = Integer(512, help="MiB that it may write, in each of three places.").tag(config=True)
    file_size = Integer(256, help="MiB of the longest file that it may write.").tag(config=True)

    room: Room | None = None

    async def pre_launch(self, **kwargs):
        """Make the room, and choose sockets that lead into it."""
        if self.isolate:
            check_isolation()
            self._leave_room()
            limits = {"memory": self.memory, "processes": self.processes, "disk": self.disk}
            folder = Path(kwargs.get("cwd") or ".").resolve()
            self.room = Room(folder, **limits, readable=data_set()[1])
            manager = self.parent
            manager.transport, manager.ip = "ipc", f"{self.room.sockets}/s"
            kwargs["transport_encryption"] = "disabled"  # nobody else reaches these sockets
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs):
        """Start the kernel, and return how to connect to it."""
        if sys.platform != "linux":  # where a copy of a process may not run
            return await super().launch_kernel(cmd, **kwargs)
        if cmd[0] != sys.executable or LAUNCHER not in cmd:
            raise ValueError(f"only Python's own kernel can be forked, not {' '.join(cmd[:3])}")
        arguments = cmd[cmd.index(LAUNCHER) + 1 :]
        folder = str(Path(kwargs.get("cwd") or ".").resolve())
        request = {"arguments": arguments, "folder": folder, "env": kwargs["env"]}
        if self.room:
            request = self._inside(arguments)
        answer = WARM.ask(**request)
        if "error" in answer:
            raise RuntimeError(f"the kernel did not start: {answer['error']}")
        self.process = ForkedKernel(answer["group"], answer["pid"])
        self.pid = self.pgid = answer["pid"]
        if self.room:
            await self._listening()
        return self.connection_info

    def _inside(self, arguments: list[str]) -> dict:
        """The request for a kernel in the room."""
        connection = {**self.connection_info, "ip": f"{SOCKETS}/s"}
        connection["key"] = connection["key"].decode()
        place = arguments.index("-f") + 1
        limits = {"cpu_time": self.cpu_time, "file_size": self.file_size * MEBIBYTE}
        if "memory" not in self.room.groups.holds:
            limits["memory"] = self.memory * MEBIBYTE
        if "pids" not in self.room.groups.holds:
            limits["processes"] = self.processes
        return {
            "arguments": [*arguments[:place], "kernel.json", *arguments[place + 1 :]],
            "folder": WORK,
            "env": clean_environment(),
            "connection": connection,
            "room": {
                "pid": self.room.pid,
                "groups": [str(folder) for folder in self.room.groups.folders],
                "limits": limits,
                "user": self.room.user,
            },
        }

    async def _listening(self) -> None:
        """Wait until the kernel listens: whoever comes too early tries again much later."""
        last = Path(f"{self.connection_info['ip']}-{self.connection_info['hb_port']}")
        end = time.monotonic() + SECONDS_TO_START
        while not last.exists() and self.process.poll() is None and time.monotonic() < end:
            await asyncio.sleep(0.002)

    @property
    def out_of_memory(self) -> bool:
        """Whether a process of the kernel was ended because the memory was used up."""
        return self.room is not None and self.room.groups.out_of_memory

    @property
    def out_of_time(self) -> bool:
        """Whether the kernel was ended because it had used up its time of the processor."""
        return self.process is not None and self.process.poll() == -signal.SIGXCPU

    async def kill(self, restart: bool = False) -> None:
        """End the kernel, and wait for its end; its manager would look only ten times a second."""
        await super().kill(restart)
        end = time.monotonic() + SECONDS_TO_END
        while await self.poll() is None and time.monotonic() < end:
            await asyncio.sleep(0.002)

    async def cleanup(self, restart: bool = False) -> None:
        """Close the room, with all that is left in it."""
        self._leave_room()
        await super().cleanup(restart)

    def _leave_room(self) -> None:
        if self.room:
            self.room.close()
            self.room = None
