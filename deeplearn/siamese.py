"""Pairs: do two images show the same class? An auxiliary task, from few labels many examples."""

import torch
from torch import Generator, Tensor, nn

from deeplearn._check import check_count, check_data, check_tensor, check_type
from deeplearn.models import mlp

__all__ = ["SiameseNet", "sample_pairs"]


def sample_pairs(
    X: Tensor, y: Tensor, num_pairs: int, *, generator: Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw pairs of different rows: half are of one class (0.0), half of two classes (1.0).

    The pairs are in random order. The first row of a pair is uniform among all rows, the second
    among those that fit the first.

    Shapes: ``X`` is (N, …), and ``y`` are integer labels (N,). The result is two tensors
    (num_pairs, …) and the labels of the pairs, (num_pairs,), 1.0 for two classes.

    Raises:
        TypeError: if ``X`` is not a floating-point tensor, ``y`` not a tensor, or ``num_pairs`` not
            an int.
        ValueError: if ``num_pairs`` is odd or below 2, if ``y`` is not a label for each row, if
            ``X`` is empty or not finite, or if there are fewer than 2 classes, or fewer than 2 rows
            in a class.

    >>> X, y = torch.arange(4.0), torch.tensor([0, 1, 0, 1])
    >>> X1, X2, different = sample_pairs(X, y, 100)
    >>> different.sum(), different.equal((X1 - X2) % 2), (X1 == X2).any()
    (tensor(50.), True, tensor(False))
    """
    check_data("X", X)
    check_tensor("y", y)
    check_count("num_pairs", num_pairs, 2)
    if y.shape != X.shape[:1] or y.is_floating_point():
        raise ValueError(f"y must be {len(X)} integer labels, got {y.dtype} {tuple(y.shape)}")
    _, group, count = y.unique(return_inverse=True, return_counts=True)
    if num_pairs % 2 or len(count) < 2 or count.min() < 2:
        message = "num_pairs must be even and y needs 2 classes, 2 rows in each, got"
        raise ValueError(f"{message} {num_pairs} and counts {count.tolist()}; add rows")
    # Sorted by class, the rows are a ring: after a class come the rows of all others in turn.
    ring, last = group.argsort(), count.cumsum(0)
    place = torch.randint(len(y), (num_pairs,), generator=generator)
    same = torch.randperm(num_pairs, generator=generator) < num_pairs // 2
    u = torch.rand(num_pairs, dtype=torch.float64, generator=generator)
    end, size = last[group[ring[place]]], count[group[ring[place]]]
    mate = end - size + (place - end + 1 + (u * (size - 1)).long()) % size
    other = (end + (u * (len(y) - size)).long()) % len(y)
    return X[ring[place]], X[ring[torch.where(same, mate, other)]], (~same).to(X.dtype)


class SiameseNet(nn.Module):
    r"""Two networks side by side, and on top of both a small ``mlp`` that compares their outputs.

    .. math::
        \text{logit} = \text{head}\bigl(f(x_1),\, g(x_2)\bigr)

    Without ``second`` both images go through ``first``, with shared weights: :math:`g = f`. The
    head needs its hidden layer. A logit that is a sum, :math:`f(a) + g(b)`, cannot tell pairs: that
    :math:`f(0) + g(0)` and :math:`f(1) + g(1)` are below 0 contradicts that :math:`f(0) + g(1)` and
    :math:`f(1) + g(0)` are above it.

    Shapes: two tensors of rows, as the networks take them, to logits (batch,). Each network gives
    (batch, num_features).

    Raises:
        TypeError: if ``first`` or ``second`` is not a module, or if a number is not an int.
        ValueError: if ``num_features`` or ``num_hidden`` is below 1.

    Source: Bromley et al. (1993).

    >>> net = SiameseNet(nn.Linear(4, 3), nn.Linear(4, 3), num_features=3)
    >>> net(torch.zeros(5, 4), torch.ones(5, 4)).shape
    torch.Size([5])
    """

    def __init__(
        self, first: nn.Module, second: nn.Module | None = None, *, num_features: int,
        num_hidden: int = 10, generator: Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        check_type("first", first, nn.Module)
        self.first, self.second = first, first if second is None else second
        check_type("second", self.second, nn.Module)
        check_count("num_features", num_features)
        self.head = mlp([2 * num_features, num_hidden, 1], generator=generator)

    def forward(self, X1: Tensor, X2: Tensor) -> Tensor:
        return self.head(torch.cat([self.first(X1), self.second(X2)], dim=1)).squeeze(1)
