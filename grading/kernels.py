"""Kernels that are ready at once, and isolated: copies of a process that holds torch already.

A kernel of its own for each submission takes two seconds, nearly all of them to import torch and
matplotlib. Here one process imports them once (`grading.warm`). Each kernel is a copy of it that
has walked into a room of its own (`grading.room`).

Whatever starts kernels by their kernelspec can use this: nbclient, nbconvert, nbgrader, JupyterLab.
The kernelspec ``sandbox`` names the provisioner, and ``nbgrader_config.py`` sets its limits.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from jupyter_client.provisioning import LocalProvisioner
from traitlets import Bool, Integer

from grading.outputs import CautiousManager
from grading.room import CONNECTION, MEBIBYTE, SOCKETS, WORK, Room, check_isolation
from grading.shown import data_set
from grading.warm_process import WARM, clean_environment

LAUNCHER = "ipykernel_launcher"
LOST = 1  # the exit code of a kernel that went down with the process it was forked from
SECONDS_TO_START = 60
SECONDS_TO_END = 5


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
        """Send a signal to the kernel, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
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
    memory = Integer(2048, min=1, help="MiB that a submission may use in all.").tag(config=True)
    processes = Integer(128, min=1, help="Processes and threads that it may run.").tag(config=True)
    cpu_time = Integer(600, min=1, help="Processor seconds of each process.").tag(config=True)
    disk = Integer(512, min=1, help="MiB that it may write, in each of 3 places.").tag(config=True)
    file_size = Integer(256, min=1, help="MiB of the longest file it may write.").tag(config=True)

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
        # its warnings would stand in the grader's progress bar
        arguments = ["--IPKernelApp.log_level=ERROR", *cmd[cmd.index(LAUNCHER) + 1 :]]
        arguments.append(f"--LosslessKernelApp.lossless={isinstance(self.parent, CautiousManager)}")
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
            "arguments": [*arguments[:place], CONNECTION, *arguments[place + 1 :]],
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
