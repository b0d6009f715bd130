"""A test runs as one piece, to its end.

IPython runs a cell statement by statement, from a list. An answer that a test calls can reach that
list and take the rest away: no error would be left, and no error means full marks.
"""

import ast
import secrets
from collections.abc import Callable


class Unit(ast.NodeTransformer):
    """Make one statement of a cell, and let it tell that its end was reached.

    The last expression stays by itself, since what it gives is shown.

    Args:
        names: the notebook's.
        tell: called at the end, with what the last expression gave, if there is one.
    """

    def __init__(self, names: dict[str, object], tell: Callable[..., object]):
        # dots keep them apart from all names that a program can write
        secret = secrets.token_hex(8)
        self._names, self._value, self._end = names, f"_value_{secret}.", f"_end_{secret}."
        self._tell = tell

    def forget(self) -> None:
        """Take away the names that this has used."""
        for name in (self._value, self._end):
            self._names.pop(name, None)

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """Put all of a cell under one condition, but for what must stand before and behind it."""
        if self._end in self._names:
            return node  # the test runs already, and an answer runs a cell of its own
        first = [part for part in node.body if _is_future(part)]
        body = [part for part in node.body if not _is_future(part)]
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        self._names[self._end] = self._tell
        if last:
            body.append(ast.Assign([ast.Name(self._value, ast.Store())], last.value))
            shown = ast.Expr(_call(self._end, ast.Name(self._value, ast.Load())))
            parts = [_under_one(body), shown]
        else:
            parts = [_under_one([*body, ast.Expr(_call(self._end))])]
        node.body = [*first, *parts]
        return ast.fix_missing_locations(node)


def _is_future(part: ast.stmt) -> bool:
    return isinstance(part, ast.ImportFrom) and part.module == "__future__"


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _under_one(body: list[ast.stmt]) -> ast.If:
    return ast.If(ast.Constant(True), body, [])
