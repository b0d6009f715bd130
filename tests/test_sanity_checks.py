"""Sanity checks of a network and of its training: they say what is so, and leave no trace."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from deeplearn.diagnostics import (
    check_initial_loss,
    dead_fraction,
    overfit_small_batch,
    record_activations,
    update_ratios,
)
from deeplearn.models import mlp

X = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))


def fail(*arguments):
    raise ZeroDivisionError


# update_ratios


def test_update_ratios_are_those_of_the_weights_before():
    model = mlp([4, 5, 3])
    model.hidden1.weight.requires_grad_(False)
    old = {name: p.detach().double().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(X).square().sum().backward()
    with update_ratios(model) as ratios:
        optimizer.step()
        assert ratios == {}
    assert list(ratios) == ["hidden1.bias", "output.weight", "output.bias"]
    for name, ratio in ratios.items():
        step = 0.1 * model.get_parameter(name).grad.double().norm()
        norm = old[name].norm()
        assert ratio == (pytest.approx(float(step / norm), rel=1e-4) if norm else math.inf)
        assert type(ratio) is float


def test_what_was_zero_and_stays_has_ratio_zero():
    model = nn.Linear(2, 2)
    nn.init.zeros_(model.bias)
    with update_ratios(model) as ratios:
        pass
    assert ratios == {"weight": 0.0, "bias": 0.0}
    with update_ratios(model) as ratios, torch.no_grad():
        model.bias[1] = -1
    assert ratios == {"weight": 0.0, "bias": math.inf}


def test_update_ratios_say_nothing_of_a_block_that_failed():
    with pytest.raises(ZeroDivisionError), update_ratios(nn.Linear(2, 2)) as ratios:
        fail()
    assert ratios == {}


# dead_fraction


def test_dead_fraction_counts_units_that_never_change():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(64, 200, generator=generator) + torch.linspace(-4, 4, 200)
    for activation in (torch.relu, lambda z: torch.tanh(20 * z), nn.functional.elu):
        values = activation(hidden)
        expected = np.mean([len(set(column)) == 1 for column in values.T.tolist()])
        assert dead_fraction(values) == pytest.approx(expected)
    assert 0.1 < dead_fraction(hidden.relu()) < 0.4
    assert dead_fraction(nn.functional.leaky_relu(hidden)) == 0.0
    assert dead_fraction(torch.zeros(2, 3)) == 1.0


def test_dead_fraction_reads_what_record_activations_found():
    model = mlp([4, 5, 3], activation=nn.ReLU)
    nn.init.constant_(model.hidden1.bias, -100)
    with record_activations(model, "activation.*") as seen:
        model(X)
    assert {name: dead_fraction(value) for name, value in seen.items()} == {"activation1": 1.0}


# check_initial_loss and overfit_small_batch


class Noisy(nn.Module):
    """A model with all that a diagnosis could disturb: modes, statistics, chance, gradients."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop, self.out = nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3)
        self.norm.eval()  # a frozen layer

    def forward(self, x):
        torch.rand(1)
        return self.out(self.drop(self.norm(x)))


Y = torch.arange(7) % 3


def failing(model):
    with pytest.raises(ZeroDivisionError):
        check_initial_loss(model, fail, X, Y, 3)


@pytest.mark.parametrize(
    "diagnosis",
    [
        lambda model: check_initial_loss(model, nn.functional.cross_entropy, X, Y, 3, tolerance=9),
        lambda model: overfit_small_batch(model, nn.functional.cross_entropy, X, Y, num_steps=3),
        failing,
    ],
)
def test_a_diagnosis_leaves_no_trace(diagnosis):
    model = Noisy()
    nn.functional.cross_entropy(model(X), Y).backward()
    state = copy.deepcopy(model.state_dict())
    gradients = [p.grad.clone() for p in model.parameters()]
    random = torch.get_rng_state()
    with torch.no_grad():  # as a caller may have it
        diagnosis(model)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(map(torch.equal, [p.grad for p in model.parameters()], gradients))
    assert model.training
    assert model.drop.training
    assert not model.norm.training


@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_a_model_that_knows_nothing_has_the_logarithm_of_the_classes(num_classes):
    model = nn.Linear(4, num_classes)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    loss = check_initial_loss(
        model, nn.functional.cross_entropy, X, Y % num_classes, num_classes, tolerance=1e-6
    )
    assert loss == pytest.approx(np.log(num_classes), rel=1e-6)
    assert type(loss) is float


def test_the_tolerance_is_half_and_both_sides_count():
    for loss, fine in ((1.58, True), (1.61, False), (0.61, True), (0.59, False)):
        arguments = (nn.Linear(4, 3), lambda output, target, loss=loss: torch.tensor(loss), X, Y, 3)
        if fine:
            assert check_initial_loss(*arguments) == pytest.approx(loss)
        else:
            with pytest.raises(ValueError, match=f"is {loss}00, not ln 3 = 1.0986 within toler"):
                check_initial_loss(*arguments)
        assert check_initial_loss(*arguments, tolerance=math.inf) == pytest.approx(loss)


def test_a_healthy_model_learns_a_batch_by_heart_and_a_broken_one_does_not():
    torch.manual_seed(0)
    y = torch.tensor([0, 2, 1, 1, 0, 2, 2])
    loss, accuracy = overfit_small_batch(mlp([4, 30, 3]), nn.functional.cross_entropy, X, y)
    assert loss < 0.05
    assert accuracy == 1.0
    blind = nn.Sequential(nn.Linear(4, 30), nn.Threshold(1e9, 0.0), nn.Linear(30, 3))
    loss, accuracy = overfit_small_batch(blind, nn.functional.cross_entropy, X, y)
    assert loss == pytest.approx(1.0790, abs=0.01)  # the entropy of the labels
    assert accuracy == pytest.approx(3 / 7)


def test_the_steps_are_those_of_adam_and_frozen_layers_stay():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.9), nn.Linear(5, 3))
    model[0].requires_grad_(False)
    twin = copy.deepcopy(model).eval()
    optimizer = torch.optim.Adam(twin[2].parameters(), lr=0.03)
    for _ in range(11):
        optimizer.zero_grad()
        nn.functional.cross_entropy(twin(X), Y).backward()
        optimizer.step()
    loss, accuracy = overfit_small_batch(
        model, nn.functional.cross_entropy, X, Y, lr=0.03, num_steps=11
    )
    assert loss == pytest.approx(float(nn.functional.cross_entropy(twin(X), Y).detach()), rel=1e-5)
    assert accuracy == pytest.approx(float((twin(X).argmax(1) == Y).double().mean()))
