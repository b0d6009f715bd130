"""The store of the results: no damage, no mixture, nothing run twice."""

import json
from pathlib import Path

import pytest
import torch

from tools.results import store
from tools.results.__main__ import run, run_missing
from tools.results.recipe import Row, seeded


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "results.json"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"machine": {}, "rows": {"l1": {"0"', "not JSON"),
        ("[]", "machine and rows"),
        ('{"rows": {}}', "machine and rows"),
        ('{"machine": {}, "rows": []}', "must be objects"),
        ('{"machine": {}, "rows": {"l1": 3}}', "'l1' must map seeds"),
        ('{"machine": {}, "rows": {"l1": {"first": {}}}}', "'l1' must map seeds"),
        ('{"machine": {}, "rows": {"l1": {"0": [0.9]}}}', "'l1' must map seeds"),
        ('{"machine": {}, "rows": {"l1": {"0": {"accuracy": "0.9"}}}}', "else than numbers"),
    ],
)
def test_a_damaged_file_is_refused_and_kept(text, problem, path):
    path.write_text(text)
    with pytest.raises(ValueError, match=problem) as caught:
        store.add(path, "l1", 0, {"accuracy": 0.9})
    assert str(path) in str(caught.value)
    assert "restore it from git" in str(caught.value)
    assert path.read_text() == text


def test_an_interrupted_write_leaves_the_old_file(path, monkeypatch):
    store.add(path, "toy", 0, {"x": 1.0})
    before = path.read_text()

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        store.add(path, "toy", 1, {"x": 2.0})
    assert path.read_text() == before


def test_times_of_two_machines_are_not_mixed(path, monkeypatch):
    store.add(path, "toy", 0, {"x": 1.0})
    there = store.machine() | {"cpu": "another"}
    monkeypatch.setattr(store, "machine", lambda: there)
    with pytest.raises(ValueError, match="another"):
        store.add(path, "toy", 1, {"x": 1.0})
    with pytest.raises(ValueError, match="choose another --file"):
        run_missing([], 1, path, list)


# Running


class Toy:
    """A row that counts its runs, draws from both generators, and can be interrupted once."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at, self.seeds = stop_at, []

    def __call__(self, data: list, seed: int) -> dict[str, float]:
        if self.stop_at == len(self.seeds):
            self.stop_at = None
            raise KeyboardInterrupt
        self.seeds.append(seed)
        drawn = torch.rand(1) + torch.rand(1, generator=seeded(seed))
        return {"drawn": drawn.item()}


def stored_values(path: Path) -> dict:
    runs = json.loads(path.read_text())["rows"]["toy"]
    return {seed: run_["drawn"] for seed, run_ in runs.items()}


def test_interrupted_and_resumed_is_as_if_never_interrupted(tmp_path):
    whole, broken = tmp_path / "whole.json", tmp_path / "broken.json"
    assert run_missing([Row("toy", Toy())], 4, whole, list) == 4
    toy = Toy(stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        run_missing([Row("toy", toy)], 4, broken, list)
    assert list(stored_values(broken)) == ["0", "1"]
    assert run_missing([Row("toy", toy)], 4, broken, list) == 2
    assert toy.seeds == [0, 1, 2, 3]
    assert stored_values(broken) == stored_values(whole)
    assert len(set(stored_values(whole).values())) == 4


def test_what_is_stored_is_not_run_again_unless_forced(path):
    toy = Toy()
    run_missing([Row("toy", toy)], 2, path, list)
    assert run_missing([Row("toy", toy)], 2, path, lambda: pytest.fail("not needed")) == 0
    assert run_missing([Row("toy", toy)], 2, path, list, force=True) == 2


def test_a_run_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    run(Row("toy", Toy()), None, 0)
    assert torch.equal(torch.get_rng_state(), before)
