"""The processes that grade: on this machine, or on those of a Dask cluster."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import (
    active_children,
    forkserver,
    get_context,
    parent_process,
    resource_tracker,
)

from grading.course import CourseError
from grading.warm_process import WARM


def end_with_parent() -> None:
    """End this process as soon as the one that started it ends, in whatever way that happens."""

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def leave_ctrl_c_to_parent() -> None:
    """End with the process that started this one, and leave Ctrl-C to it: it knows what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    end_with_parent()


AHEAD = 2  # tasks that wait for each process, so that none is idle


@contextmanager
def local(jobs: int, kernels: bool = True) -> Iterator[tuple[Executor, int]]:
    """Processes of this machine, each a copy of one that has imported what grading needs.

    Where they are no longer needed, because of an exception such as Ctrl-C, they end at once.

    Args:
        jobs: how many.
        kernels: whether they start kernels.

    Yields:
        An executor, and how many tasks it is given at a time.
    """
    if kernels:
        WARM.share()
    context = get_context("forkserver")
    context.set_forkserver_preload(["grading.task"])
    _start_helpers()
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=leave_ctrl_c_to_parent)
    try:
        yield pool, jobs * AHEAD
    except BaseException:
        for process in set(active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start_helpers() -> None:
    """Start the processes with which `multiprocessing` works, deaf to what tells a group to stop.

    They would go first, complain, and no longer tell which worker has ended. They end with this
    process.
    """
    numbers = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
    try:
        for helper in (resource_tracker, forkserver):
            signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # the first one undoes that
            helper.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


@contextmanager
def cluster(scheduler: str) -> Iterator[tuple[Executor, int]]:
    """The workers of a Dask cluster.

    Args:
        scheduler: its address, such as ``tcp://10.0.0.1:8786``.

    Yields:
        An executor, and how many tasks it is given at a time.

    Raises:
        CourseError: if Dask is not installed, or the scheduler does not answer.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise CourseError(
            "--scheduler needs Dask, which is not installed: pip install 'dask[distributed]'"
        ) from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"--scheduler {scheduler}: no scheduler answers there ({error}); start one with "
            "`dask scheduler`, and use the address that it prints"
        ) from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise CourseError(
                f"--scheduler {scheduler} has no worker; start some: `dask worker {scheduler}`"
            )
        yield client.get_executor(retries=1, pure=False), threads * AHEAD


def run_all(
    open_pool: Callable, tasks: Iterable[tuple[str, tuple]], function: Callable
) -> Iterator[tuple[str, object]]:
    """Run tasks side by side, a few more at a time than there are processes.

    A process that is killed takes those beside it down. They are run again, one at a time; the one
    that brings its process down again is given up.

    Args:
        open_pool: makes a context manager that gives an executor, and how many tasks it takes.
        tasks: name and arguments of each; taken as they are needed.
        function: what to run.

    Yields:
        The name of each task with its result, in the order in which they end; or with the
        exception that it raised.
    """
    interrupted: list[tuple[str, tuple]] = []
    waiting = iter(tasks)
    broken = True
    while broken:
        with open_pool() as (pool, width):
            broken = yield from _run(pool, width, waiting, function, interrupted)
    for name, arguments in interrupted:
        with open_pool() as (pool, _):
            yield name, _result(pool.submit(function, *arguments))


def _run(pool, width, waiting, function, interrupted) -> Iterator[tuple[str, object]]:
    """Run tasks until there is none left, or the pool breaks; return whether it did."""
    running: dict[Future, tuple[str, tuple]] = {}
    while True:
        while len(running) < width and (task := next(waiting, None)):
            try:
                running[pool.submit(function, *task[1])] = task
            except BrokenProcessPool:
                interrupted += [task, *running.values()]
                return True
        if not running:
            return False
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            task = running.pop(future)
            result = _result(future)
            if isinstance(result, BrokenProcessPool):
                interrupted += [task, *running.values()]
                return True
            yield task[0], result


def _result(future: Future) -> object:
    try:
        return future.result()
    except Exception as error:
        return error
