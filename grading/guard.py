"""What a test relies on is put back before it runs.

A submission and its tests share one process. A student's cell can replace what the tests call:
builtins, functions of torch, the hooks of IPython, the kernel's own methods. Before each of the
instructor's cells this puts back what was there at the start, and the names that earlier ones gave.
After a test it looks whether somebody has replaced a judge while the test ran.

It defeats what is replaced, not code that looks for this guard itself.
"""

import ast
import builtins
import gc
import inspect
import signal
import sys
import threading
import types
from contextlib import nullcontext

from torch._C import (
    DisableTorchFunctionSubclass,
    _len_torch_dispatch_stack,
    _len_torch_function_stack,
    _pop_torch_dispatch_stack,
    _pop_torch_function_stack,
)

from grading.snapshot import Parts, Snapshot, inside_of, put_inside

MISSING = object()
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
        self._names: dict[str, object] = {}
        self._inside: dict[types.FunctionType, tuple] = {}
        self._given: set[str] = set()

    def restore(self) -> None:
        """Put back what a test relies on."""
        self._snapshot.restore()
        self.restore_kernel()
        sys.settrace(None)
        sys.setprofile(None)
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
        shell.user_ns, shell.user_module = self._user
        shell.user_ns["__builtins__"] = builtins
        shell.user_ns.update(self._names)
        for function, inside in self._inside.items():
            put_inside(function, inside)
        shell.ast_transformers.append(CertainBuiltins(shell.user_ns, self._given))

    def restore_kernel(self) -> None:
        """Put back the kernel's own methods and handlers, so that this guard is asked again."""
        self._parts.restore()
        for table, held in self._handlers:
            table.update(held)

    def remember(self, before: dict[str, object]) -> None:
        """Remember the modules, functions and classes that an instructor's cell has given names to.

        Args:
            before: the notebook's names before the cell ran.
        """
        for name, value in self._shell.user_ns.items():
            if name.startswith("_") or before.get(name, MISSING) is value:
                continue
            self._given.add(name)
            if isinstance(value, types.ModuleType | type) or inspect.isroutine(value):
                self._names[name] = value
            if type(value) is types.FunctionType and value.__globals__ is self._shell.user_ns:
                self._inside[value] = inside_of(value)

    def changed(self, code: str) -> str:
        """What a test relies on and is another one after it than before; empty if nothing is."""
        if found := self._snapshot.changed():
            return found
        bound = _bound_names(code)
        for name, value in self._names.items():
            if name not in bound and self._shell.user_ns.get(name) is not value:
                return name
        for function, inside in self._inside.items():
            if inside_of(function) != inside:
                return function.__name__
        return ""


class CertainBuiltins(ast.NodeTransformer):
    """Let the instructor's cells mean Python's builtins, whatever else is called by their names.

    Args:
        names: the notebook's.
        given: those that the instructor's cells have given.
    """

    def __init__(self, names: dict[str, object], given: set[str]):
        self._names, self._given = names, given
        self._local: set[str] = set()

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the names in a whole cell."""
        if isinstance(node, ast.Module):
            self._local = {name for part in ast.walk(node) for name in _bound(part)}
        return super().visit(node)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Replace one name, if it is a builtin's and no cell of the instructor's gave it."""
        name = node.id
        if name in self._local or name in self._given:
            return node
        if name.startswith("_") or name == "super":  # names that Python or a cell knows by itself
            return node
        if isinstance(node.ctx, ast.Load) and hasattr(builtins, name):
            node.id = f"_certain_{name}"
            self._names[node.id] = getattr(builtins, name)
        return node


def _bound(node: ast.AST) -> list[str]:
    """The names that a part of a cell binds."""
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.alias):
        return [(node.asname or node.name).split(".")[0]]
    found = getattr(node, "arg" if isinstance(node, ast.arg) else "name", None)
    return [found] if isinstance(found, str) else []


def _bound_names(code: str) -> set[str]:
    try:
        return {name for node in ast.walk(ast.parse(code)) for name in _bound(node)}
    except SyntaxError:  # a line that only IPython understands
        return set()


def install(kernel, snapshot: Snapshot) -> None:
    """Let a kernel restore what tests rely on, and prove that it has run a cell.

    What is needed for that is held by one function alone: no attribute leads to it.

    Args:
        kernel: IPython's, before its first cell.
        snapshot: of the modules.
    """
    run, names = kernel.do_execute, kernel.shell.user_ns

    async def do_execute(code, silent, *args, cell_meta=None, **kwargs):
        """Run a cell; the grader's message says what kind of cell it is."""
        meta = {} if cell_meta is None else cell_meta
        kind, proof = meta.pop("grading", ""), meta.pop("proof", "")
        if kind:
            guard.restore()
        before = dict(names)
        try:
            with DisableTorchFunctionSubclass() if kind == "test" else nullcontext():
                reply = await run(code, silent, *args, cell_meta=meta, **kwargs)
            replaced = guard.changed(code) if kind == "test" else ""
            if replaced and reply["status"] == "ok":
                reply = _error("Replaced", f"{replaced} was replaced while the test ran")
        except Exception:
            # the student has replaced what the kernel needs for its work
            reply = _error("KernelBroken", "the kernel could not run this cell")
        if kind:
            kernel.shell.ast_transformers.clear()  # a student's names mean what the student says
        if kind == "given":
            guard.remember(before)
        guard.restore_kernel()
        return {**reply, "proof": proof}

    kernel.do_execute = do_execute
    guard = Guard(kernel, snapshot)


def _error(ename: str, evalue: str) -> dict:
    """A reply that says that a cell has failed."""
    return {"status": "error", "ename": ename, "evalue": evalue, "traceback": []}
