"""What a test relies on is put back before it runs.

A submission and its tests share one process. A student's cell can replace what the tests call:
builtins, functions of torch, the hooks of IPython. Before each test this puts back what was there
at the start, and the names that the instructor's cells gave. It defeats what is replaced, not code
that looks for this guard itself.
"""

import ast
import builtins
import gc
import inspect
import operator
import sys
import threading
import types

from ipykernel.ipkernel import IPythonKernel

PREFIXES = (
    *("builtins", "math", "operator", "functools", "inspect", "copy", "types", "json", "random"),
    *("numpy", "torch", "deeplearn", "matplotlib.pyplot", "IPython.core.interactiveshell"),
    *("IPython.core.displayhook", "ipykernel", "jupyter_client.session", "unittest.mock"),
)
TORCH = (
    *("torch", "torch._tensor", "torch.functional", "torch.nn", "torch.optim", "torch.testing"),
    *("torch.autograd.grad_mode", "torch.utils.data", "torch.linalg", "torch.random"),
)
MISSING = object()


def _is_watched(name: str) -> bool:
    if name.split(".")[0] == "torch":
        return name == "torch" or any(
            name == start or name.startswith(f"{start}.") for start in TORCH[1:]
        )
    return any(name == start or name.startswith(f"{start}.") for start in PREFIXES)


class Snapshot:
    """What the watched modules and their classes hold at the time this is made."""

    def __init__(self):
        self._modules = {
            name: module
            for name, module in list(sys.modules.items())
            if _is_watched(name) and isinstance(module, types.ModuleType)
        }
        classes = {
            value
            for module in self._modules.values()
            for value in list(vars(module).values())
            if isinstance(value, type) and _is_watched(getattr(value, "__module__", "") or "")
        }
        self._held = [
            (owner, code, tuple(code), tuple(code.values()), set(vars(owner)))
            for owner in (*self._modules.values(), *classes)
            if (code := _code(owner))
        ]

    def restore(self) -> None:
        """Put everything back; names that were added stay where they hide nothing."""
        sys.modules.update(self._modules)
        for owner, code, names, values, known in self._held:
            now = vars(owner)
            if not all(map(operator.is_, map(now.get, names), values)):
                for name, value in code.items():
                    if now.get(name) is not value:
                        _set(owner, name, value)
            if len(now) > len(known):
                for name in [name for name in now if name not in known and _hides(owner, name)]:
                    _delete(owner, name)


def _code(owner: object) -> dict[str, object]:
    """What a module or class holds of functions, classes and the like; the rest may change."""
    kinds = (classmethod, staticmethod, property)
    return {
        name: value
        for name, value in vars(owner).items()
        if callable(value) or isinstance(value, kinds)
    }


def _hides(owner: object, name: str) -> bool:
    """Whether a name that was added stands in front of another one."""
    if isinstance(owner, types.ModuleType):
        return hasattr(builtins, name) and owner is not builtins and not name.startswith("__")
    return any(name in vars(base) for base in owner.__mro__[1:])


def _set(owner: object, name: str, value: object) -> None:
    try:
        (type if isinstance(owner, type) else object).__setattr__(owner, name, value)
    except (AttributeError, TypeError):
        return  # what Python does not let be set was not set by a student


def _delete(owner: object, name: str) -> None:
    try:
        (type if isinstance(owner, type) else object).__delattr__(owner, name)
    except (AttributeError, TypeError):
        return


class Guard:
    """Restores modules, hooks and names of one kernel.

    Args:
        shell: IPython's, as it is before the first cell.
        snapshot: of the modules.
    """

    def __init__(self, shell, snapshot: Snapshot):
        self._shell, self._snapshot = shell, snapshot
        self._own = {name: value for name, value in vars(shell).items() if callable(value)}
        self._callbacks = {name: list(found) for name, found in shell.events.callbacks.items()}
        manager = shell.input_transformer_manager
        lists = [shell.input_transformers_post, manager.cleanup_transforms, manager.line_transforms]
        lists += [manager.token_transformers, shell.ast_transformers, sys.meta_path]
        lists += [sys.path_hooks, gc.callbacks]
        self._lists = [(found, list(found)) for found in lists]
        self._hooks = sys.displayhook, sys.excepthook, sys.unraisablehook
        self._names: dict[str, object] = {}
        self._given: set[str] = set()

    def restore(self) -> None:
        """Put back what a test relies on."""
        self._snapshot.restore()
        sys.settrace(None)
        sys.setprofile(None)
        threading.settrace(None)
        threading.setprofile(None)
        sys.displayhook, sys.excepthook, sys.unraisablehook = self._hooks
        for found, held in self._lists:
            found[:] = held
        shell = self._shell
        for name, value in list(vars(shell).items()):
            if callable(value) and name not in self._own and hasattr(type(shell), name):
                delattr(shell, name)
        vars(shell).update(self._own)
        for name, held in self._callbacks.items():
            shell.events.callbacks[name][:] = held
        shell.set_custom_exc((), None)
        shell.user_ns.update(self._names)
        shell.ast_transformers.append(CertainBuiltins(shell.user_ns, self._given))

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


class CertainBuiltins(ast.NodeTransformer):
    """Let a test mean Python's builtins, whatever else the notebook calls by their names.

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
        """Replace one name, if it is a builtin's and the student has given it another meaning."""
        name = node.id
        if name in self._local or name in self._given or name not in self._names:
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


class GuardedKernel(IPythonKernel):
    """IPython's kernel, which restores what tests rely on before each of them."""

    guard: Guard | None = None

    async def do_execute(self, code, silent, *args, cell_meta=None, **kwargs):
        """Run a cell; the grader's message says what kind of cell it is."""
        kind = (cell_meta or {}).get("grading", "")
        before = dict(self.shell.user_ns) if kind == "given" else {}
        if kind == "test":
            self.guard.restore()
        reply = await super().do_execute(code, silent, *args, cell_meta=cell_meta, **kwargs)
        if kind == "given":
            self.guard.remember(before)
        if kind == "test":
            self.shell.ast_transformers.clear()
        return reply
