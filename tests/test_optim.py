"""Optimizers where a pencil gives the answer; the comparison with torch is in the oracle table."""

import numpy as np
import pytest
import torch
from torch import nn

from deeplearn import optim

LR, MOMENTUM, STEPS = 0.1, 0.8, 12


def descend(optimizer_class, steps=STEPS, start=1.0, **kwargs):
    """Return the course of x, from ``start``, on the parabola x² / 2, whose gradient is x."""
    x = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = optimizer_class([x], **kwargs)
    course = [x.item()]
    for _ in range(steps):
        optimizer.zero_grad()
        (x**2 / 2).backward()
        optimizer.step()
        course.append(x.item())
    return np.array(course)


def test_gradient_descent_is_a_geometric_series():
    t = np.arange(STEPS + 1)
    np.testing.assert_allclose(descend(optim.SGD, lr=LR), (1 - LR) ** t, rtol=1e-13)
    decayed = descend(optim.SGD, lr=LR, weight_decay=0.5)
    np.testing.assert_allclose(decayed, (1 - 1.5 * LR) ** t, rtol=1e-13)
    climbing = descend(optim.SGD, lr=LR, maximize=True)
    np.testing.assert_allclose(climbing, (1 + LR) ** t, rtol=1e-13)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_a_linear_recurrence(nesterov):
    """(x, m) goes to A (x, m); the first step is the same, for m = 0 before it."""
    look = (1 + MOMENTUM, MOMENTUM**2) if nesterov else (1, MOMENTUM)
    step = np.array([[1 - LR * look[0], -LR * look[1]], [1, MOMENTUM]])
    expected = [
        (np.linalg.matrix_power(step, t) @ [1.0, 0.0])[0] for t in range(STEPS + 1)
    ]  # fmt: skip
    course = descend(optim.SGD, lr=LR, momentum=MOMENTUM, nesterov=nesterov)
    np.testing.assert_allclose(course, expected, rtol=1e-11)


def test_momentum_reaches_the_speed_lr_over_one_minus_momentum():
    x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = optim.SGD([x], lr=LR, momentum=MOMENTUM)
    for t in range(1, 200):
        before = x.item()
        x.grad = torch.ones(1, dtype=torch.float64)
        optimizer.step()
        expected = LR * (1 - MOMENTUM**t) / (1 - MOMENTUM)
        assert before - x.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("gradient", [1e-6, -1.0, 1e6])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.0, 0.0)], ids=str)
def test_adam_steps_by_lr_whatever_the_size_of_a_constant_gradient(gradient, betas):
    """The two bias corrections cancel: m = g (1 - β₁ᵗ) and v = g² (1 - β₂ᵗ)."""
    x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = optim.Adam([x], lr=LR, betas=betas, eps=0)
    for t in range(1, 50):
        x.grad = torch.full((1,), gradient, dtype=torch.float64)
        optimizer.step()
        assert x.item() == pytest.approx(-LR * t * np.sign(gradient), rel=1e-10)


def test_eps_of_adam_is_added_after_the_root():
    x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    x.grad = torch.full((1,), 0.25, dtype=torch.float64)
    optim.Adam([x], lr=1.0, eps=0.75).step()
    assert x.item() == pytest.approx(-0.25 / (0.25 + 0.75), rel=1e-12)


