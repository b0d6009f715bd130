"""Kernels that are ready at once: forked from a process that holds torch already.

A kernel of its own for each submission takes two seconds, nearly all of them to import torch and
matplotlib. Here one process imports them once, and each kernel is a copy of it (`grading.warm`).
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from jupyter_client import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

LAUNCHER = "ipykernel_launcher"
LOST = 1  # the exit code of a kernel that went down with the process it was forked from


class WarmProcess:
    """The process that kernels are forked from; started when the first one is asked for."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None

    def ask(self, **request) -> dict:
        """Send a request, and return its answer.

        Raises:
            ConnectionError: if the process ends instead; the next request starts another one.
        """
        with self._lock:
            if self._process is None:
                self._start()
            try:
                self._channel.sendall(json.dumps(request).encode() + b"\n")
                return json.loads(self._answers.readline())
            except (OSError, ValueError):
                self._hang_up()
                code, self._process = self._process.wait(), None
                message = f"the process that starts kernels ended with code {code}"
                raise ConnectionError(message) from None

    def _start(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "grading.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # where programs that submissions start would print
                env={**os.environ, "PYTHONHASHSEED": "0"},  # sets keep their order
                start_new_session=True,
            )
        self._answers = self._channel.makefile("r", encoding="utf-8")
        atexit.register(self.close)

    def close(self) -> None:
        """End the process and all kernels that it still has."""
        atexit.unregister(self.close)
        with self._lock:
            if self._process is not None:
                self._hang_up()
                self._process.wait()
                self._process = None

    def _hang_up(self) -> None:
        self._answers.close()
        self._channel.close()


WARM = WarmProcess()


class ForkedKernel:
    """A kernel's process, with what jupyter_client uses of ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, None while the kernel runs."""
        if self.returncode is None:
            try:
                self.returncode = WARM.ask(poll=self.pid)["exit_code"]
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


class WarmProvisioner(LocalProvisioner):
    """Fork the kernel, in place of starting a program."""

    async def launch_kernel(self, cmd: list[str], **kwargs):
        """Start the kernel, and return how to connect to it."""
        if cmd[0] != sys.executable or LAUNCHER not in cmd:
            return await super().launch_kernel(cmd, **kwargs)
        arguments = cmd[cmd.index(LAUNCHER) + 1 :]
        folder = str(Path(kwargs.get("cwd") or ".").resolve())
        answer = WARM.ask(arguments=arguments, folder=folder, env=kwargs["env"])
        self.process = ForkedKernel(answer["pid"])
        self.pid = self.pgid = answer["pid"]
        return self.connection_info


class WarmKernelManager(AsyncKernelManager):
    """nbclient's kernel manager, with kernels that are forked."""

    async def _async_pre_start_kernel(self, **kwargs):
        if self.provisioner is None:
            spec = self.kernel_spec
            self.provisioner = WarmProvisioner(kernel_spec=spec, kernel_id="", parent=self)
        return await super()._async_pre_start_kernel(**kwargs)
