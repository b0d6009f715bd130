"""What modules and classes hold at the start, to be put back later.

Whatever puts something back may itself have been replaced. So Python's builtins come first, and
nothing is used for that but the method of a dictionary, which cannot be replaced.
"""

import builtins
import importlib
import sys
import types
from collections.abc import Iterable
from itertools import chain
from operator import is_

from grading.held import Held
from grading.inside import INSIDES, functions_of, is_same
from grading.versions import Insides, Versions, table_of

# modules, and those below them
WATCHED = (
    *("builtins", "math", "cmath", "operator", "functools", "itertools", "collections", "inspect"),
    *("copy", "types", "json", "random", "statistics", "fractions", "decimal", "numbers", "re"),
    *("ast", "codeop", "traceback", "warnings", "contextlib", "unittest", "signal", "time", "gc"),
    *("numpy._core", "numpy.lib", "numpy.linalg", "numpy.random", "numpy.testing"),
    *("torch._tensor", "torch.functional", "torch.nn", "torch.optim", "torch.testing"),
    *("torch.autograd.grad_mode", "torch.utils.data", "torch.linalg", "torch.random"),
    *("torch.overrides", "torch._VF", "torch.special", "torch._C._nn", "torch._C._linalg"),
    *("deeplearn", "matplotlib.pyplot", "jupyter_client.session", "threading"),
    *("IPython.core.interactiveshell", "IPython.core.displayhook", "IPython.core.compilerop"),
    *("IPython.core.inputtransformer2", "IPython.core.events", "IPython.core.async_helpers"),
    *("ipykernel.ipkernel", "ipykernel.kernelbase", "ipykernel.zmqshell", "ipykernel.displayhook"),
    *("grading.certain", "grading.given", "grading.guard", "grading.held", "grading.inside"),
    *("grading.parts", "grading.proof", "grading.snapshot", "grading.unit", "grading.versions"),
    "grading.worth",
)
# modules alone
ALONE = ("torch", "torch._C", "numpy")
LOADED = ("numpy.testing", "statistics", "torch.testing", "unittest.mock", "deeplearn.optim")
# what a test compares with: whoever replaces one of these while the test runs, is found out.
# torch's optimizers replace their own methods when the first one is made.
JUDGES = ("builtins", "math", "cmath", "operator", "numpy", "torch", "unittest", "statistics")
JUDGES += ("copy", "collections", "decimal", "fractions", "functools", "itertools", "inspect")
JUDGES += ("json", "random", "re", "deeplearn")
NO_JUDGES = ("torch.optim", "torch.utils", "deeplearn.optim")
# kinds of classes that torch makes by the dozen, with hundreds of names, and that no test uses
GENERATED = ("pybind11_type", "tensortype")
SET_CLASS = vars(object)["__class__"].__set__  # which no class can hide


def _is_below(name: str, starts: Iterable[str]) -> bool:
    return any(name == start or name.startswith(f"{start}.") for start in starts)


def _is_watched(name: str) -> bool:
    return name in ALONE or _is_below(name, WATCHED)


def _classes(module: types.ModuleType) -> set[type]:
    """The classes of a watched module that can be changed."""
    return {
        value
        for value in list(vars(module).values())
        if isinstance(value, type)
        and _is_watched(getattr(value, "__module__", "") or "")
        and type(value).__name__ not in GENERATED
    }


class Snapshot:
    """What the watched modules and their classes hold at the time this is made."""

    def __init__(self):
        for name in LOADED:
            importlib.import_module(name)
        self._sys, self._table, self._loaded = sys, sys.modules, dict(sys.modules)
        del self._loaded["__main__"]  # of the process that this one is forked from
        watched = {
            name: module
            for name, module in self._loaded.items()
            if _is_watched(name) and isinstance(module, types.ModuleType)
        }
        classes = set().union(*map(_classes, watched.values()))
        self._builtins = vars(builtins), Held(builtins).code
        self._modules = list(watched.values())
        self._kinds = list(map(type, self._modules))
        owners = [(module, name) for name, module in watched.items()]
        owners += [(found, found.__module__) for found in classes]
        self._held = [held for owner, name in owners if (held := Held(owner, _is_judge(name))).code]
        self._imports = Versions([self._table])
        self._versions = Versions(table_of(held.owner) for held in self._held)
        values = [value for held in self._held for value in held.code.values()]
        self._functions = list({found for value in values for found in functions_of(value)})
        self._inside = list(map(INSIDES, self._functions))
        self._insides = Insides(self._functions)
        named = [function.__kwdefaults__ for function in self._functions]
        self._defaults = [(found, dict(found)) for found in named if found]
        self._named = Versions(found for found, _ in self._defaults)

    def restore(self) -> None:
        """Put everything back."""
        now, code = self._builtins
        now.update(code)
        if list(map(type, self._modules)) != self._kinds:
            for module, kind in zip(self._modules, self._kinds, strict=True):
                SET_CLASS(module, kind)
        self._sys.modules = self._table
        if self._imports.moved():
            self._table.update(self._loaded)
            self._imports.settle()
        if self._insides.moved:
            for function, inside in zip(self._functions, self._inside, strict=True):
                if not all(map(is_, INSIDES(function), inside)):
                    function.__code__, function.__defaults__, function.__kwdefaults__ = inside
            self._insides.moved = False
        self._insides.traced = False
        for place in self._named.moved():
            defaults, known = self._defaults[place]
            defaults.clear()
            defaults.update(known)
        self._named.settle()
        for place in self._versions.moved():
            self._held[place].put_back()
        self._versions.settle()

    def changed(self) -> str:
        """What of a test's judges is another one than at the start; empty if nothing is.

        Puts Python's builtins back, since it needs them.
        """
        now, code = self._builtins
        seen = {**now}
        now.update(code)  # from here on all builtins are Python's own
        for name in code:
            if seen.get(name) is not code[name]:
                return f"builtins.{name}"
        if list(map(type, self._modules)) != self._kinds:
            return "the class of a module"
        if self._insides.traced:
            return "the trace function (doctest replaces it, too)"
        for place in self._versions.moved():
            held = self._held[place]
            if held.judges and (name := held.changed()):
                return f"{held.owner.__name__}.{name}"
        return "the inside of a function" if self._is_inside_changed() else ""

    def _is_inside_changed(self) -> bool:
        """Whether a function has other code or defaults; a default may say that it equals any."""
        if self._insides.moved:
            now, known = map(INSIDES, self._functions), self._inside
            if not all(map(is_, chain.from_iterable(now), chain.from_iterable(known))):
                return True
        moved = (self._defaults[place] for place in self._named.moved())
        return any(not is_same(defaults, known) for defaults, known in moved)


def _is_judge(name: str) -> bool:
    return _is_below(name, JUDGES) and not _is_below(name, NO_JUDGES)
