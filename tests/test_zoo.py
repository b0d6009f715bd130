"""The zoo under attack: tied weights, odd types, damaged files, models that do not fit."""

import json
import os
import random
from datetime import UTC, datetime
from hashlib import sha256

import pytest
import safetensors.torch
import torch
from torch import nn

from deeplearn.checkpoint import ModelZoo
from deeplearn.models import mlp


@pytest.fixture
def zoo(tmp_path):
    return ModelZoo(tmp_path)


def net(seed=0):
    """Return a model with statistics, that were counted in integers."""
    model = mlp([4, 3, 2], batch_norm=True, generator=torch.Generator().manual_seed(seed))
    model(torch.randn(5, 4))
    return model


def same(one, two):
    states = one.state_dict(), two.state_dict()
    return states[0].keys() == states[1].keys() and all(
        a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(*(state.values() for state in states), strict=True)
    )


def test_round_trip_of_weights_and_of_what_is_known(zoo):
    model, twin = net(), net(1)
    assert not same(model, twin)
    about = {"lr": 0.1, "sizes": [4, 3, 2], "of": {"epoch": 3}, "text": "é\\"}
    path = zoo.save("ELU, b.n."[:3], model, metrics={"accuracy": 0.5}, description="first", **about)
    assert path == zoo.folder / "ELU.safetensors"
    entry = zoo.load("ELU", twin)
    assert same(model, twin)
    assert twin.batch_norm1.num_batches_tracked.item() == 1
    assert entry == zoo.list()[0]
    assert list(entry) == [
        "name", "description", "metrics", "metadata", "created", "sha256", "size"]  # fmt: skip
    assert entry["name"] == "ELU"
    assert entry["description"] == "first"
    assert entry["metrics"] == {"accuracy": 0.5}
    assert entry["metadata"] == about
    assert entry["size"] == path.stat().st_size
    age = datetime.now(UTC) - datetime.fromisoformat(entry["created"])
    assert 0 <= age.total_seconds() < 60
    assert zoo.folder.joinpath("ELU.safetensors").exists()
    assert [p.name for p in zoo.folder.iterdir()] == ["ELU.safetensors"]


def test_any_program_for_safetensors_reads_the_file_and_the_hash_is_of_it(zoo):
    model = net()
    path = zoo.save("a", model)
    state = safetensors.torch.load_file(path)
    assert {key: value.tolist() for key, value in state.items()} == {
        key: value.tolist() for key, value in model.state_dict().items()
    }
    with safetensors.safe_open(path, "pt") as file:
        header = file.metadata()
    assert header["sha256"] == zoo.list()[0]["sha256"]
    blank = sha256(header["entry"].encode()).hexdigest()
    content = path.read_bytes().replace(header["sha256"].encode(), blank.encode())
    assert sha256(content).hexdigest() == header["sha256"]
    assert json.loads(header["entry"])["description"] == ""
    assert json.loads(header["entry"])["metrics"] == json.loads(header["entry"])["metadata"] == {}


class Odd(nn.Module):
    """Tied weights, memory that is not contiguous, views, and types of all kinds."""

    def __init__(self, fill):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.turned = nn.Parameter(torch.full((2, 4), fill).T)
        whole = torch.arange(6.0) + fill
        self.register_buffer("part", whole[1:3])
        self.register_buffer("slice", whole[::2])
        self.register_buffer("scalar", torch.tensor(int(fill)))
        self.register_buffer("flags", torch.tensor([True, fill > 1]))
        self.register_buffer("none", torch.empty(0, 3))
        self.register_buffer("wide", torch.full((2,), fill, dtype=torch.float64))
        self.register_buffer("short", torch.full((3,), fill, dtype=torch.bfloat16))
        self.register_buffer("complex", torch.full((1,), fill * 1j, dtype=torch.complex64))


