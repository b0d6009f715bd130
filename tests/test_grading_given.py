"""What locked cells have named is as it was in each test, and honest work finds its notebook."""

import pytest
from nbformat.v4 import new_code_cell
from nbgrader.utils import determine_grade

from tests.probes import execute, points
from tests.toy_course import nbgrader

GIVEN = """\
from __future__ import annotations
import dataclasses, functools, torch, typing
class Net(torch.nn.Module):
    def forward(self, x: float) -> float: raise NotImplementedError
class Steps(torch.optim.SGD): pass
class Shape(typing.Protocol):
    def area(self): ...
class Square(Shape):
    def area(self): return 1
class Timer:
    total = 0.0
    def add(self, seconds): Timer.total += seconds
@dataclasses.dataclass
class Point:
    x: float = 0.5
@functools.cache
def same(a, b): return a == b
twice = max
class Lazy:
    things = {}
    def __get__(self, owner, kind=None): return self
    def __getattr__(self, name): return Lazy.things[name]
lazy = Lazy()
ends = lambda: None
ends.__wrapped__ = ends"""
TRUE = "lambda *_, **__: True"
TESTS = {
    "same = twice": "same(1, 2)",
    f"same.__wrapped__.__code__ = ({TRUE}).__code__": "same(1, 2)",
    "twice = lambda *_: 0": "twice(1, 2) == 0",
    "Net = int": "Net() == 0",
}
WHILE_IT_RUNS = TESTS | {
    "import statistics\nstatistics.mean = lambda _: 2": "statistics.mean([1]) == 2",
    f"import copy\ncopy.deepcopy = {TRUE}": "copy.deepcopy(0)",
    "torch.nn.Linear.__call__ = lambda *_: 5": "torch.nn.Linear(1, 1)(torch.ones(1)) == 5",
    "m = torch.nn.Module\nold = m.__init__\nm.__init__ = lambda *a: old(*a)": "torch.nn.ReLU()",
    f"torch.Tensor.__bool__ = {TRUE}": "torch.tensor(False)",
    "import unittest.case as c\nc.abs = lambda _: 0": "not TestCase().assertAlmostEqual(1, 2)",
}
HONEST = {
    "pickles": ("class A: pass", "import pickle\nassert pickle.loads(pickle.dumps(A()))"),
    "saves": (
        "class M(torch.nn.Module): pass",
        "import io\ntorch.save(M(), io.BytesIO())",
    ),
    "hints": (
        "from __future__ import annotations\nclass A:\n    b: A",
        "import typing\nassert typing.get_type_hints(A) == {'b': A}",
    ),
    "dtype": (
        "def f():\n    torch.set_default_dtype(torch.float64)\n    return torch.zeros(3)",
        "assert f().dtype == torch.float64",
    ),
    "compiles": (
        "compiled = torch.compile(torch.nn.Identity(), backend='eager')\ncompiled(torch.ones(1))",
        "assert torch.compile(torch.nn.Sigmoid(), backend='eager')(torch.ones(2)).shape == (2,)",
    ),
    "fills": ("def forward(self, x): return 2 * x\nNet.forward = forward", "assert Net()(2) == 4"),
    "optimizes": (
        "from deeplearn.optim import SGD\nw = torch.ones(1, requires_grad=True)",
        "SGD([w], lr=0.1)\nSteps([w], lr=0.1)",
    ),
    "implements": ("def f(): return Square()", "assert f().area() == 1"),
    "counts": ("def f(): Timer().add(1.5)", "f()\nassert Timer.total == 1.5"),
    "annotates": ("", "assert typing.get_type_hints(Point) == {'x': float}"),
    "returns": ("", "assert typing.get_type_hints(Net.forward) == {'x': float, 'return': float}"),
    "spies": (
        "seen = []",
        """\
old = torch.nn.Dropout.__init__
torch.nn.Dropout.__init__ = lambda self, p: (seen.append(p), old(self, p))[1]
torch.nn.Dropout(0.5)
torch.nn.Dropout.__init__ = old
assert seen == [0.5]""",
    ),
    "own_list": (
        "list = [3, 1, 2]\nint = tuple = dict = {}",
        """\
def check(values: list[int], one: int | None = None) -> list[int]: return [*values]
seen: dict[str, int] = {}
class C: pair: tuple[int, int] = (1, 2)
assert check([1, 2]) == [1, 2]""",
    ),
}


def locked():
    return new_code_cell(GIVEN, metadata={"grading": "given"})


@pytest.mark.parametrize("attack", TESTS)
def test_what_a_locked_cell_has_named_is_put_back(attack):
    assert points(locked(), attack, test=f"assert {TESTS[attack]}") == 0


@pytest.mark.parametrize("attack", WHILE_IT_RUNS)
def test_what_is_replaced_while_the_test_runs_gives_no_points(attack):
    lines = "\n    ".join(["global Net, same, twice", *attack.splitlines()])
    test = f"import copy, statistics\nfrom unittest import TestCase\nf()\n{WHILE_IT_RUNS[attack]}"
    metadata = nbgrader("test", grade=True, points=5) | {"grading": "test"}
    nb = execute(locked(), f"def f():\n    {lines}", new_code_cell(test, metadata=metadata))
    assert determine_grade(nb.cells[-1])[0] == 0
    assert nb.cells[-1].outputs[-1].ename == "Replaced"


@pytest.mark.parametrize("name", HONEST)
def test_honest_work_keeps_its_points(name):
    answer, test = HONEST[name]
    assert points(locked(), answer, test=test) == 5


def test_a_test_finds_the_tests_that_it_has_written_itself():
    test = """\
import unittest
class TestDouble(unittest.TestCase):
    def test(self): self.assertEqual(double(2), 4)
assert unittest.main(argv=[""], exit=False).result.wasSuccessful()"""
    assert points(locked(), "def double(x): return 3", test=test) == 0
    assert points(locked(), "def double(x): return 2 * x", test=test) == 5


def test_the_notebook_stays_the_main_module():
    main = "import sys\nprint(sys.modules['__main__'] is get_ipython().user_module)"
    nb = execute(locked(), main, "sys.modules['__main__'] = sys", locked(), main)
    assert [nb.cells[n].outputs[0].text for n in (1, 4)] == ["True\n", "True\n"]


def test_a_locked_cell_with_an_object_that_answers_oddly_runs():
    nb = execute(locked())
    assert nb.cells[0].outputs == []


def test_what_replaces_the_trace_function_is_told():
    test = "import doctest\ndoctest.run_docstring_examples(f, globals())"
    metadata = nbgrader("test", grade=True, points=5) | {"grading": "test"}
    nb = execute("def f(): 'nothing'", new_code_cell(test, metadata=metadata))
    said = "the trace function (doctest replaces it, too) was replaced while the test ran"
    assert nb.cells[1].outputs[-1].evalue == said
