"""Pretraining: gradients against enumeration, layers trained in turn, tasks that cannot cheat."""

import copy
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deeplearn.models import mlp
from deeplearn.normalization import BatchNorm1d
from deeplearn.pretraining import RBM, Autoencoder, corrupt, greedy_pretrain
from deeplearn.transfer import load_matching

V, H = 5, 3
VISIBLE = torch.tensor(list(product([0.0, 1.0], repeat=V)), dtype=torch.float64)
HIDDEN = torch.tensor(list(product([0.0, 1.0], repeat=H)), dtype=torch.float64)


@pytest.fixture
def machine(generator):
    rbm = RBM(V, H).double()
    for parameter in rbm.parameters():
        nn.init.normal_(parameter, std=0.7, generator=generator)
    return rbm


@pytest.fixture
def data(generator):
    return VISIBLE[torch.randint(len(VISIBLE), (7,), generator=generator)]


def log_joint(rbm):
    """Return the logarithm of p(v, h), up to the constant: all visible states by all hidden."""
    pairs = VISIBLE @ rbm.weight.T @ HIDDEN.T
    return pairs + (VISIBLE @ rbm.visible_bias)[:, None] + HIDDEN @ rbm.hidden_bias


# --- the machine ---------------------------------------------------------------------------------


def test_free_energy_and_conditionals_by_enumeration(machine):
    joint = log_joint(machine)
    torch.testing.assert_close(
        machine.free_energy(VISIBLE), -joint.logsumexp(1), rtol=1e-12, atol=1e-12
    )
    torch.testing.assert_close(machine.hidden_probabilities(VISIBLE), joint.softmax(1) @ HIDDEN)
    torch.testing.assert_close(machine.visible_probabilities(HIDDEN), joint.T.softmax(1) @ VISIBLE)
    expected = machine.visible_probabilities(joint.softmax(1) @ HIDDEN)
    torch.testing.assert_close(machine(VISIBLE), expected)


def likelihood_gradient(rbm, data):
    """Return the gradient of the mean of -ln p(v) over all states, by autograd."""
    log_p = log_joint(rbm).logsumexp(1)
    rows = (data @ (2.0 ** torch.arange(V - 1, -1, -1).double())).long()
    loss = log_p.logsumexp(0) - log_p[rows].mean()
    return torch.autograd.grad(loss, list(rbm.parameters()))


@pytest.mark.parametrize("k", [1, 2])
def test_expected_gradient_is_exactly_that_of_the_chain(machine, data, k):
    """The mean over draws is the expectation over all chains, which matrices of all states give."""
    with torch.no_grad():
        joint = log_joint(machine)
        kernel = joint.softmax(1) @ joint.T.softmax(1)  # from v to h to v
        rows = (data @ (2.0 ** torch.arange(V - 1, -1, -1).double())).long()
        after = torch.linalg.matrix_power(kernel, k)[rows].mean(0)
        h = machine.hidden_probabilities(VISIBLE)
        h0 = machine.hidden_probabilities(data)
        expected = [
            (h * after[:, None]).T @ VISIBLE - h0.T @ data / len(data),
            after @ VISIBLE - data.mean(0),
            after @ h - h0.mean(0),
        ]
        many = data.repeat(20_000, 1)
        found = machine.cd_gradient(many, k, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0.005)


def test_gradient_approaches_that_of_the_likelihood_as_k_grows(machine, data):
    many = data.repeat(10_000, 1)
    exact = likelihood_gradient(machine, data)
    assert [g.shape for g in exact] == [p.shape for p in machine.parameters()]
    errors = []
    for k in (1, 3, 30):
        found = machine.cd_gradient(many, k, generator=torch.Generator().manual_seed(2))
        errors.append(max(float((a - b).abs().max()) for a, b in zip(found, exact, strict=True)))
    assert errors[0] > 0.03
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.006


