"""In the instructor's cells the names of Python's builtins mean Python's builtins.

A student may call a function of theirs `sum`. Then `sum` in a test is still Python's: the test's
code asks for another name, which nobody can guess, and which is put back before each test.
"""

import ast
import builtins
import secrets


class CertainBuiltins(ast.NodeTransformer):
    """Let one of the instructor's cells mean Python's builtins, whatever else has their names.

    Args:
        names: the notebook's.
        certain: the names that this makes, and what they mean, of all cells.
        given: the names that the instructor's cells have given.
    """

    def __init__(self, names: dict[str, object], certain: dict[str, object], given: set[str]):
        self._names, self._certain, self._given = names, certain, given
        self._secret = secrets.token_hex(8)
        self._local: set[str] = set()
        self._texts: set[ast.AST] = set()

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the names in a whole cell."""
        if isinstance(node, ast.Module):
            self._local = {name for part in ast.walk(node) for name in _bound(part)}
            self._texts = _texts(node)
        return node if node in self._texts else super().visit(node)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Replace one name, if it is a builtin's and no cell of the instructor's gave it."""
        name = node.id
        if name in self._local or name in self._given:
            return node
        if name.startswith("_") or name == "super":  # names that Python or a cell knows by itself
            return node
        if isinstance(node.ctx, ast.Load) and name in vars(builtins):
            # a dot keeps it apart from all names that a program can write
            node.id = f"_certain_{self._secret}.{name}"
            self._names[node.id] = self._certain[node.id] = vars(builtins)[name]
        return node


def bound_names(code: str) -> set[str]:
    """The names that a cell binds; none where only IPython understands it."""
    try:
        return {name for node in ast.walk(ast.parse(code)) for name in _bound(node)}
    except SyntaxError:
        return set()


def _texts(cell: ast.Module) -> set[ast.AST]:
    """The annotations that become texts, which others read who know no other names."""
    imports = [part for part in cell.body if isinstance(part, ast.ImportFrom)]
    future = [part.names for part in imports if part.module == "__future__"]
    if "annotations" not in {name.name for names in future for name in names}:
        return set()
    found = {getattr(part, "annotation", None) for part in ast.walk(cell)}
    found |= {getattr(part, "returns", None) for part in ast.walk(cell)}
    return found - {None}


def _bound(node: ast.AST) -> list[str]:
    """The names that a part of a cell binds."""
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.alias):
        return [(node.asname or node.name).split(".")[0]]
    found = getattr(node, "arg" if isinstance(node, ast.arg) else "name", None)
    return [found] if isinstance(found, str) else []
