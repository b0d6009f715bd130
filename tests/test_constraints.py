"""Clipping against torch, projections and pruning against what they promise."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deeplearn.constraints import (
    clip_grad_norm_,
    clip_grad_value_,
    max_norm_,
    prune_small_,
    sparsity,
)

INF = math.inf
REPEATABLE = settings(deadline=None, max_examples=50, derandomize=True)
numbers = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def parameters(dtype=torch.float64, scale=1.0):
    """Make parameters with gradients, one of them without."""
    generator = torch.Generator().manual_seed(0)
    made = [nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in ((3, 4), (5,), (2,), ())]
    for parameter in made:
        parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=dtype) * scale
    made[2].grad = None
    return made


def same(ours, theirs, **kwargs):
    for mine, reference in zip(ours, theirs, strict=True):
        assert (mine.grad is None) == (reference.grad is None)
        if mine.grad is not None:
            torch.testing.assert_close(mine.grad, reference.grad, **kwargs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("max_norm", [0, 0.3, 2, 100.0, INF])
@pytest.mark.parametrize("norm_type", [2.0, 1, 3.5, INF, "inf", 0.5, 0, -INF])
def test_clip_grad_norm_equals_torch(norm_type, max_norm, dtype):
    ours, theirs = parameters(dtype), parameters(dtype)
    found = clip_grad_norm_(ours, max_norm, norm_type)
    expected = nn.utils.clip_grad_norm_(theirs, max_norm, norm_type, foreach=False)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    same(ours, theirs, rtol=0, atol=0)


def test_clip_grad_norm_uses_the_norm_of_all_gradients_and_two_by_default():
    x, y = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    x.grad, y.grad = torch.tensor([2.0, 3.0]), torch.tensor([6.0])
    assert clip_grad_norm_(iter([x, y]), 3.5).item() == 7.0
    torch.testing.assert_close(x.grad, torch.tensor([1.0, 1.5]))
    torch.testing.assert_close(y.grad, torch.tensor([3.0]))
    kept = x.grad.clone()
    assert clip_grad_norm_([x, y], 4.0).item() == pytest.approx(3.5)
    assert torch.equal(x.grad, kept)  # short enough, so not a bit is changed


@pytest.mark.parametrize("value", [math.nan, INF])
def test_a_norm_that_is_not_finite(value):
    ours, theirs = parameters(), parameters()
    for made in (ours, theirs):
        made[0].grad[0, 0] = value
    with pytest.raises(RuntimeError, match=f"norm of the gradients is {value}; lower lr"):
        clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    assert ours[1].grad.norm() == parameters()[1].grad.norm()  # refused, and left alone
    clip_grad_norm_(ours, 1.0)
    nn.utils.clip_grad_norm_(theirs, 1.0)
    same(ours, theirs, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("value", [0.0, 0.5, 100, INF])
def test_clip_grad_value_equals_torch(value):
    ours, theirs = parameters(), parameters()
    assert clip_grad_value_(ours, value) is None
    nn.utils.clip_grad_value_(theirs, value)
    same(ours, theirs, rtol=0, atol=0)


def test_one_tensor_and_no_gradient_are_taken():
    x = nn.Parameter(torch.zeros(2))
    assert clip_grad_norm_(x, 1.0).item() == 0
    clip_grad_value_(x, 1.0)
    assert x.grad is None
    x.grad = torch.tensor([0.0, -3.0])
    assert clip_grad_norm_(x, 1.0).item() == 3
    clip_grad_value_(x, 0.25)
    assert x.grad.tolist() == [0, -0.25]


@REPEATABLE
@given(st.lists(numbers, min_size=1, max_size=9), st.floats(0, 1e4), st.sampled_from([1, 2, INF]))
def test_clipping_never_raises_a_norm(values, limit, norm_type):
    x = nn.Parameter(torch.zeros(len(values)))
    for clip_ in (clip_grad_value_, lambda x, limit: clip_grad_norm_(x, limit, norm_type)):
        x.grad = torch.tensor(values)
        before = x.grad.clone()
        clip_(x, limit)
        assert (x.grad.abs() <= before.abs()).all()
        assert (x.grad * before >= 0).all()
        for order in (1, 2, INF):
            assert x.grad.norm(order) <= before.norm(order)
    assert (
        x.grad.double().norm(norm_type) <= limit * (1 + 1e-5) + 1e-37
    )  # denormal numbers are coarse


@REPEATABLE
@given(
    st.integers(1, 4),
    st.integers(1, 6),
    st.floats(1e-3, 1e3),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    st.integers(0, 10**6),
)
def test_max_norm_is_a_projection(rows, columns, limit, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    before = (torch.randn(rows, columns, generator=generator) * limit).to(dtype)
    once = max_norm_(before.clone(), limit)
    norms = before.double().norm(dim=1)
    assert (once.double().norm(dim=1) <= limit).all()
    assert torch.equal(max_norm_(once.clone(), limit), once)  # idempotent to the last bit
    assert torch.equal(once[norms <= limit], before[norms <= limit])
    tolerance = 10 * torch.finfo(dtype).eps
    expected = torch.renorm(before.double(), 2, 0, limit)
    torch.testing.assert_close(once.double(), expected, rtol=tolerance, atol=2e-7)


def test_max_norm_works_in_place_on_rows_of_a_parameter():
    layer = nn.Linear(2, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]]))
    assert max_norm_(layer.weight, 2.0) is layer.weight
    assert layer.weight.requires_grad
    assert layer.weight.is_leaf
    expected = torch.tensor([[1.2, 1.6], [0, 0], [0, -2]])
    torch.testing.assert_close(layer.weight.detach(), expected)
    assert layer.weight[2].tolist() == [0, -2]  # as long as allowed: unchanged


def test_max_norm_of_kernels_transposed_and_empty_weights():
    kernels = torch.full((2, 1, 2, 2), 3.0)
    torch.testing.assert_close(max_norm_(kernels, 3.0), torch.full((2, 1, 2, 2), 1.5))
    outer = torch.full((2, 4), 1.0)
    max_norm_(outer.T[:3], 1.0)  # a view, not contiguous, whose rows are the columns
    assert outer[:, 3].tolist() == [1, 1]
    torch.testing.assert_close(outer[:, 0], torch.full((2,), 0.5**0.5))
    assert max_norm_(torch.empty(0, 3), 1.0).shape == (0, 3)
    assert max_norm_(torch.empty(3, 0), 1.0).shape == (3, 0)


def network():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Conv1d(1, 1, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.5, -0.1], [0.1, -0.5]]))
        model[0].bias.fill_(0.01)
        model[2].weight.copy_(torch.tensor([[[0.0, -0.0]]]))
        model[2].bias.zero_()
    return model


@pytest.mark.parametrize(
    ("threshold", "share"), [(0, 2 / 6), (0.1, 2 / 6), (0.11, 4 / 6), (0.6, 1.0)]
)
def test_pruning_by_hand(threshold, share):
    model = network()
    assert sparsity(model) == 2 / 6
    before = model[0].weight.detach().clone()
    assert prune_small_(model, threshold) == sparsity(model) == pytest.approx(share)
    kept = before.abs() >= torch.tensor(float(threshold))
    assert torch.equal(model[0].weight, before * kept)
    assert model[0].bias.tolist() == [pytest.approx(0.01)] * 2
    assert model[1].weight.tolist() == [1, 1]
    assert model[0].weight.requires_grad


@REPEATABLE
@given(st.floats(0, 2), st.integers(0, 10**6))
def test_pruning_is_idempotent_and_grows_with_the_threshold(threshold, seed):
    torch.manual_seed(seed)
    model = nn.Linear(5, 4)
    share = prune_small_(model, threshold / 2)
    more = prune_small_(model, threshold)
    assert share <= more
    kept = model.weight.detach().clone()
    assert prune_small_(model, threshold) == more
    assert torch.equal(model.weight, kept)
