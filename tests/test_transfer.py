"""Transfer: what is frozen stays as it is, what is loaded is told, what is cached is the same."""

import copy
import io
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deeplearn.data import TensorLoader
from deeplearn.models import mlp
from deeplearn.optim import SGD, Adam
from deeplearn.trainer import Trainer
from deeplearn.transfer import cache_features, freeze, load_arrays, load_matching

from deeplearn.transfer import replace_head, unfreeze  # isort: skip

cross_entropy = nn.functional.cross_entropy


class Nested(nn.Module):
    """A module that has both, parameters of its own and children, and acts by its own mode."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.output = nn.Linear(4, 2)

    def forward(self, X):
        return self.output(nn.functional.dropout(self.inner(X * self.scale), 0.5, self.training))


def normed(**kwargs):
    return mlp([6, 5, 5, 3], batch_norm=True, **kwargs)


def values(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def changed(before, model):
    return {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}


def train(model, steps=3):
    optimizer = SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(steps):
        model.train()
        optimizer.zero_grad(set_to_none=False)
        cross_entropy(model(torch.randn(8, 6)), torch.arange(8) % 3).backward()
        optimizer.step()


# --- freeze and unfreeze -------------------------------------------------------------------------


def test_names_are_those_that_match_and_what_is_inside():
    assert freeze(normed(), "hidden[12]") == ["hidden1", "hidden2"]
    assert freeze(Nested(), "inner") == ["inner", "inner.0", "inner.1"]
    assert unfreeze(Nested(), r"inner\.1|output") == ["inner.1", "output"]
    assert freeze(nn.Linear(1, 1), ".*") == [""]


def through_file(model):
    torch.save(model, file := io.BytesIO())
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = [lambda m: m, copy.deepcopy, lambda m: m[:], lambda m: pickle.loads(pickle.dumps(m))]


@pytest.mark.parametrize("copied", [*COPIES, through_file])
def test_what_is_frozen_survives_training_mode_and_copies(copied):
    model = normed(dropout=0.5)
    freeze(model, "(hidden|batch_norm|dropout)1")
    model = copied(model)
    before = values(model)
    train(model)
    trained = {key for key in before if not key.startswith(("hidden1", "batch_norm1"))}
    assert changed(before, model) == trained
    assert {"batch_norm2.running_mean", "hidden2.weight"} <= trained
    assert not model.dropout1.training
    assert model.dropout2.training
    unfreeze(model, ".*")
    train(model)
    assert changed(before, model) == set(before)


def test_gradients_that_are_stale_are_gone_and_momentum_moves_nothing():
    model = normed()
    optimizer = Adam(model.parameters(), lr=0.1, weight_decay=0.1)
    cross_entropy(model(torch.randn(8, 6)), torch.arange(8) % 3).backward()
    optimizer.step()
    freeze(model, ".*1")
    assert model.hidden1.weight.grad is None
    assert unfreeze(model, "hidden2") == ["hidden2"]
    assert model.hidden2.weight.grad is not None
    before = values(model)
    optimizer.step()
    assert {key.split(".")[0] for key in changed(before, model)} == {
        "hidden2", "batch_norm2", "output"}  # fmt: skip


def test_a_trainer_that_wakes_the_model_up_wakes_no_frozen_part():
    model = normed()
    freeze(model, "(hidden|batch_norm)1")
    model.eval()
    before = values(model)
    X, y = torch.randn(32, 6), torch.arange(32) % 3
    trainer = Trainer(model, SGD(model.parameters(), lr=0.1), cross_entropy)
    trainer.fit(TensorLoader(X, y, batch_size=8), 2, (X, y))
    assert changed(before, model) == {
        k for k in before if not k.startswith(("hid", "batch")) or "2" in k
    }


def test_own_parameters_and_own_mode_of_a_container_are_frozen():
    model = Nested()
    freeze(model, ".*")
    model.train()
    X = torch.randn(9, 4)
    assert torch.equal(model(X), model(X))
    assert not any(p.requires_grad for p in model.parameters())
    assert changed(before := values(model), model) == set()
    unfreeze(model, ".*")
    assert model.training
    assert not torch.equal(model(X), model(X))
    assert changed(before, model) == {
        f"inner.1.{k}" for k in ("running_mean", "running_var", "num_batches_tracked")
    }


@pytest.mark.parametrize("training", [True, False])
def test_unfreezing_gives_back_the_mode_of_the_model_and_leaves_no_hook(training):
    model = normed().train(training)
    freeze(model, ".*")
    freeze(model, ".*1")  # twice is once
    assert model.training is training
    assert not model.hidden1.training
    assert len(model.hidden1._forward_pre_hooks) == 1
    unfreeze(model, ".*")
    assert all(m.training is training and not m._forward_pre_hooks for m in model.modules())
    assert all(p.requires_grad for p in model.parameters())
    freeze(alone := nn.BatchNorm1d(3), ".*")
    assert not alone.training
    assert unfreeze(alone, ".*") == [""]
    assert alone.training


def test_other_hooks_and_other_layers_stay():
    model = normed()
    model.hidden1.register_forward_pre_hook(lambda module, args: None)
    model.batch_norm2.eval()
    freeze(model, "hidden1")
    unfreeze(model, "hidden1")
    assert len(model.hidden1._forward_pre_hooks) == 1
    assert model.hidden1.training
    assert not model.batch_norm2.training


# --- loading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [r"hidden[12]", r"hidden[12]\.(weight|bias)"])
def test_a_pattern_of_modules_or_keys_loads_those_alone(pattern):
    old, new = mlp([4, 3, 3, 2]), mlp([4, 3, 3, 5])
    before = values(new)
    report = load_matching(new, old.state_dict(), pattern)
    expected = ["hidden1.weight", "hidden1.bias", "hidden2.weight", "hidden2.bias"]
    assert report == (expected, [], [], {})
    assert changed(before, new) == {"hidden1.weight", "hidden2.weight"}  # biases are 0 in both
    assert torch.equal(new.hidden2.weight, old.hidden2.weight)


def test_everything_that_does_not_fit_is_reported():
    old, new = mlp([4, 3, 2], batch_norm=True), mlp([4, 3, 3, 5])
    state = old.state_dict() | {"hidden1.extra": torch.ones(1), "hidden1.weight": torch.ones(4, 3)}
    state["output.bias"] = torch.full((5,), 2.0, dtype=torch.float64)
    report = load_matching(new, state)
    assert report.loaded == ["output.bias"]
    assert report.missing_keys == ["hidden1.bias", "hidden2.weight", "hidden2.bias"]
    assert set(report.unexpected_keys) == set(state) - set(new.state_dict())
    assert report.mismatched_keys == {
        "hidden1.weight": ((4, 3), (3, 4)), "output.weight": ((2, 3), (5, 3))}  # fmt: skip
    assert new.output.bias.tolist() == [2.0] * 5
    assert new.output.bias.dtype == torch.float32
    assert new.output.bias.requires_grad
    again = load_matching(new, state, r"output|hidden1\.extra")
    assert again == (["output.bias"], [], ["hidden1.extra"], {"output.weight": ((2, 3), (5, 3))})


@pytest.mark.parametrize("kind", ["numpy", "tensor", "read-only"])
@pytest.mark.parametrize("transpose", [True, "kernel|hidden.*", False])
def test_arrays_of_another_framework_give_its_outputs(kind, transpose):
    rng = np.random.default_rng(0)
    sizes = [5, 4, 4, 3]
    kernels = [rng.normal(size=shape) for shape in pairwise(sizes)]
    biases = [rng.normal(size=size) for size in sizes[1:]]
    model = nn.Sequential()
    arrays = {}
    for i, (W, b) in enumerate(zip(kernels, biases, strict=True), start=1):
        model.add_module(f"hidden{i}", nn.Linear(*W.shape).double())
        arrays |= {f"hidden{i}.weight": W if transpose else W.T, f"hidden{i}.bias": b}
    if kind == "tensor":
        arrays = {key: torch.tensor(value, requires_grad=True) for key, value in arrays.items()}
    if kind == "read-only":
        for value in arrays.values():
            value.setflags(write=False)
    report = load_arrays(model, arrays, transpose=transpose)
    assert report == (list(model.state_dict()), [], [], {})
    X = rng.normal(size=(7, 5))
    expected = X
    for W, b in zip(kernels, biases, strict=True):
        expected = expected @ W + b
    np.testing.assert_allclose(model(torch.tensor(X)).detach(), expected, rtol=1e-12)
    model.hidden1.bias.data.zero_()
    assert biases[0].all(), "the memory is not shared"


def test_a_wrong_value_changes_nothing_and_what_is_left_is_told():
    model = mlp([4, 3, 2])
    before = values(model)
    with pytest.raises(TypeError, match=r"state_dict\['output\.bias'\]"):
        load_matching(model, mlp([4, 3, 2]).state_dict() | {"output.bias": None})
    arrays = {"hidden1.weight": np.ones((4, 3)), "output.bias": np.ones(3)}
    with pytest.raises(ValueError, match=r"'output\.bias' must be \(2,\), got \(3,\); transpose"):
        load_arrays(model, arrays, transpose=True)
    assert changed(before, model) == set()
    report = load_arrays(model, {"hidden1.weight": np.ones((4, 3))}, transpose=True)
    assert report.missing_keys == ["hidden1.bias", "output.weight", "output.bias"]
    assert changed(before, model) == {"hidden1.weight"}


# --- head ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
def test_head_is_replaced_in_kind(bias):
    inner = nn.Sequential(nn.ReLU(), nn.Linear(300, 2, bias=bias).double())
    model = nn.Sequential(nn.Linear(4, 300), inner, nn.Identity()).eval()
    kept = model[0].weight.clone()
    freeze(model, ".*")
    state = torch.get_rng_state()
    new = replace_head(model, 200, generator=torch.Generator().manual_seed(0))
    assert torch.equal(state, torch.get_rng_state())
    assert model[1][1] is new
    assert new.weight.shape == (200, 300)
    assert new.weight.dtype == torch.float64
    assert new.weight.requires_grad
    assert not new.training
    expected = torch.empty(200, 300, dtype=torch.float64)
    nn.init.xavier_normal_(expected, generator=torch.Generator().manual_seed(0))
    assert torch.equal(new.weight, expected)
    assert (new.bias is not None) == bias
    assert not bias or new.bias.tolist() == [0.0] * 200
    assert torch.equal(model[0].weight, kept)
    assert replace_head(model.train(), 2, init_=lambda w, generator: w.data.fill_(3)).training
    assert model[1][1].weight.unique().item() == 3


# --- cache ---------------------------------------------------------------------------------------


def fine_tuned(cached, X, y, batch_size, epochs=3):
    """Return the losses of each step, training the upper part of the same network."""
    model = mlp([784, 100, 100, 5], generator=torch.Generator().manual_seed(0))
    body, head = model[:-1], model[-1:]
    freeze(body, ".*")
    trained = head if cached else model
    rows = cache_features(body, X) if cached else X
    optimizer = SGD(head.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(epochs):
        loader = TensorLoader(rows, y, batch_size=batch_size, drop_last=True, generator=generator)
        for inputs, target in loader:
            trained.train()
            loss = cross_entropy(trained(inputs), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def test_training_on_cached_features_has_identical_losses(generator):
    X, y = torch.rand(500, 784, generator=generator), torch.arange(500) % 5
    whole = fine_tuned(False, X, y, 64)
    assert whole[-1] < whole[0]
    assert fine_tuned(True, X, y, 64) == whole
    # Other batches are rounded otherwise, and no more.
    np.testing.assert_allclose(
        fine_tuned(True, X, y, 20), fine_tuned(False, X, y, 20), rtol=1e-5, atol=0
    )


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(1, 200), st.integers(1, 250), st.integers(1, 9), st.booleans())
def test_caching_changes_no_output(rows, batch_size, width, training):
    model = mlp([4, width, 3], batch_norm=True, dropout=0.3).double()
    model(torch.randn(50, 4, dtype=torch.float64))  # statistics other than those at the start
    freeze(model.train(training), ".*")
    X = torch.randn(rows, 4, dtype=torch.float64)
    before, modes = values(model), [module.training for module in model.modules()]
    cached = cache_features(model, X, batch_size)
    assert changed(before, model) == set()
    assert modes == [module.training for module in model.modules()]
    assert not cached.requires_grad
    torch.testing.assert_close(cached, model(X), rtol=1e-12, atol=1e-13)


def test_chunks_change_no_bit(generator):
    X = torch.rand(300, 784, generator=generator)
    freeze(body := mlp([784, 100, 100, 5])[:-1], ".*")
    chunked = [cache_features(body, X, n) for n in (64, 100, 299, 300, 1024)]
    assert all(torch.equal(features, chunked[0]) for features in chunked)
    assert torch.equal(cache_features(body, X.T.contiguous().T), chunked[0])


def test_features_of_an_identity_are_a_copy():
    freeze(model := nn.Identity(), ".*")
    X = torch.ones(3, 2, requires_grad=True)
    features = cache_features(model, X)
    assert not features.requires_grad
    assert torch.equal(features, X)
    assert features.data_ptr() != X.data_ptr()


FREE = {
    "hidden1": ["activation1", "dropout1"],
    "(hidden|activation)1": ["dropout1"],
    "activation1|dropout1": ["hidden1", "hidden1.weight", "hidden1.bias"],
}


@pytest.mark.parametrize(("pattern", "free"), FREE.items())
def test_what_goes_on_changing_is_not_cached(pattern, free):
    body = mlp([4, 3, 2], dropout=0.5)[:-1]
    freeze(body, pattern)
    with pytest.raises(ValueError) as raised:
        cache_features(body.eval(), torch.ones(2, 4))
    assert f"got {free} free" in str(raised.value)
    freeze(body, ".*")
    body.hidden1.bias.requires_grad_()
    with pytest.raises(ValueError, match=r"got \['hidden1\.bias'\] free"):
        cache_features(body, torch.ones(2, 4))


def test_transpose_true_takes_arrays_without_a_kernel():
    model = nn.Linear(3, 2)
    report = load_arrays(model, {"bias": np.ones(2, dtype=np.float32)}, transpose=True)
    assert report.loaded == ["bias"]
    assert torch.equal(model.bias, torch.ones(2))
    with pytest.raises(ValueError, match="2-d array"):
        load_arrays(model, {"bias": np.ones(2, dtype=np.float32)}, transpose="bias")


def test_flag_of_a_frozen_module_is_true_only_until_its_next_call():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))
    freeze(model, "0")
    model.train()
    assert model[0].training
    X = torch.ones(4, 2)
    assert torch.equal(model[0](X), X)
    assert not model[0].training