def test_closure_is_called_with_gradients_on_and_its_loss_returned():
    x = nn.Parameter(torch.tensor([2.0]))
    optimizer = optim.SGD([x], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (x**2).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert x.item() == 1.0
    assert optimizer.step() is None


def test_one_tensor_is_a_list_of_one():
    x = nn.Parameter(torch.ones(2))
    assert optim.SGD(x, lr=1.0).param_groups[0]["params"][0] is x


KINDS = [optim.SGD, optim.Adagrad, optim.RMSprop, optim.Adadelta, optim.Adam, optim.AdamW]


def test_gradients_are_not_changed():
    for optimizer_class in (*KINDS, optim.FTRL):
        options = {"weight_decay": 0.1, "maximize": True} if optimizer_class in KINDS else {"lr": 1}
        x = nn.Parameter(torch.ones(3))
        x.grad = torch.tensor([1.0, -2.0, 3.0])
        optimizer_class([x], **options).step()
        assert x.grad.tolist() == [1, -2, 3]
        optimizer = optim.SGD([x], momentum=0.9)
        optimizer.step()
        optimizer.step()
        assert x.grad.tolist() == [1, -2, 3]


def test_sparse_gradients_are_refused():
    table = nn.Embedding(3, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(TypeError, match="sparse=False"):
        optim.Adam(table.parameters()).step()


def test_a_state_of_amsgrad_is_refused():
    x = nn.Parameter(torch.ones(1))
    state = torch.optim.Adam([x], amsgrad=True).state_dict()
    with pytest.raises(ValueError, match="amsgrad=True, which this Adam lacks"):
        optim.Adam([x]).load_state_dict(state)


@pytest.mark.parametrize("gradient", [1e-3, -2.0, 1e3])
def test_adagrad_slows_down_as_one_over_the_root_of_t(gradient):
    x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = optim.Adagrad([x], lr=LR, eps=0)
    expected = 0.0
    for t in range(1, 30):
        x.grad = torch.full((1,), gradient, dtype=torch.float64)
        optimizer.step()
        expected -= LR * np.sign(gradient) / np.sqrt(t)
        assert x.item() == pytest.approx(expected, rel=1e-12)


def test_adagrad_divides_the_rate_by_one_plus_the_steps_done():
    x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = optim.Adagrad([x], lr=1.0, lr_decay=0.5, initial_accumulator_value=3.0, eps=0)
    for expected in (-1 / 2, -1 / 2 - 1 / 1.5 / np.sqrt(5)):
        x.grad = torch.ones(1, dtype=torch.float64)
        optimizer.step()
        assert x.item() == pytest.approx(expected, rel=1e-12)


def test_adagrad_has_its_state_before_the_first_step_as_torchs():
    groups = [{"params": [nn.Parameter(torch.ones(2))], "initial_accumulator_value": 0.5}]
    states = []
    for kind in (optim.Adagrad, torch.optim.Adagrad):
        optimizer = kind([nn.Parameter(torch.zeros(3))], initial_accumulator_value=0.25)
        states.append(optimizer.state_dict()["state"])
        assert states[-1][0]["step"].item() == 0
        assert states[-1][0]["sum"].tolist() == [0.25] * 3
    assert states[0][0].keys() == states[1][0].keys()
    optimizer = optim.Adagrad([nn.Parameter(torch.zeros(3))])
    optimizer.add_param_group(groups[0])
    assert optimizer.state_dict()["state"][1]["sum"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, {"centered": True}], ids=str)
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW"])
def test_state_keys_are_torchs(name, settings):
    if name != "RMSprop" and (name != "SGD" or "centered" in settings):
        settings = {}
    keys = []
    for module in (optim, torch.optim):
        x = nn.Parameter(torch.ones(2))
        optimizer = getattr(module, name)([x], lr=0.1, **settings)
        x.grad = torch.ones(2)
        optimizer.step()
        state = optimizer.state_dict()["state"].get(0, {})
        keys.append({key for key, value in state.items() if value is not None})
        assert "step" not in state or state["step"].item() == 1
    assert keys[0] == keys[1]


def test_rmsprop_forgets_where_adagrad_does_not():
    """The average of a constant squared gradient is g² (1 - αᵗ)."""
    x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = optim.RMSprop([x], lr=LR, alpha=0.8, eps=0)
    for t in range(1, 30):
        before = x.item()
        x.grad = torch.full((1,), 3.0, dtype=torch.float64)
        optimizer.step()
        assert before - x.item() == pytest.approx(LR / np.sqrt(1 - 0.8**t), rel=1e-12)


def test_adadelta_has_no_unit_of_its_own():
    """Its first step is √ε / √((1 - ρ) g² + ε) · g, whatever the rate of the others would be."""
    x = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    x.grad = torch.full((1,), 2.0, dtype=torch.float64)
    optim.Adadelta([x], rho=0.75, eps=0.01).step()
    assert x.item() == pytest.approx(-0.1 * 2 / np.sqrt(0.25 * 4 + 0.01), rel=1e-12)


def test_adamw_decays_the_weights_and_adam_the_gradient():
    """Without a gradient Adam still steps by its rate, AdamW shrinks the weight by its share."""
    for kind, expected in ((optim.Adam, 2 - 0.1), (optim.AdamW, 2 * (1 - 0.1 * 0.5))):
        x = nn.Parameter(torch.full((1,), 2.0, dtype=torch.float64))
        x.grad = torch.zeros(1, dtype=torch.float64)
        kind([x], lr=0.1, weight_decay=0.5, eps=0 if kind is optim.Adam else 1e-8).step()
        assert x.item() == pytest.approx(expected, rel=1e-12)
    assert optim.AdamW([x]).defaults["decoupled_weight_decay"] is True


def test_a_parameter_without_a_gradient_is_passed_over():
    frozen, trained = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    trained.grad = torch.ones(2)
    optim.SGD([frozen, trained], lr=0.5).step()
    assert frozen.tolist() == [1, 1]
    assert trained.tolist() == [0.5, 0.5]
