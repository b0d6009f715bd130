"""What one module or one class holds, to be put back later."""

import builtins
import types
from operator import is_

import torch

METHODS = (classmethod, staticmethod, property)
MOVING = {(torch, "Storage")}  # torch itself sets it, for another default dtype


class Held:
    """The functions, classes and constants of a module or class, as they are now.

    Args:
        owner: the module or class.
        judges: whether a test compares with them.

    Attributes:
        code: name → value.
    """

    def __init__(self, owner: types.ModuleType | type, judges: bool = True):
        self.owner, self.judges = owner, judges
        self.code = {name: value for name, value in vars(owner).items() if _is_code(value)}
        self._names, self._values = tuple(self.code), tuple(self.code.values())
        self._known = set(vars(owner))

    def put_back(self) -> None:
        """Give the owner back what it held; added names stay where they hide nothing."""
        now = vars(self.owner)
        if not self._is_same(now):
            for name, value in self.code.items():
                if now.get(name) is not value:
                    _set(self.owner, name, value)
        for name in now.keys() - self._known:
            if _hides(self.owner, name):
                _delete(self.owner, name)

    def changed(self) -> str:
        """A name that means something else than it did; empty if none does."""
        now = vars(self.owner)
        if not self._is_same(now):
            for name, value in self.code.items():
                if now.get(name) is not value and (self.owner, name) not in MOVING:
                    return name
        added = sorted(now.keys() - self._known)
        hiding = (name for name in added if _is_code(now[name]) and _hides(self.owner, name))
        return next(hiding, "")

    def _is_same(self, now: dict[str, object]) -> bool:
        return all(map(is_, map(now.get, self._names), self._values))


def _is_code(value: object) -> bool:
    """Whether it is a function, a class or a constant; the rest may change."""
    return callable(value) or isinstance(value, (*METHODS, float, torch.dtype))


def _hides(owner: object, name: str) -> bool:
    """Whether a name that was added stands in front of another one."""
    if isinstance(owner, types.ModuleType):
        return hasattr(builtins, name) and owner is not builtins and not name.startswith("__")
    value = vars(owner).get(name)
    behind = (vars(base)[name] for base in owner.__mro__[1:] if name in vars(base))
    return next(behind, value) is not value


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
