"""Activation functions: randomness, ties, edges, and where their slopes come from."""

import copy
import math
import pickle

import pytest
import torch
from scipy import special, stats
from torch import nn

from deeplearn import activations as ours

F = nn.functional


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(7,), (40, 30), (5, 4, 3)], ids=str)
def test_rrelu_draws_what_torch_draws(shape, dtype):
    z = torch.randn(shape, generator=seeded(), dtype=dtype)
    z.view(-1)[::5] = 0  # drawn for, as torch does
    tolerance = {"rtol": 2 * torch.finfo(dtype).eps, "atol": 0}
    for layout in (z, z.transpose(0, -1)):
        results = []
        for function in (ours.rrelu, F.rrelu):
            torch.manual_seed(4)
            x = layout.clone(memory_format=torch.preserve_format).requires_grad_()
            output = function(x, 0.1, 0.4, training=True)
            (slope,) = torch.autograd.grad(output.sum(), x)
            results.append((output.detach(), slope, torch.rand(3)))
        for mine, reference in zip(*results, strict=True):
            torch.testing.assert_close(mine, reference.to(mine.dtype), **tolerance)


def test_rrelu_slopes_are_uniform_independent_and_only_where_negative():
    z = torch.ones(4000)
    z[::2] = -1
    slopes = ours.rrelu(z, 0.2, 0.5, True, generator=seeded())
    assert (slopes[1::2] == 1).all()
    assert stats.kstest(-slopes[::2].numpy(), stats.uniform(0.2, 0.3).cdf).pvalue > 0.001
    assert len(slopes[::2].unique()) > 1900


def test_rrelu_comes_from_its_generator_and_evaluates_with_the_mean_slope():
    z = torch.randn(50, generator=seeded())
    first, again = (ours.rrelu(z, training=True, generator=seeded(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, ours.rrelu(z, training=True, generator=seeded(2)))
    state = torch.get_rng_state()
    expected = torch.where(z > 0, z, z * (1 / 8 + 1 / 3) / 2)
    torch.testing.assert_close(ours.rrelu(z), expected)
    ours.rrelu(z, training=True, generator=seeded())
    assert torch.equal(torch.get_rng_state(), state)


def test_rrelu_of_equal_limits_is_a_leaky_relu():
    z = torch.randn(30, generator=seeded(), dtype=torch.float64)
    drawn = ours.rrelu(z, 0.25, 0.25, training=True)
    assert torch.equal(drawn, ours.leaky_relu(z, 0.25))
    assert torch.equal(ours.rrelu(z, 0.25, 0.25), drawn)


@pytest.mark.parametrize("training", [True, False])
def test_rrelu_keeps_nan_and_takes_nothing(training):
    assert ours.rrelu(torch.tensor([float("nan")]), training=training).isnan().all()
    assert ours.rrelu(torch.empty(0, 3), training=training).shape == (0, 3)


def test_rrelu_module_follows_its_mode():
    layer, z = ours.RReLU(0.1, 0.9), -torch.ones(20)
    assert len(layer(z).unique()) == 20
    assert (layer.eval()(z) == -0.5).all()


def test_gelu_and_silu_against_scipy_and_far_out():
    z = torch.linspace(-30, 30, 121, dtype=torch.float64)
    torch.testing.assert_close(
        ours.gelu(z), torch.as_tensor(z.numpy() * special.ndtr(z.numpy())), rtol=0, atol=1e-14
    )
    torch.testing.assert_close(ours.silu(z), torch.as_tensor(z.numpy() * special.expit(z.numpy())))
    for function in (ours.gelu, ours.silu):
        far = function(torch.tensor([-1e4, 1e4, float("inf"), float("nan")]))
        assert far[:3].tolist() == [0.0, 1e4, math.inf]
        assert far[3].isnan()
    exact, quick = ours.gelu(z), ours.gelu(z, "tanh")
    assert 1e-4 < (exact - quick).abs().max() < 5e-4


def test_maxout_groups_neighbors_and_passes_the_gradient_to_one():
    z = torch.tensor([[1.0, 2.0, 5.0, 5.0, -1.0, -2.0]], requires_grad=True)
    output = ours.maxout(z, 2)
    assert output.tolist() == [[2.0, 5.0, -1.0]]
    output.sum().backward()
    assert z.grad.sum(1).item() == 3
    assert z.grad.unique().tolist() == [0.0, 1.0]
    assert ours.maxout(z, 3).tolist() == [[5.0, 5.0]]
    assert ours.maxout(z[0], 6).tolist() == [5.0]
    assert ours.maxout(torch.empty(0, 6), 2).shape == (0, 3)
    assert ours.maxout(torch.tensor([[1.0, float("nan")]]), 2).isnan().all()


def test_maxout_after_a_linear_layer_is_the_largest_of_its_affine_maps():
    linear, X = nn.Linear(5, 6), torch.randn(9, 5, generator=seeded())
    output = ours.Maxout(3)(linear(X))
    for unit in range(2):
        rows = slice(3 * unit, 3 * unit + 3)
        maps = X @ linear.weight[rows].T + linear.bias[rows]
        torch.testing.assert_close(output[:, unit], maps.amax(1))


def test_prelu_learns_its_slope():
    layer = ours.PReLU(2, 0.5)
    assert layer.weight.tolist() == [0.5, 0.5]
    assert isinstance(layer.weight, nn.Parameter)
    layer(torch.tensor([[-3.0, 4.0], [-1.0, -2.0]])).sum().backward()
    assert layer.weight.grad.tolist() == [-4.0, -2.0]
    assert ours.PReLU().weight.tolist() == [0.25]


def test_prelu_of_a_scalar_and_at_the_edges():
    assert ours.prelu(torch.tensor(-2.0), torch.tensor(0.5)).item() == -1
    assert ours.prelu(torch.tensor(-2.0), torch.tensor([0.5])).shape == ()
    assert ours.prelu(torch.tensor([float("nan")]), torch.ones(1)).isnan().all()
    assert ours.prelu(torch.empty(0, 3), torch.ones(3)).shape == (0, 3)
    with pytest.raises(ValueError, match=r"weight must have shape \(1,\) or \(1,\), got \(4,\)"):
        ours.prelu(torch.ones(4), torch.ones(4))


MODULES = {
    "ReLU()": ours.ReLU(),
    "LeakyReLU(negative_slope=0.2)": ours.LeakyReLU(0.2),
    "RReLU(lower=0.1, upper=0.2)": ours.RReLU(0.1, 0.2),
    "PReLU(num_parameters=4)": ours.PReLU(4),
    "ELU(alpha=0.5)": ours.ELU(0.5),
    "SELU()": ours.SELU(),
    "Maxout(num_pieces=2)": ours.Maxout(2),
}


@pytest.mark.parametrize("text", MODULES)
def test_modules_show_copy_and_pickle(text):
    layer = MODULES[text].eval()
    assert repr(layer) == text
    X = torch.randn(3, 4, generator=seeded())
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(X), layer(X))


def test_a_changed_attribute_counts():
    layer = ours.LeakyReLU(0.2)
    layer.negative_slope = 0.5
    assert layer(torch.tensor([-2.0])).item() == -1.0
    assert repr(layer) == "LeakyReLU(negative_slope=0.5)"