def test_tied_strided_and_odd_tensors_survive(zoo):
    model, twin = Odd(1.0), Odd(2.0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    zoo.save("odd", model)
    zoo.load("odd", twin)
    assert same(model, twin)
    assert twin.second.weight is twin.first.weight
    assert not twin.turned.is_contiguous()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    with torch.no_grad():
        twin.part.fill_(9)
    zoo.load("odd", twin)
    assert same(model, twin)


def test_a_taken_name_is_refused_unless_asked(zoo):
    zoo.save("a", first := net(0))
    with pytest.raises(FileExistsError, match=r"name is taken, got 'a'; .* overwrite=True"):
        zoo.save("a", net(1))
    zoo.load("a", twin := net(2))
    assert same(twin, first)
    zoo.save("a", second := net(1), overwrite=True, n=2)
    assert zoo.load("a", twin)["metadata"] == {"n": 2}
    assert same(twin, second)
    assert len(zoo.list()) == 1


@pytest.mark.parametrize("name", ["a", "5 layers", "ELU_lr=0.1+bn-2", "été.v1"])
def test_names_that_are_names_of_files(zoo, name):
    zoo.save(name, net())
    assert [entry["name"] for entry in zoo.list()] == [name]


def test_models_are_listed_by_name_and_other_files_are_not(zoo):
    assert zoo.list() == []
    for name in ("b", "a", "c"):
        zoo.save(name, net(), at=name)
    (zoo.folder / "notes.txt").write_text("mine")
    (zoo.folder / "a.safetensors.1.part").write_text("half")
    assert [entry["metadata"]["at"] for entry in zoo.list()] == ["a", "b", "c"]
    with pytest.raises(FileNotFoundError, match=r"one of \['a', 'b', 'c'\], got 'd'"):
        zoo.load("d", net())


def test_no_flipped_bit_becomes_a_weight_or_a_metric(zoo):
    path = zoo.save("a", net(), metrics={"accuracy": 0.5}, lr=0.1)
    whole, draw = path.read_bytes(), random.Random(0)
    twin = net(1)
    before = {key: value.clone() for key, value in twin.state_dict().items()}
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.safetensors must be a model of a zoo, got a dam"):
            zoo.load("a", twin)
    assert all(torch.equal(value, before[key]) for key, value in twin.state_dict().items())


FOREIGN = {
    "empty": b"",
    "text": b"these are no weights, and eight bytes are no length",
    "list": (2).to_bytes(8, "little") + b"[]",
    "without metadata": safetensors.torch.save({"w": torch.ones(2)}),
    "other metadata": safetensors.torch.save({"w": torch.ones(2)}, {"format": "pt"}),
    "metadata of none": (21).to_bytes(8, "little") + b'{"__metadata__":null}',
}


@pytest.mark.parametrize("kind", [*FOREIGN, "half"])
def test_a_damaged_file_is_named_and_the_others_are_listed(zoo, kind):
    whole = zoo.save("a", net()).read_bytes()
    zoo.save("c", net())
    path = zoo.folder / "b.safetensors"
    path.write_bytes(FOREIGN.get(kind, whole[: len(whole) // 2]))
    with pytest.warns(UserWarning, match=r"b\.safetensors must be a model of a zoo") as warned:
        assert [entry["name"] for entry in zoo.list()] == ["a", "c"]
    assert warned[0].filename == __file__
    with pytest.raises(ValueError, match=r"b\.safetensors must be a model of a zoo"):
        zoo.load("b", net())


def test_a_sound_hash_over_weights_that_are_none_is_refused(zoo):
    text = "{}"
    blank = sha256(text.encode()).hexdigest()
    header = json.dumps({"__metadata__": {"entry": text, "sha256": blank}, "w": 3}).encode()
    content = len(header).to_bytes(8, "little") + header
    content = content.replace(blank.encode(), sha256(content).hexdigest().encode())
    (zoo.folder / "a.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="must be a model of a zoo"):
        zoo.load("a", net())


@pytest.mark.parametrize(
    "other", [mlp([4, 3, 3], batch_norm=True), mlp([4, 3, 2]), mlp([4, 3, 3, 2], batch_norm=True)],
    ids=["shape", "fewer", "more"],
)  # fmt: skip
def test_a_model_that_does_not_fit_is_left_as_it_was(zoo, other):
    zoo.save("a", net())
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(ValueError, match=r"a state in .*a\.safetensors does not fit its object"):
        zoo.load("a", other)
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


@pytest.mark.parametrize("there", [True, False])
def test_an_interrupted_save_leaves_the_old_model_and_nothing_else(zoo, there, monkeypatch):
    if there:
        zoo.save("a", first := net(0))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            zoo.save("a", net(1), overwrite=True)
    assert len(list(zoo.folder.iterdir())) == there
    if there:
        zoo.load("a", twin := net(2))
        assert same(first, twin)


def test_what_json_or_the_format_cannot_hold_is_not_saved(zoo):
    with pytest.raises(
        TypeError, match=r"metadata must be plain: float\(x\), str\(x\); got .*tensor"
    ):
        zoo.save("a", net(), metrics={"accuracy": torch.tensor(1.0)})

    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"not": "a tensor"}

    with pytest.raises(TypeError, match=r"_extra_state.* must be a torch\.Tensor, got dict"):
        zoo.save("a", Extra(1, 1))
    assert list(zoo.folder.iterdir()) == []


def test_list_leaves_out_a_folder_and_a_header_nested_too_deeply(zoo):
    zoo.save("good", net())
    (zoo.folder / "folder.safetensors").mkdir()
    header = b'{"__metadata__":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    deep = len(header).to_bytes(8, "little") + header
    (zoo.folder / "deep.safetensors").write_bytes(deep)
    with pytest.warns(UserWarning, match="damaged") as warned:
        assert [entry["name"] for entry in zoo.list()] == ["good"]
    assert len(warned) == 2
    for name in ("folder", "deep"):
        with pytest.raises(ValueError, match=f"{name}.*damaged"):
            zoo.load(name, net())
