"""Regularization: what keeps a network from learning its training set by heart."""

import torch
from torch import Generator, Tensor, nn

from deeplearn._check import check_floating, check_range

__all__ = ["Dropout", "dropout"]

_DROPPED = "p is the fraction dropped, not kept"


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    r"""Set each element to 0 with probability ``p`` and divide the others by :math:`1 - p`.

    The division keeps the expectation, so nothing is left to do at test time: with
    ``training=False`` the input comes back as it is. Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor.
        ValueError: if ``p`` is outside [0, 1).

    Source: Srivastava et al. (2014), sections 4 and 10.

    >>> generator = torch.Generator().manual_seed(0)
    >>> dropout(torch.ones(6), p=0.5, generator=generator).unique()
    tensor([0., 2.])
    """
    check_floating("input", input)
    check_range("p", p, 0, 1, cure=_DROPPED)
    if not training or p == 0:
        return input
    keep = torch.empty_like(input).bernoulli_(1 - p, generator=generator)
    return input * keep.div_(1 - p)


class Dropout(nn.Module):
    """:func:`dropout` as a layer: at work after ``model.train()``, not after ``model.eval()``.

    As in torch, the masks come from the global generator: ``torch.manual_seed`` fixes them, and a
    checkpoint holds its state.

    >>> Dropout(0.9).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        check_range("p", p, 0, 1, cure=_DROPPED)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
