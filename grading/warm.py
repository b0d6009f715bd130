"""The process from which kernels are forked: it has imported already what submissions import.

`grading.warm_process` starts it as ``python -P -m grading.warm LISTENER OWNER``. It answers
requests on the socket ``LISTENER``, a line of JSON each way. It ends when the other end of the
socket ``OWNER`` is closed, as happens when its grader ends. With a connection end the kernels that
it asked for.
"""

import asyncio
import contextlib
import gc
import importlib
import inspect
import io
import json
import os
import random
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path

from grading.confine import wait_and_end_like, walk_in
from grading.guard import install
from grading.room import CONNECTION
from grading.snapshot import Snapshot

PRELOADED = (
    *("grading.lossless", "ipykernel.debugger", "IPython.core.completerlib", "tornado.queues"),
    *("IPython.core.oinspect", "IPython.core.debugger", "IPython.extensions.storemagic"),
    *("tornado.platform.asyncio", "sqlite3"),
    *("matplotlib.pyplot", "torch", "deeplearn.data", "deeplearn.models"),
    *("deeplearn.callbacks", "deeplearn.plots", "deeplearn.transfer", "deeplearn.siamese"),
    *("PIL.GifImagePlugin", "torch._dynamo"),  # for the first figure, and the first optimizer
)


def serve(listener: socket.socket, owner: socket.socket) -> None:
    """Answer requests until the grader ends."""
    sys.modules["debugpy"] = None  # half of the time that a kernel takes to start, and of no use
    gc.disable()  # while so much is imported, nothing is garbage, and to look for it takes long
    for name in PRELOADED:
        importlib.import_module(name)
    if os.environ["DEEPLEARN_DATA"] == "digits":
        importlib.import_module("sklearn.datasets")  # where they come from
    _draw_once()
    snapshot = Snapshot()
    gc.enable()
    gc.freeze()  # else a kernel's first collection copies all that it shares with this process
    asked: dict[socket.socket, set[int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(owner, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is owner:
                    for kernels in asked.values():
                        _end(kernels)
                    return
                if key.fileobj is listener:
                    channel = listener.accept()[0]
                    asked[channel] = set()
                    selector.register(channel, selectors.EVENT_READ, channel.makefile("rb"))
                elif not _answer(key.fileobj, key.data, asked[key.fileobj], snapshot):
                    selector.unregister(key.fileobj)
                    _end(asked.pop(key.fileobj))
                    key.data.close()
                    key.fileobj.close()


def _draw_once() -> None:
    """Let matplotlib read its fonts, and its grammar of formulas."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.subplots().set_title("$x^2$")
    figure.savefig(io.BytesIO(), format="png")


def _answer(channel: socket.socket, requests, kernels: set[int], snapshot: Snapshot) -> bool:
    """Answer one request; return whether there may be another one."""
    with contextlib.suppress(ConnectionError):
        line = requests.readline()
        if not line:
            return False
        request = json.loads(line)
        if "poll" in request:
            answer = {"exit_code": _poll(request["poll"], kernels)}
        else:
            answer = _fork(snapshot, **request)
            kernels.add(answer["group"])
        channel.sendall(json.dumps(answer).encode() + b"\n")
        return True
    return False


def _end(kernels: set[int]) -> None:
    for pid in kernels:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _poll(pid: int, kernels: set[int]) -> int | None:
    """The exit code of a kernel; None while it runs."""
    if pid not in kernels:
        return 1  # it was forked from a process before this one, and went down with it
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return None
    kernels.discard(pid)
    return os.waitstatus_to_exitcode(status)


def _fork(
    snapshot: Snapshot,
    arguments: list[str],
    folder: str,
    env: dict[str, str],
    room: dict | None = None,
    connection: dict | None = None,
) -> dict:
    """Start a kernel, in a process group of its own, and in a room if one is named.

    Returns:
        The process ``group`` to wait for, and the kernel's ``pid``; ``error`` if it did not get
        that far.
    """
    reader, writer = os.pipe()
    group = os.fork()
    if group == 0:
        try:
            os.setsid()
            os.dup2(writer, 3)
            os.closerange(4, os.sysconf("SC_OPEN_MAX"))  # other kernels' channels among them
            _enter(room)
            if connection is not None:
                Path(CONNECTION).write_text(json.dumps(connection), encoding="utf-8")
            _run_kernel(arguments, folder, env, snapshot)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as told:
        # the process outside answers, and the one inside if it cannot be locked in
        answers = [json.loads(line) for line in told]
    found = {"group": group}
    for answer in answers or [{"error": "it ended at once"}]:
        found |= answer
    return found


def _enter(room: dict | None) -> None:
    """Walk into the room, if there is one, and tell the number of the process that did."""
    with os.fdopen(3, "w", encoding="utf-8") as channel:
        if room is None:
            channel.write(json.dumps({"pid": os.getpid()}) + "\n")
            return
        try:
            inside = walk_in(**room)
        except OSError as error:
            channel.write(json.dumps({"error": str(error)}) + "\n")
            raise
        if inside:
            channel.write(json.dumps({"pid": inside}) + "\n")
    if inside:
        wait_and_end_like(inside)
    os.setsid()


def _run_kernel(arguments: list[str], folder: str, env: dict[str, str], snapshot: Snapshot) -> None:
    """Become what ``python -m ipykernel_launcher`` would be."""
    import matplotlib
    import numpy as np
    import torch

    from grading.lossless import LosslessKernelApp

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    # read from the environment when matplotlib was imported, which is before the kernel set it
    matplotlib.rcParams["backend"] = "module://matplotlib_inline.backend_inline"
    # the kernel ends with the process that it was forked from
    sys.argv = ["ipykernel_launcher", *arguments, f"--IPKernelApp.parent_handle={os.getppid()}"]
    # what a student's files are named may not hide a module
    sys.path[:] = [*(place for place in sys.path if place), ""]
    kernel = LosslessKernelApp.instance()
    kernel.initialize()
    _name_module_of_cells(kernel.shell.compile)
    # `exit()` would stop the kernel a tenth of a second later, in whatever cell runs by then
    kernel.shell.ask_exit = sys.exit
    kernel.shell.unobserve_all("exit_now")
    install(kernel.kernel, snapshot)
    events = kernel.shell.events

    def seed(_) -> None:
        """What is drawn without a seed is the same in each grading."""
        events.unregister("pre_run_cell", seed)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002, the generator that submissions may use
        torch.manual_seed(0)

    events.register("pre_run_cell", seed)
    _tick(asyncio.get_event_loop())
    kernel.start()
    os._exit(0)


def _tick(loop: asyncio.AbstractEventLoop) -> None:
    """Wake the kernel's loop twice a second.

    Else a cell that awaits something would be stopped only when that has come.
    """
    loop.call_later(0.5, _tick, loop)


def _name_module_of_cells(compiler) -> None:
    """Let `inspect` know at once which module the code of a cell belongs to.

    For each line of a traceback it would look through all modules, which torch makes thousands: a
    minute where a function calls itself without an end.
    """
    get_code_name = compiler.get_code_name

    def named(*args, **kwargs) -> str:
        name = get_code_name(*args, **kwargs)
        inspect.modulesbyfile[name] = "__main__"
        return name

    compiler.get_code_name = named


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (
        socket.socket(fileno=int(sys.argv[1])) as own_listener,
        socket.socket(fileno=int(sys.argv[2])) as own_owner,
    ):
        serve(own_listener, own_owner)
