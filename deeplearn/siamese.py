"""Pairs: do two images show the same class? An auxiliary task, from few labels many examples."""

import torch
from torch import Generator, Tensor, nn

from deeplearn._check import check_count, check_data, check_tensor, check_type
from deeplearn.models import mlp

__all__ = ["SiameseNet", "sample_pairs"]


def sample_pairs(
    X: Tensor, y: Tensor, num_pairs: int, *, generator: Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw pairs of different rows in random order, half of one class (0.0), half of two (1.0).

    The second is uniform among the rows that fit the first. Shapes: (N, …), (N,) to two (num_pairs,
    …) and (num_pairs,). Raises ValueError: odd number, fewer than 2 classes or 2 rows in a class.

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
    """Two networks side by side, and on their outputs together an mlp with one logit, (batch,).

    Without ``second`` both images go through ``first``: shared weights. The mlp needs its hidden
    layer. A logit f(a) + g(b) cannot tell pairs: f(0) + g(0) and f(1) + g(1) below 0 contradict
    f(0) + g(1) and f(1) + g(0) above it. Each network gives (batch, num_features).

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
