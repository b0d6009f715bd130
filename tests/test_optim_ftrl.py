"""FTRL-Proximal: against its paper, against what it minimizes, and against Adagrad."""

import numpy as np
import pytest
import torch
from torch import nn

from deeplearn import optim
from deeplearn.lr_scheduler import ExponentialLR


def noisy(seed=0, steps=100):
    """Return a start and the gradient, at any place, of each step of a noisy quadratic."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    target = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    noise = torch.randn(steps, 4, 3, generator=generator, dtype=torch.float64)
    return start, lambda x, t: x - target + noise[t]


def descend_noisy(kind, steps=100, schedule=None, **kwargs):
    start, gradient = noisy(steps=steps)
    x = nn.Parameter(start.clone())
    optimizer = kind([x], **kwargs)
    course = []
    for t in range(steps):
        if schedule:
            optimizer.param_groups[0]["lr"] = schedule(t)
        x.grad = gradient(x.detach(), t)
        optimizer.step()
        course.append(x.detach().clone())
    return torch.stack(course)


@pytest.mark.parametrize("beta", [1e-10, 0.1, 1.0, 5.0])
@pytest.mark.parametrize("schedule", [None, lambda t: 0.5 / (1 + t / 10)], ids=["", "decay"])
def test_ftrl_without_penalties_is_adagrad_with_eps_beta(beta, schedule):
    found = descend_noisy(optim.FTRL, lr=0.5, beta=beta, schedule=schedule)
    for module in (optim, torch.optim):
        expected = descend_noisy(module.Adagrad, lr=0.5, eps=beta, schedule=schedule)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert (found[-1] - found[0]).abs().max() > 0.1


@pytest.mark.parametrize(("l1", "l2"), [(0, 0.5), (3.0, 0), (3.0, 2.0), (0, 0)])
def test_ftrl_is_the_minimum_of_what_it_says(l1, l2):
    """Each weight is the argmin over a fine grid of the sum over all steps, done anew."""
    lr, beta, steps = 0.3, 0.7, 30
    course = descend_noisy(optim.FTRL, steps, lr=lr, beta=beta, l1=l1, l2=l2)
    start, gradient = noisy(steps=steps)
    centers, total, n = [start, *course[:-1]], torch.zeros_like(start), torch.zeros_like(start)
    sigmas = [torch.full_like(start, beta / lr)]
    for t in range(steps):
        g = gradient(centers[t], t)
        total += g
        sigmas.append(((n + g**2).sqrt() - n.sqrt()) / lr)
        n += g**2
    centers = [start, *centers]  # the first σ, of β, is centered at the start

    def objective(w):
        past = sum(s * (w - c) ** 2 for s, c in zip(sigmas, centers, strict=False)) / 2
        return total * w + past + l1 * w.abs() + l2 / 2 * w**2

    best = objective(course[-1])
    for shift in (1e-4, 1e-2, 1.0):
        assert (objective(course[-1] + shift) > best).all()
        assert (objective(course[-1] - shift) > best).all()
    assert (objective(torch.zeros_like(start)) >= best).all()


def test_ftrl_of_the_paper_by_hand():
    """From 0, as in algorithm 1: w = -(z - sgn(z) λ₁) / ((β + √n) / α + λ₂)."""
    alpha, beta, l1, l2 = 0.5, 1.0, 0.75, 0.25
    x = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = optim.FTRL([x], lr=alpha, beta=beta, l1=l1, l2=l2)
    z, n, w = np.zeros(2), np.zeros(2), np.zeros(2)
    for g in np.array([[3.0, 0.5], [4.0, -0.5], [-1.0, -2.0], [-12.0, 0.25]]):
        sigma = (np.sqrt(n + g**2) - np.sqrt(n)) / alpha
        z, n = z + g - sigma * w, n + g**2
        w = np.where(abs(z) <= l1, 0, -(z - np.sign(z) * l1) / ((beta + np.sqrt(n)) / alpha + l2))
        x.grad = torch.tensor(g)
        optimizer.step()
        np.testing.assert_allclose(x.detach().numpy(), w, rtol=1e-12)
    assert optimizer.state[x]["step"].item() == 4


def test_sparsity_grows_with_l1_and_zeros_are_exact():
    shares = []
    for l1 in (0.0, 1.0, 5.0, 20.0, 1000.0):
        weights = descend_noisy(optim.FTRL, lr=0.5, l1=l1)[-1]
        shares.append((weights == 0).double().mean().item())
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert 0 < shares[2] < 1


def test_ftrl_stands_still_at_rate_0_and_goes_on_after_it():
    settings = {"lr": 0.3, "l1": 0.5, "steps": 20}
    course = descend_noisy(optim.FTRL, schedule=lambda t: 0.3 if t != 10 else 0, **settings)
    assert torch.equal(course[10], course[9])
    assert not torch.equal(course[11], course[10])
    first = descend_noisy(optim.FTRL, schedule=lambda t: 0.3 if t > 0 else 0, **settings)
    assert torch.equal(first[0], noisy(steps=20)[0])
    assert first.isfinite().all()


def test_ftrl_goes_on_exactly_from_its_state():
    start, gradient = noisy()
    x = nn.Parameter(start.clone())
    optimizer = optim.FTRL([x], lr=0.3, l1=1.0, l2=0.1)
    for t in range(40):
        if t == 20:
            state = optimizer.state_dict()
            x = nn.Parameter(x.detach().clone())
            optimizer = optim.FTRL([x], lr=9.0)
            optimizer.load_state_dict(state)
        x.grad = gradient(x.detach(), t)
        optimizer.step()
    expected = descend_noisy(optim.FTRL, lr=0.3, l1=1.0, l2=0.1)[39]
    assert torch.equal(x.detach(), expected)


def test_ftrl_with_a_rate_in_a_tensor_follows_its_schedule():
    """The schedule fills the tensor in place; the rate of the step before must stay known."""
    ends = []
    for lr in (0.5, torch.tensor(0.5)):
        start, gradient = noisy()
        x = nn.Parameter(start.clone())
        optimizer = optim.FTRL([x], lr=lr, l1=0.1)
        scheduler = ExponentialLR(optimizer, 0.5)
        for t in range(10):
            x.grad = gradient(x.detach(), t)
            optimizer.step()
            scheduler.step()
        ends.append(x.detach())
    assert torch.equal(*ends)  # the rates are powers of 2, exact also in float32
