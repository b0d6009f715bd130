"""The process from which kernels are forked: it has imported already what submissions import.

`grading.kernels` starts it as ``python -P -m grading.warm FD`` and talks to it through the socket
``FD``, a line of JSON each way. It ends when its grader ends, and takes its kernels with it.
"""

import contextlib
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
import traceback

PRELOADED = (
    *("ipykernel.kernelapp", "matplotlib.pyplot", "torch", "deeplearn.data", "deeplearn.models"),
    *("deeplearn.callbacks", "deeplearn.plots", "deeplearn.transfer", "deeplearn.siamese"),
    *("sklearn.datasets", "torch._dynamo"),  # torch imports the latter for its first optimizer
)


def serve(channel: socket.socket) -> None:
    """Answer requests until the grader hangs up."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else a kernel's first collection copies all that it shares with this process
    kernels: set[int] = set()
    try:
        for line in channel.makefile("r", encoding="utf-8"):
            request = json.loads(line)
            if "poll" in request:
                answer = {"exit_code": _poll(request["poll"], kernels)}
            else:
                answer = {"pid": _fork(channel, **request)}
                kernels.add(answer["pid"])
            with contextlib.suppress(BrokenPipeError):  # the grader ended; so does the loop
                channel.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        for pid in kernels:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _poll(pid: int, kernels: set[int]) -> int | None:
    """The exit code of a kernel; None while it runs."""
    if pid not in kernels:
        return 1  # it was forked from a process before this one, and went down with it
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return None
    kernels.discard(pid)
    return os.waitstatus_to_exitcode(status)


def _fork(channel: socket.socket, arguments: list[str], folder: str, env: dict[str, str]) -> int:
    """Start a kernel, in a process group of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            os.close(channel.fileno())  # close() would wait for the file made from it
            os.setsid()
            _run_kernel(arguments, folder, env)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


def _run_kernel(arguments: list[str], folder: str, env: dict[str, str]) -> None:
    """Become what ``python -m ipykernel_launcher`` would be."""
    import matplotlib
    import numpy as np
    import torch
    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    # read from the environment when matplotlib was imported, which is before the kernel set it
    matplotlib.rcParams["backend"] = "module://matplotlib_inline.backend_inline"
    # the kernel ends with the process that it was forked from
    sys.argv = ["ipykernel_launcher", *arguments, f"--IPKernelApp.parent_handle={os.getppid()}"]
    kernel = IPKernelApp.instance()
    kernel.initialize()
    events = kernel.shell.events

    def seed(_) -> None:
        """What is drawn without a seed is the same in each grading."""
        events.unregister("pre_run_cell", seed)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002, the generator that submissions may use
        torch.manual_seed(0)

    events.register("pre_run_cell", seed)
    kernel.start()
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as own_end:
        serve(own_end)
