"""A test that runs as one piece does what it did before, and tells whether it came to its end."""

import ast
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from IPython.core.interactiveshell import InteractiveShell

from grading.unit import Unit


@pytest.fixture(scope="module")
def shell():
    """A shell of its own, without a history."""
    shell = InteractiveShell()
    shell.history_manager.enabled = False
    return shell


def run(shell, code):
    """Run a cell as a test, and return what came of it, and whether it ended."""
    told = []

    def tell(value=None):
        told.append(value)
        return value

    unit = Unit(shell.user_ns, tell)
    shell.ast_transformers[:] = [unit]
    with ThreadPoolExecutor(1) as pool:  # a browser's loop may run in this thread
        result = pool.submit(shell.run_cell, code, store_history=False).result()
    unit.forget()
    return result, bool(told)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        pytest.param("3 + 4", 7, id="a value"),
        pytest.param("x = 2\ny = 3\nx * y", 6, id="a value behind statements"),
        pytest.param("x = 2\nx * 3;", 6, id="a value that is not shown"),
        pytest.param("x = 2", None, id="no value"),
        pytest.param("assert True", None, id="an assertion"),
        pytest.param("# nothing", None, id="a comment"),
        pytest.param("for n in range(3):\n    n", None, id="a value inside"),
        pytest.param("from __future__ import annotations\n5", 5, id="from the future"),
        pytest.param("from math import *\nfloor(2.5)", 2, id="all names of a module"),
        pytest.param("import asyncio\nawait asyncio.sleep(0, 8)", 8, id="a value to wait for"),
        pytest.param("import asyncio\nawait asyncio.sleep(0)\nx = 1", None, id="a wait"),
        pytest.param("%config IPCompleter.greedy\n4", 4, id="a magic"),
        pytest.param("def f():\n    global made\n    made = 9\nf()\nmade", 9, id="a global name"),
        pytest.param("'''text'''\nimport sys\n[1, 2][\n    1\n]", 2, id="more than one line"),
    ],
)
def test_a_cell_gives_what_it_gave_and_ends(shell, code, value):
    result, ended = run(shell, code)
    assert (result.success, result.result, ended) == (True, value, True)


def test_names_stay_and_those_of_the_unit_go(shell):
    before = set(shell.user_ns)
    run(shell, "kept = 1\nkept + 1")
    assert set(shell.user_ns) - before <= {"kept", "_"}


@pytest.mark.parametrize(
    ("code", "line"),
    [("x = 1\nassert x == 2\nx", 2), ("x = 1\n\nassert (\n    x == 3\n), 'no'", 4), ("1 / 0", 1)],
)
def test_a_failure_names_its_line_and_is_no_end(shell, code, line):
    result, ended = run(shell, code)
    last = traceback.extract_tb(result.error_in_exec.__traceback__)[-1]
    assert (result.success, last.lineno, ended) == (False, line, False)


def test_a_test_is_one_statement_and_its_last_value():
    tree = Unit({}, print).visit(ast.parse("a = 1\nb = 2\nassert a < b\na + b"))
    assert [type(part) for part in tree.body] == [ast.If, ast.Expr]
    tree = Unit({}, print).visit(ast.parse("a = 1\nassert a"))
    assert [type(part) for part in tree.body] == [ast.If]
