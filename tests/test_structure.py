"""The house keeps its floors: a module of deeplearn imports only from the floors below its own."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "deeplearn"
# Modules with an underscore carry what several floors share; the first row rests on nothing.
FLOORS = [
    {"_callback", "_check", "_modules", "_mnist", "_history", "_order"},
    {
        "activations",
        "augment",
        "checkpoint",
        "constraints",
        "data",
        "diagnostics",
        "init",
        "losses",
        "lr_scheduler",
        "metrics",
        "normalization",
        "optim",
        "plots",
        "recurrent",
        "regularization",
        "search",
        "transfer",
    },
    {"models", "trainer"},
    {"callbacks", "pretraining", "siamese"},
]
LEVEL = {module: level for level, floor in enumerate(FLOORS) for module in floor}
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def imported(source: str) -> set[str]:
    """Return the modules of deeplearn that a source imports, wherever the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            module = node.module or ""
            if module == "deeplearn":
                found |= {alias.name for alias in node.names}
            elif module.startswith("deeplearn."):
                found.add(module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("deeplearn.")}
    return found


def test_imports_are_found_in_every_form():
    source = "def f():\n    from deeplearn.init import x\nimport deeplearn.data as d\n"
    assert imported(source + "from deeplearn import optim, models") == {
        "init",
        "data",
        "optim",
        "models",
    }


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_lower_floors(module):
    assert module in LEVEL, "give the module a floor"
    source = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    allowed = {name for name, level in LEVEL.items() if level < LEVEL[module]}
    if LEVEL[module] == 0:
        allowed = {"_check"} - {module}
    assert imported(source) <= allowed


def test_every_floor_names_modules_that_exist():
    assert set(LEVEL) == set(MODULES)


def lines_of_code(path: Path) -> int:
    """Count the lines that hold code: no docstring, no comment, no blank line."""
    source = path.read_text(encoding="utf-8")
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    texts = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    told = {number for text in texts for number in range(text.lineno, text.end_lineno + 1)}
    lines = enumerate(source.splitlines(), start=1)
    return sum(n not in told and bool(line.split("#")[0].strip()) for n, line in lines)


def test_lines_of_code_are_counted(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        '"""Text\n\nof two lines."""\n\n# why\nx = 1  # so\n\n\ndef f():\n    """Text."""\n'
    )
    assert lines_of_code(path) == 2


def test_the_package_stays_small():
    lengths = {path.name: lines_of_code(path) for path in PACKAGE.glob("*.py")}
    assert {name: n for name, n in lengths.items() if n > 250} == {}
    assert sum(lengths.values()) < 3500
