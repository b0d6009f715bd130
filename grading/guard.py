"""What a test relies on is put back before it runs.

A submission and its tests share one process. A student's cell can replace what the tests call:
builtins, functions of torch, the hooks of IPython, the kernel's own methods. Before each of the
instructor's cells this puts back what was there at the start, and the names that earlier ones gave.
After a test it looks whether somebody has replaced a judge while the test ran.

It defeats what is replaced, not code that looks for this guard itself. Within one
process nothing is secret: a test can be read while it runs.
"""

import builtins
import gc
import linecache
import signal
import sys
import threading
from sys import setprofile, settrace  # a student can replace them where they come from

from torch._C import (
    DisableTorchFunctionSubclass,
    _is_torch_function_enabled,
    _len_torch_dispatch_stack,
    _len_torch_function_stack,
    _pop_torch_dispatch_stack,
    _pop_torch_function_stack,
)

from grading.certain import CertainBuiltins
from grading.given import Given
from grading.inside import private
from grading.parts import Parts
from grading.proof import prove
from grading.snapshot import Snapshot
from grading.unit import Unit
from grading.worth import told

TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Guard:
    """Restores modules, hooks and names of one kernel.

    Args:
        kernel: IPython's, as it is before the first cell.
        snapshot: of the modules.
    """

    def __init__(self, kernel, snapshot: Snapshot):
        shell = kernel.shell
        self._kernel, self._shell, self._snapshot = kernel, shell, snapshot
        self._user = shell.user_ns, shell.user_module
        formats, history = shell.display_formatter, shell.history_manager
        manager = shell.input_transformer_manager
        owners = [kernel, shell, kernel.session, kernel.iopub_socket, shell.displayhook]
        owners += [shell.display_pub, shell.display_trap, shell.builtin_trap, formats, history]
        owners += [shell.compile, shell.events, manager, formats.formatters["text/plain"]]
        self._parts = Parts(owners, moving={"execution_count", "exec_result", "eventloop"})
        self._flags = shell.compile.flags
        lists = [shell.input_transformers_post, manager.cleanup_transforms, manager.line_transforms]
        lists += [manager.token_transformers, shell.ast_transformers, sys.meta_path]
        lists += [sys.path_hooks, gc.callbacks, formats.active_types]
        lists += shell.events.callbacks.values()
        self._lists = [(found, list(found)) for found in lists]
        text = formats.formatters["text/plain"]
        tables = [text.type_printers, text.singleton_printers, text.deferred_printers]
        tables += [formats.formatters, shell.events.callbacks]
        self._tables = [(found, dict(found)) for found in tables]
        handlers = [kernel.shell_handlers, kernel.control_handlers]
        self._handlers = [(found, dict(found)) for found in handlers]
        self._hooks = sys.displayhook, sys.excepthook, sys.unraisablehook
        numbers = signal.valid_signals() - {signal.SIGINT, signal.SIGKILL, signal.SIGSTOP}
        handlers = {number: signal.getsignal(number) for number in numbers}
        self._signals = {n: handler for n, handler in handlers.items() if handler is not None}
        self._signals[signal.SIGINT] = signal.default_int_handler
        self._certain: dict[str, object] = {}
        self.given = Given(shell.user_ns)

    def restore(self) -> None:
        """Put back what a test relies on."""
        settrace(None)
        setprofile(None)
        self._snapshot.restore()
        self.restore_kernel()
        threading.settrace(None)
        threading.setprofile(None)
        for timer in TIMERS:
            signal.setitimer(timer, 0)
        for number, handler in self._signals.items():
            signal.signal(number, handler)
        while _len_torch_function_stack():
            _pop_torch_function_stack()
        while _len_torch_dispatch_stack():
            _pop_torch_dispatch_stack(None)
        sys.displayhook, sys.excepthook, sys.unraisablehook = self._hooks
        for found, held in self._lists:
            found[:] = held
        for table, held in self._tables:
            table.clear()
            table.update(held)
        shell = self._shell
        shell.compile.flags = self._flags
        shell.set_custom_exc((), None)
        shell.user_ns, shell.user_module = names, module = self._user
        sys.modules["__main__"] = module
        names["__builtins__"] = builtins
        names.update(self._certain)
        self.given.put_back()
        shell.ast_transformers.append(CertainBuiltins(names, self._certain, self.given.known))

    def restore_kernel(self) -> None:
        """Put back the kernel's own methods and handlers, so that this guard is asked again."""
        self._parts.restore()
        for table, held in self._handlers:
            table.update(held)

    def changed(self, code: str) -> str:
        """What a test relies on and is another one after it than before; empty if nothing is.

        Called where the functions of tensors' own classes are still switched off.
        """
        if found := self._snapshot.changed():
            return found
        modes = _len_torch_function_stack() + _len_torch_dispatch_stack()
        if modes or _is_torch_function_enabled():
            return "what torch's functions do (torch.set_default_device or another mode)"
        for name, value in self._certain.items():
            if self._shell.user_ns.get(name) is not value:
                return name.rpartition(".")[2]
        return self.given.changed(code)

    def forget(self, code: str) -> None:
        """Take away what shows a test's text to later cells; while it runs, it can be read.

        Args:
            code: the test.
        """
        shell, history = self._shell, self._shell.history_manager
        for texts in (history.input_hist_parsed, history.input_hist_raw):
            texts[-1:] = [""]
        history._i00 = shell.user_ns[f"_i{shell.execution_count - 1}"] = ""
        history.db_input_cache.clear()
        shell.last_execution_result = None
        sys.last_type = sys.last_value = sys.last_traceback = None
        linecache.cache.pop(shell.compile.get_code_name(code, code, 0), None)
        self._kernel.get_parent("shell")["content"]["code"] = ""