def test_gradient_is_that_of_the_difference_of_free_energies(machine, data):
    """With one row, the chain's end can be read from the gradient of the visible bias."""
    v = data[:1]
    found = machine.cd_gradient(v, 2, generator=torch.Generator().manual_seed(3))
    end = (found[1] + v[0])[None]
    assert set(end.unique().tolist()) <= {0.0, 1.0}
    loss = (machine.free_energy(v) - machine.free_energy(end)).mean()
    for ours, theirs in zip(found, torch.autograd.grad(loss, machine.parameters()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_steps_raise_the_likelihood_of_the_data(machine):
    data = VISIBLE[[0, 31, 31, 5]]
    optimizer = torch.optim.SGD(machine.parameters(), lr=0.5)

    @torch.no_grad()
    def log_likelihood():
        log_p = log_joint(machine).logsumexp(1)
        return float(log_p[[0, 31, 31, 5]].mean() - log_p.logsumexp(0))

    before = log_likelihood()
    generator = torch.Generator().manual_seed(0)
    for _ in range(500):
        gradients = machine.cd_gradient(data.repeat(10, 1), generator=generator)
        for parameter, parameter_gradient in zip(machine.parameters(), gradients, strict=True):
            parameter.grad = parameter_gradient
        optimizer.step()
    assert before < -3
    assert log_likelihood() > -2.1


def test_machine_starts_small_and_draws_from_its_generator():
    state = torch.get_rng_state()
    first, second = (RBM(300, 200, generator=torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first.weight, second.weight)
    v = torch.rand(3, 300)
    torch.set_rng_state(state)
    for g in first.cd_gradient(v, generator=torch.Generator()):
        assert not g.requires_grad
    assert torch.equal(state, torch.get_rng_state())
    assert float(first.weight.detach().std()) == pytest.approx(0.01, rel=0.02)
    assert first.weight.shape == (200, 300)
    assert not first.hidden_bias.any()
    assert not first.visible_bias.any()
    assert torch.equal(copy.deepcopy(first).free_energy(v), second.free_energy(v))


# --- autoencoder ---------------------------------------------------------------------------------


def test_autoencoder_mirrors_its_encoder(generator):
    autoencoder = Autoencoder([6, 4, 2], nn.Tanh, generator=generator)
    shapes = [tuple(p.shape) for p in autoencoder.parameters() if p.dim() == 2]
    assert shapes == [(4, 6), (2, 4), (4, 2), (6, 4)]
    assert list(autoencoder.encoder._modules) == [
        "hidden1",
        "activation1",
        "hidden2",
        "activation2",
    ]
    assert list(autoencoder.decoder._modules) == ["hidden3", "activation3", "output"]
    assert isinstance(autoencoder.encoder.activation2, nn.Tanh)
    X = torch.randn(3, 6)
    expected = mlp([6, 4, 2, 4, 6], nn.Tanh, generator=generator.manual_seed(0))
    assert torch.equal(autoencoder(X), expected(X))
    assert torch.equal(autoencoder.decoder(autoencoder.encoder(X)), expected(X))
    report = load_matching(mlp([6, 4, 2, 3], nn.Tanh), autoencoder.encoder.state_dict(), "hidden.*")
    assert report.missing_keys == report.unexpected_keys == []


# --- layer by layer ------------------------------------------------------------------------------


def blobs(generator, rows=96, width=8):
    """Return rows in [0, 1] that two numbers describe."""
    return torch.sigmoid(
        torch.randn(rows, 2, generator=generator) @ (3 * torch.randn(2, width, generator=generator))
    )


def values(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


@pytest.mark.parametrize("method", ["autoencoder", "rbm"])
def test_layers_learn_and_nothing_else_changes(method, generator):
    X = blobs(generator)
    model = mlp([8, 6, 4, 3], nn.Sigmoid, dropout=0.1, generator=generator).eval()
    model.activation1.train()
    modes, before, given = [m.training for m in model.modules()], values(model), X.clone()
    options = {"method": method, "num_epochs": 60, "lr": 0.05, "batch_size": 16}
    losses = greedy_pretrain(model, X, **options, generator=generator)
    assert list(losses) == ["hidden1", "hidden2"]
    assert all(len(values) == 60 for values in losses.values())
    assert losses["hidden1"][-1] < 0.6 * losses["hidden1"][0]
    assert losses["hidden2"][-1] < 0.9 * losses["hidden2"][0]
    changed = {
        key for key, value in model.state_dict().items() if not torch.equal(value, before[key])
    }
    assert changed == {f"hidden{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")}
    assert modes == [m.training for m in model.modules()]
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert torch.equal(X, given)


@pytest.mark.parametrize("method", ["autoencoder", "rbm"])
def test_generator_fixes_the_result_and_lower_layers_do_not_know_of_upper_ones(method, generator):
    X = blobs(generator)
    start = mlp([8, 6, 4, 3], nn.Sigmoid, generator=generator)
    results = []
    for model in (copy.deepcopy(start), copy.deepcopy(start), copy.deepcopy(start)[:-3]):
        kwargs = {"method": method, "num_epochs": 2, "generator": torch.Generator().manual_seed(1)}
        results.append((greedy_pretrain(model, X, **kwargs), model.hidden1.weight))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[2][1])
    assert results[0][0]["hidden1"] == results[2][0]["hidden1"]
    assert list(results[2][0]) == ["hidden1"]


def test_first_loss_is_that_of_the_layer_under_a_xavier_decoder(generator):
    """One batch holds all rows: the loss of the first epoch is that before any step."""
    X = blobs(generator).double()
    model = mlp([8, 6, 3], generator=generator).double()
    decoder = nn.init.xavier_normal_(torch.empty(8, 6), generator=torch.Generator().manual_seed(1))
    code = nn.functional.elu(X @ model.hidden1.weight.T + model.hidden1.bias).detach()
    expected = float(((code @ decoder.double().T - X) ** 2).mean())
    g = torch.Generator().manual_seed(1)
    losses = greedy_pretrain(model, X, num_epochs=1, batch_size=100, generator=g)
    assert losses["hidden1"] == [pytest.approx(expected, rel=1e-6)]


def test_machine_of_the_second_layer_sees_probabilities_of_the_first(generator):
    X = blobs(generator)
    model = mlp([8, 6, 4, 3], nn.Sigmoid, generator=generator)
    losses = greedy_pretrain(model, X, method="rbm", num_epochs=60, lr=0.05, batch_size=96)
    v = torch.sigmoid(X @ model.hidden1.weight.T + model.hidden1.bias).detach()
    expected = float(((0.5 - v) ** 2).mean())  # weights near 0: every unit is reconstructed as 1/2
    assert losses["hidden2"][0] == pytest.approx(expected, rel=0.02)


def test_batch_norm_of_a_block_learns_its_statistics(generator):
    X = blobs(generator)
    model = mlp([8, 6, 4, 3], batch_norm=True, generator=generator).eval()
    greedy_pretrain(model, X, num_epochs=50, batch_size=32, generator=generator)
    assert model.batch_norm1.num_batches_tracked == 150
    mean = (X @ model.hidden1.weight.T).mean(0)
    torch.testing.assert_close(model.batch_norm1.running_mean, mean, rtol=0, atol=0.1)


def test_a_failure_in_the_second_layer_leaves_the_model_as_it_was(generator):
    X = blobs(generator)
    model = mlp([8, 6, 4, 3], generator=generator)
    before = values(model)
    with pytest.raises(
        FloatingPointError, match=r"hidden1 has loss (nan|inf) with lr=1e\+30; lower"
    ):
        greedy_pretrain(model, X, lr=1e30, num_epochs=3)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


# --- corruption ----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    rows=st.integers(2, 9), width=st.integers(8, 20), p=st.floats(0.3, 0.7), seed=st.integers(0, 99)
)
def test_copies_are_damaged_and_every_place_alone_looks_good(rows, width, p, seed):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(rows, width, 2, generator=generator, dtype=torch.float64)
    before = X.clone()
    inputs, labels = corrupt(X, p, generator=generator)
    good, damaged = inputs.chunk(2)
    assert torch.equal(X, before)
    assert torch.equal(good, X)
    assert labels.tolist() == [1.0] * rows + [0.0] * rows
    assert inputs.dtype == labels.dtype == torch.float64
    swapped = damaged != X
    assert swapped.flatten(1).any(1).all()
    # All foreign values of a call come from the same distance below: one row each, not itself.
    shifts = [s for s in range(1, rows) if torch.equal(damaged[swapped], X.roll(s, 0)[swapped])]
    assert len(shifts) >= 1


@pytest.mark.parametrize("p", [None, 0.1, 0.9])
def test_share_of_foreign_values_is_p(p, generator):
    X = torch.randn(200, 100, generator=generator)
    state = torch.get_rng_state()
    inputs, _ = corrupt(X, generator=generator) if p is None else corrupt(X, p, generator=generator)
    assert torch.equal(state, torch.get_rng_state())
    share = float((inputs[200:] != X).float().mean())
    assert share == pytest.approx(0.5 if p is None else p, abs=0.02)
    np.testing.assert_allclose(inputs[200:].mean(0), X.mean(0), atol=0.5)


def test_shifts_are_of_all_sizes(generator):
    X = torch.arange(4.0)[:, None].expand(4, 30)
    seen = set()
    for _ in range(60):
        damaged = corrupt(X, 0.9, generator=generator)[0][4:]
        seen.add(tuple(damaged.mode(dim=1).values.tolist()))
    assert seen == {(3, 0, 1, 2), (2, 3, 0, 1), (1, 2, 3, 0)}


def test_empty_model_has_no_hidden_layer():
    with pytest.raises(ValueError, match="hidden layers"):
        greedy_pretrain(nn.Sequential(), torch.rand(4, 3))


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, BatchNorm1d])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_batch_norm_needs_two_rows_in_the_last_batch(norm, batch_size):
    model, X = nn.Sequential(nn.Linear(3, 2), norm(2), nn.Tanh(), nn.Linear(2, 1)), torch.rand(9, 3)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=f"batch_size .* got {batch_size} for 9 rows"):
        greedy_pretrain(model, X, batch_size=batch_size, num_epochs=1)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert len(greedy_pretrain(model, X, batch_size=5, num_epochs=1)) == 1
    assert len(greedy_pretrain(mlp([3, 2, 1]), X, batch_size=batch_size, num_epochs=1)) == 1


def test_rbm_needs_biases():
    model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Sigmoid(), nn.Linear(2, 1))
    with pytest.raises(ValueError, match=r"rbm.*needs a bias"):
        greedy_pretrain(model, torch.rand(4, 3), method="rbm")
    assert len(greedy_pretrain(model, torch.rand(4, 3), num_epochs=1)) == 1
