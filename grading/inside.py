"""What is inside a function: its code and its defaults, which can be changed in place.

Two of them are the same if they are one object. What a student has made may say that it equals
anything.
"""

import builtins
import contextlib
import types
from collections.abc import Iterator
from operator import attrgetter, is_

from grading.versions import INSIDE

INSIDES = attrgetter(*INSIDE)


def functions_of(value: object) -> Iterator[types.FunctionType]:
    """The functions in Python behind a function, a method, or a wrapper."""
    if isinstance(value, property):
        found = [value.fget, value.fset, value.fdel]
    elif isinstance(value, classmethod | staticmethod):
        found = [value.__func__]
    else:
        found = [value]
        for name in ("_implementation", "__wrapped__"):  # of NumPy's functions, and of cached ones
            with contextlib.suppress(AttributeError):
                found.append(object.__getattribute__(value, name))
    for function in found:
        seen = set()
        while type(function) is types.FunctionType and function not in seen:
            seen.add(function)
            yield function
            function = vars(function).get("__wrapped__")


class Inside:
    """The code and the defaults of a function; the dictionary of defaults can change in place."""

    def __init__(self, function: types.FunctionType):
        self._function = function
        self._code, self._defaults, named = INSIDES(function)
        self._named = named and dict(named)

    def is_changed(self) -> bool:
        """Whether the function holds something else."""
        code, defaults, named = INSIDES(self._function)
        same = code is self._code and defaults is self._defaults
        return not (same and is_same(named or {}, self._named or {}))

    def put_back(self) -> None:
        """Give the function what it held."""
        self._function.__code__, self._function.__defaults__ = self._code, self._defaults
        self._function.__kwdefaults__ = self._named and dict(self._named)


def is_same(one: dict[str, object], other: dict[str, object]) -> bool:
    """Whether two dictionaries hold the same objects; equal ones may say so of anything."""
    names = [*one]
    return names == [*other] and all(map(is_, one.values(), other.values()))


def private(function: types.FunctionType) -> types.FunctionType:
    """Copy a function, so that it asks for names where nobody else changes them.

    Args:
        function: without defaults, and inside no other one.
    """
    names = {**function.__globals__, "__builtins__": dict(vars(builtins))}
    return types.FunctionType(function.__code__, names)
