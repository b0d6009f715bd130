"""Regularization: what keeps a network from learning its training set by heart."""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from deeplearn._check import check_floating, check_generator, check_range

__all__ = ["DropConnectLinear", "Dropout", "dropout", "l1_penalty", "l2_penalty"]

_DROPPED = "p is the fraction dropped, not kept"


def l1_penalty(parameters: Iterable[Tensor]) -> Tensor:
    r"""Return the sum of all absolute values, to be added to the loss: many weights become 0.

    .. math::
        \|w\|_1 = \sum_i |w_i|

    Pass weights, not biases: ``p for n, p in model.named_parameters() if n.endswith("weight")``.
    Multiply the result by a factor of your choice before you add it.

    Shapes: tensors of any shape; the result is a scalar.

    Raises:
        TypeError: if ``parameters`` is a single tensor or not a collection, or if one of them is
            not a floating-point tensor.
        ValueError: if ``parameters`` is empty.

    Source: Tibshirani (1996).

    >>> l1_penalty([torch.tensor([3.0, -4.0]), torch.tensor([1.0])])
    tensor(8.)
    """
    return torch.stack([weight.abs().sum() for weight in _weights(parameters)]).sum()


def l2_penalty(parameters: Iterable[Tensor]) -> Tensor:
    r"""Return the sum of all squares, to be added to the loss: large weights shrink, few become 0.

    .. math::
        \|w\|_2^2 = \sum_i w_i^2

    There is no factor 1/2: the weight decay :math:`\lambda` of :class:`deeplearn.optim.SGD` is
    :math:`\tfrac{\lambda}{2}` times this penalty.

    Shapes, arguments and errors: as for :func:`l1_penalty`.

    Source: Krogh & Hertz (1992).

    >>> l2_penalty([torch.tensor([3.0, -4.0]), torch.tensor([1.0])])
    tensor(26.)
    """
    return torch.stack([weight.square().sum() for weight in _weights(parameters)]).sum()


def _weights(parameters: Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
        found = type(parameters).__name__
        raise TypeError(f"parameters must be several tensors, got {found}; write [model.weight]")
    weights = list(parameters)
    if not weights:
        raise ValueError("parameters is empty; a generator that was used up has none left")
    for number, weight in enumerate(weights):
        check_floating(f"parameters[{number}]", weight)
    return weights


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    r"""Set each element to 0 with probability ``p``, and divide the others by :math:`1 - p`.

    .. math::
        y_i = \frac{m_i\,x_i}{1 - p}

    The mask :math:`m_i` is 0 with probability :math:`p`, and 1 otherwise. The division keeps the
    expectation, so nothing is left to do at test time: with ``training=False`` the input comes back
    as it is.

    Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor, ``p`` not a number, or ``generator``
            not a ``torch.Generator``.
        ValueError: if ``p`` is outside [0, 1).

    Source: Srivastava et al. (2014), section 4; section 10 for the division.

    >>> generator = torch.Generator().manual_seed(0)
    >>> dropout(torch.ones(6), p=0.5, generator=generator).unique()
    tensor([0., 2.])
    """
    check_floating("input", input)
    check_range("p", p, 0, 1, cure=_DROPPED)
    check_generator(generator)
    if not training or p == 0:
        return input
    keep = torch.empty_like(input).bernoulli_(1 - p, generator=generator)
    return input * keep.div_(1 - p)


class Dropout(nn.Module):
    """:func:`dropout` as a layer: at work after ``model.train()``, not after ``model.eval()``.

    As in torch, the masks come from the global generator: ``torch.manual_seed`` fixes them.

    Shapes, errors and source: as for the function. A bad ``p`` is refused when the layer is made.

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


class DropConnectLinear(nn.Linear):
    r"""Linear layer that drops single weights while it trains.

    .. math::
        y = \frac{M \otimes W}{1 - p}\,x + b

    The mask :math:`M` is 0 with probability :math:`p`, and 1 otherwise. Each call draws one mask
    for all rows of the batch, from the global generator; in the paper each row has a mask of its
    own. In evaluation mode the layer is a plain linear one. The state keys are those of
    ``nn.Linear``.

    Shapes: (…, in_features) to (…, out_features).

    Raises:
        TypeError: if ``p`` is not a number.
        ValueError: if ``p`` is outside [0, 1).

    Source: Wan et al. (2013).

    >>> layer = DropConnectLinear(3, 2, p=0.9).eval()
    >>> torch.equal(layer(torch.ones(5, 3)), linear(torch.ones(5, 3), layer.weight, layer.bias))
    True
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, p: float = 0.5
    ) -> None:
        check_range("p", p, 0, 1, cure=_DROPPED)
        super().__init__(in_features, out_features, bias)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, dropout(self.weight, self.p, self.training), self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p}"
