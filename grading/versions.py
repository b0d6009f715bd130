"""Which dictionaries have changed, without a look at what they hold.

CPython numbers each change of a dictionary (PEP 509, whose purpose is this: fast guards on
namespaces). To compare 20,000 names takes several milliseconds, to compare 1,300 numbers takes
less than a tenth of one. Where a Python keeps no such numbers, every dictionary counts as changed.
"""

import ctypes
import gc
from collections.abc import Iterable

PLACE = 3 * ctypes.sizeof(ctypes.c_void_p)  # behind the count of references, the type, the length


def _number(table: dict) -> ctypes.c_uint64:
    return ctypes.c_uint64.from_address(id(table) + PLACE)


def _counts() -> bool:
    """Whether this Python numbers the changes of a dictionary, and in this place."""
    table = {"a": None}
    number = _number(table)
    seen = [number.value]
    table["a"] = True
    seen.append(number.value)
    table.update(b=None)
    seen.append(number.value)
    del table["b"]
    seen.append(number.value)
    table.get("a")
    return len(set(seen)) == len(seen) and number.value == seen[-1]


def table_of(owner: object) -> dict[str, object]:
    """The dictionary of a module, or of a class, which shows it through a proxy alone."""
    names = vars(owner)
    return names if isinstance(names, dict) else gc.get_referents(names)[0]


class Versions:
    """The numbers of some dictionaries, as they were when this was last settled.

    Args:
        tables: the dictionaries; they are kept alive.
    """

    def __init__(self, tables: Iterable[dict]):
        self._tables = list(tables)
        self._numbers = list(map(_number, self._tables)) if _counts() else None
        self.settle()

    def settle(self) -> None:
        """Take all dictionaries as they are now."""
        if self._numbers is not None:
            self._settled = [number.value for number in self._numbers]

    def moved(self) -> Iterable[int]:
        """The places of those that may have changed since then."""
        if self._numbers is None:
            return range(len(self._tables))
        now = [number.value for number in self._numbers]
        if now == self._settled:
            return ()
        return [i for i, number in enumerate(now) if number != self._settled[i]]
