"""What an instructor's cells have named: later cells find it as it was.

A class is not looked into: an answer may fill in its methods, and Python and PyTorch set some.
"""

import inspect
import types

from grading.certain import bound_names
from grading.inside import Inside, functions_of

MISSING = object()


class Given:
    """Modules, functions, classes and constants that locked cells have named.

    Args:
        names: the notebook's.
    """

    def __init__(self, names: dict[str, object]):
        self._names = names
        self._values: dict[str, object] = {}
        self._inside: dict[types.FunctionType, Inside] = {}
        self.known: set[str] = set()

    def remember(self, before: dict[str, object]) -> None:
        """Remember what one of the instructor's cells has named.

        A constant has a name in capitals, of two letters or more: an answer may rebind ``X``.

        Args:
            before: the notebook's names before the cell ran.
        """
        for name, value in self._names.items():
            bare = name.strip("_")
            constant = bare.isupper() and len(bare) > 1
            if before.get(name, MISSING) is value or (name.startswith("_") and not constant):
                continue
            self.known.add(name)
            routine = inspect.isroutine(value)
            if routine or constant or isinstance(value, types.ModuleType | type):
                self._values[name] = value
            for function in functions_of(value) if routine else ():
                if function.__globals__ is self._names:
                    self._inside[function] = Inside(function)

    def put_back(self) -> None:
        """Let all of it be as it was."""
        self._names.update(self._values)
        for inside in self._inside.values():
            if inside.is_changed():
                inside.put_back()

    def changed(self, code: str) -> str:
        """What is another one than it was; empty if nothing is.

        Args:
            code: of the test that ran, which may give a name anew.
        """
        bound = bound_names(code)
        for name, value in self._values.items():
            if name not in bound and self._names.get(name) is not value:
                return name
        for function, inside in self._inside.items():
            if inside.is_changed():
                return function.__name__
        return ""
