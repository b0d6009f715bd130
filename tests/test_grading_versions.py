"""A change of any kind is seen; where Python numbers none, everything counts as changed."""

import statistics
import types
from unittest import mock

import pytest
import torch

from grading import versions
from grading.inside import Inside
from grading.snapshot import Snapshot
from grading.versions import Versions

CHANGES = {
    "set": lambda table: table.__setitem__("a", 2),
    "set to an equal one": lambda table: table.__setitem__("a", True),
    "add": lambda table: table.__setitem__("b", 1),
    "delete": lambda table: table.__delitem__("a"),
    "update": lambda table: table.update(a=2),
    "merge": lambda table: table.__ior__({"a": 2}),
    "set default": lambda table: table.setdefault("b"),
    "pop": lambda table: table.pop("a"),
    "pop the last": lambda table: table.popitem(),
    "clear": lambda table: table.clear(),
    "there and back": lambda table: table.update(a=2) or table.update(a=1),
    "as globals": lambda table: exec("a = 2", table),
    "as a module's": lambda table: exec("global a\na += 1", table),
}


@pytest.mark.parametrize("change", [pytest.param(c, id=name) for name, c in CHANGES.items()])
def test_each_change_of_a_dictionary_is_seen(change):
    tables = [{"a": 1}, {"a": 1}, {"a": 1}]
    found = Versions(tables)
    change(tables[1])
    assert list(found.moved()) == [1]
    found.settle()
    assert list(found.moved()) == []


def test_a_look_and_a_value_that_was_there_change_nothing():
    table = {"a": 1, "b": 2}
    found = Versions([table])
    assert (table["a"], table.get("c"), list(table), "a" in table) == (1, None, ["a", "b"], True)
    table["a"] = table["a"]
    assert list(found.moved()) == []


def test_attributes_of_modules_and_classes_are_seen():
    module, kind = types.ModuleType("module"), type("Kind", (), {"a": 1})
    found = Versions([vars(module), versions.table_of(kind)])
    kind.a = 2
    assert list(found.moved()) == [1]
    module.a = 2
    assert list(found.moved()) == [0, 1]
    found.settle()
    del kind.a
    assert list(found.moved()) == [1]


def test_without_numbers_every_dictionary_counts_as_changed(monkeypatch):
    monkeypatch.setattr(versions, "_counts", lambda: False)
    found = Versions([{}, {}])
    found.settle()
    assert list(found.moved()) == [0, 1]


@pytest.mark.parametrize("numbered", [True, False], ids=["numbered", "compared"])
def test_what_is_put_back_is_the_same_with_and_without_numbers(monkeypatch, numbered):
    if not numbered:
        monkeypatch.setattr(versions, "_counts", lambda: False)
    snapshot = Snapshot()
    mean, patch, score = statistics.mean, mock.patch, statistics.NormalDist.zscore
    assert snapshot.changed() == ""
    statistics.mean = mock.patch = None
    statistics.NormalDist.zscore = print
    assert snapshot.changed() == "unittest.mock.patch"
    snapshot.restore()
    assert (statistics.mean, mock.patch, statistics.NormalDist.zscore) == (mean, patch, score)
    assert snapshot.changed() == ""


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: setattr(f, "__code__", (lambda *_: 0).__code__), id="code"),
        pytest.param(lambda f: setattr(f, "__defaults__", (9,)), id="defaults"),
        pytest.param(lambda f: setattr(f, "__kwdefaults__", {"a": 1}), id="named defaults"),
        pytest.param(lambda f: f.__setattr__("__defaults__", (9,)), id="by its method"),
        pytest.param(lambda f: object.__setattr__(f, "__defaults__", (9,)), id="by object's"),
        pytest.param(lambda f: delattr(f, "__defaults__"), id="deleted"),
        pytest.param(lambda f: setattr(f, "__defaults__", (mock.ANY,)), id="equal to anything"),
    ],
)
def test_the_inside_of_a_function_is_seen_and_put_back(change):
    function = statistics.median_grouped  # has a default
    snapshot, inside = Snapshot(), Inside(function)
    function.__doc__ = "nothing that runs"
    assert snapshot.changed() == ""
    change(function)
    assert snapshot.changed() == "the inside of a function"
    assert inside.is_changed()
    snapshot.restore()
    assert snapshot.changed() == ""
    assert not inside.is_changed()


@pytest.mark.parametrize("default", [mock.ANY, 3], ids=["equal to anything", "another"])
def test_a_default_that_is_changed_in_place_is_seen_and_put_back(default):
    snapshot, function = Snapshot(), torch.testing.assert_close
    known = dict(function.__kwdefaults__)
    inside = Inside(function)
    function.__kwdefaults__["atol"] = default
    assert snapshot.changed() == "the inside of a function"
    assert inside.is_changed()
    snapshot.restore()
    assert snapshot.changed() == ""
    assert function.__kwdefaults__ == known
    assert function.__kwdefaults__["atol"] is known["atol"]


def test_an_own_function_is_given_back_what_it_held():
    def function(a, b=1, *, c=2):
        return a, b, c

    inside = Inside(function)
    function.__defaults__, function.__kwdefaults__["c"] = (mock.ANY,), mock.ANY
    assert inside.is_changed()
    inside.put_back()
    assert not inside.is_changed()
    assert function(0) == (0, 1, 2)
