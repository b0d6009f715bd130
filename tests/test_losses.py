"""Losses far out, with NaN, and at the points where a formula has a corner."""

import math

import pytest
import torch
from scipy import special
from torch import nn

from deeplearn import losses

F = nn.functional
PAIRS = {"cross_entropy", "binary_cross_entropy_with_logits", "margin_ranking_loss"}


def test_cross_entropy_by_hand():
    logits = torch.log(torch.tensor([[1.0, 2.0, 1.0], [1.0, 1.0, 6.0]], dtype=torch.float64))
    target = torch.tensor([1, 0])
    expected = (math.log(2) + math.log(8)) / 2
    assert losses.cross_entropy(logits, target).item() == pytest.approx(expected, rel=1e-14)
    rows = losses.cross_entropy(logits, target, reduction="none")
    assert rows.tolist() == pytest.approx([math.log(2), math.log(8)])
    uniform = losses.cross_entropy(logits, target, label_smoothing=1.0)
    mean = -special.log_softmax(logits.numpy(), axis=1).mean()
    assert uniform.item() == pytest.approx(mean, rel=1e-14)


def test_chance_level():
    assert losses.cross_entropy(torch.zeros(7, 10), torch.arange(7)).item() == pytest.approx(
        math.log(10)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_extreme_logits_stay_finite(size, dtype):
    logits = torch.tensor([[size, -size], [-size, size]], dtype=dtype).requires_grad_()
    target = torch.tensor([0, 0])
    loss = losses.cross_entropy(logits, target, reduction="none")
    assert loss.tolist() == pytest.approx([0, 2 * size])
    loss.sum().backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[0, 0], [-1, 1]]).to(dtype))
    z = torch.tensor([size, -size, size, -size], dtype=dtype).requires_grad_()
    y = torch.tensor([1, 0, 0, 1], dtype=dtype)
    loss = losses.binary_cross_entropy_with_logits(z, y, reduction="none")
    assert loss.tolist() == pytest.approx([0, 0, size, size])
    loss.sum().backward()
    torch.testing.assert_close(z.grad, torch.tensor([0, 0, 1, -1]).to(dtype))


def test_masked_class():
    logits = torch.tensor([[0.0, -math.inf, 0.0]])
    assert losses.cross_entropy(logits, torch.tensor([2])).item() == pytest.approx(math.log(2))
    assert losses.cross_entropy(logits, torch.tensor([1])).item() == math.inf


def test_tiny_binary_losses_keep_their_digits():
    """log(1 + e^z) of a confident, right logit is not rounded to 0."""
    z = torch.tensor([-30.0, 30.0], dtype=torch.float64)
    loss = losses.binary_cross_entropy_with_logits(z, torch.tensor([0.0, 1.0]).double())
    assert loss.item() == pytest.approx(math.exp(-30), rel=1e-12)


def test_binary_gradient_at_zero_is_half_the_way():
    z = torch.zeros(2, requires_grad=True)
    losses.binary_cross_entropy_with_logits(z, torch.tensor([0.0, 1.0])).backward()
    assert z.grad.tolist() == [0.25, -0.25]


@pytest.mark.parametrize("name", sorted(PAIRS | {"contrastive_loss"}))
def test_nan_shows(name):
    nan = torch.tensor([[1.0, math.nan], [1.0, 2.0]])
    arguments = {
        "cross_entropy": (nan, torch.tensor([0, 1])),
        "binary_cross_entropy_with_logits": (nan, torch.ones(2, 2)),
        "margin_ranking_loss": (nan, torch.ones(2, 2), torch.ones(2, 2)),
        "contrastive_loss": (nan, torch.ones(2, 2)),
    }[name]
    assert getattr(losses, name)(*arguments).isnan()
    if name in PAIRS:
        rows = getattr(losses, name)(*arguments, reduction="none")
        assert rows.isnan().any()
        assert not rows.isnan().all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64], ids=str)
def test_labels_of_any_integer_type(dtype):
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 2, 1, 2])
    expected = F.cross_entropy(logits, target)
    torch.testing.assert_close(losses.cross_entropy(logits, target.to(dtype)), expected)


def test_margin_ranking_by_hand_and_default():
    first, second = torch.tensor([3.0, 3.0, 1.0]), torch.tensor([2.5, 4.0, 1.0])
    y = torch.tensor([1.0, -1.0, 1.0])
    rows = losses.margin_ranking_loss(first, second, y, 0.75, reduction="none")
    assert rows.tolist() == [0.25, 0.0, 0.75]
    assert losses.margin_ranking_loss(first, second, -y).item() == pytest.approx(0.5)


def test_contrastive_by_hand():
    d = torch.tensor([2.0, 2.0, 0.5, 0.5])
    y = torch.tensor([0, 1, 0, 1])
    # (1 - y) d²/2 + y max(0, m - d)²/2, with m = 1, then m = 3
    assert losses.contrastive_loss(d, y).item() == (2 + 0 + 0.125 + 0.125) / 4
    assert losses.contrastive_loss(d, y, 3).item() == (2 + 0.5 + 0.125 + 3.125) / 4


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32], ids=str)
def test_contrastive_takes_labels_of_any_type(dtype):
    d = torch.tensor([0.5, 0.75])
    loss = losses.contrastive_loss(d, torch.tensor([0, 1]).to(dtype))
    assert loss.dtype == torch.float32
    assert loss.item() == (0.125 + 0.03125) / 2


def test_contrastive_pulls_and_pushes():
    d = torch.tensor([0.5, 0.5, 2.0], requires_grad=True)
    losses.contrastive_loss(d, torch.tensor([0, 1, 1])).backward()
    torch.testing.assert_close(d.grad, torch.tensor([0.5, -0.5, 0.0]) / 3)