def install(kernel, snapshot: Snapshot) -> None:
    """Let a kernel restore what tests rely on, and prove that it has run a cell.

    What is needed for that is held by one function alone: no attribute leads to it.

    Args:
        kernel: IPython's, before its first cell.
        snapshot: of the modules.
    """
    run, names, handle = kernel.do_execute, kernel.shell.user_ns, signal.signal
    tell_number, sign = map(private, (told, prove))

    async def run_test(code, *args, **kwargs):
        """Run a test: it counts if its end was reached, and if the judges are who they were."""
        end = {}

        def tell(value=None):
            end["value"] = tell_number(value)
            return value

        unit = Unit(names, tell)
        kernel.shell.ast_transformers.append(unit)
        try:
            with DisableTorchFunctionSubclass():
                reply = await run(code, *args, **kwargs)
                replaced = guard.changed(code)
        finally:
            unit.forget()
            guard.forget(code)
        if reply["status"] == "ok" and replaced:
            reply = _error("Replaced", f"{replaced} was replaced while the test ran")
        if reply["status"] == "ok" and not end and code.strip():
            reply = _error("Unfinished", "the test was left before its end")
        return {**reply, **end}

    async def do_execute(code, *args, cell_meta=None, **kwargs):
        """Run a cell; the grader's message says what kind of cell it is."""
        meta = {} if cell_meta is None else cell_meta
        kind, proof = meta.pop("grading", ""), meta.pop("proof", "")
        before = dict(names)
        try:
            if kind:
                guard.restore()
                before = dict(names)
            run_it = run_test if kind == "test" else run
            reply = await run_it(code, *args, cell_meta=meta, **kwargs)
            if kind == "given":
                guard.given.remember(before)
        except KeyboardInterrupt:
            reply = _error("KeyboardInterrupt", "the cell was stopped")
        except Exception:
            # the student has replaced what the kernel needs for its work
            reply = _error("KernelBroken", "the kernel could not run this cell")
        # too late to stop the cell: an interruption would take the kernel's answer instead
        handle(signal.SIGINT, signal.SIG_IGN)
        if kind:
            kernel.shell.ast_transformers.clear()  # a student's names mean what the student says
        guard.restore_kernel()
        # what sends this may have been replaced: it can change nothing that is proven
        return {**reply, "proof": sign(proof, reply["status"], reply.get("value"))}

    kernel.do_execute = do_execute
    guard = Guard(kernel, snapshot)


def _error(ename: str, evalue: str) -> dict:
    """A reply that says that a cell has failed."""
    return {"status": "error", "ename": ename, "evalue": evalue, "traceback": []}
