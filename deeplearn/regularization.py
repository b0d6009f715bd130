"""Regularization: what keeps a network from learning its training set by heart."""

from collections.abc import Iterable

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from deeplearn._check import check_floating, check_generator, check_range

__all__ = ["DropConnectLinear", "Dropout", "dropout", "l1_penalty", "l2_penalty"]

_DROPPED = "p is the fraction dropped, not kept"


def l1_penalty(parameters: Iterable[Tensor]) -> Tensor:
    r"""Return :math:`\sum |w|` over all elements, to be added to the loss: many weights become 0.

    Pass weights, not biases: ``p for n, p in model.named_parameters() if n.endswith("weight")``.
    Shapes: any; the result is a scalar. Raises a ``TypeError`` for what is no floating-point
    tensor, a ``ValueError`` for no tensor at all. Source: Tibshirani (1996), equation 1.

    >>> l1_penalty([torch.tensor([3.0, -4.0]), torch.tensor([1.0])])
    tensor(8.)
    """
    return torch.stack([weight.abs().sum() for weight in _weights(parameters)]).sum()


def l2_penalty(parameters: Iterable[Tensor]) -> Tensor:
    r"""Return :math:`\sum w^2`, to be added to the loss: large weights shrink, few become 0.

    Arguments, shapes and errors as :func:`l1_penalty`. There is no factor 1/2: the weight decay
    :math:`\lambda` of SGD is :math:`\lambda/2` times this. Source: Krogh & Hertz (1992), section 2.

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
    r"""Set each element to 0 with probability ``p`` and divide the others by :math:`1 - p`.

    The division keeps the expectation, so nothing is left to do at test time: with
    ``training=False`` the input comes back as it is. Shapes: any; the output has the input's.
    Raises a ``TypeError`` for integers, a ``ValueError`` if ``p`` is outside [0, 1).
    Source: Srivastava et al. (2014), sections 4 and 10.

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
    r"""Linear layer that drops single weights while training: :math:`y = (M \circ W) x + b`.

    ``M`` is 0 with probability ``p``, else :math:`1/(1 - p)`: one mask a call, for all rows of the
    batch. State keys are ``nn.Linear``'s. Shapes: (…, in_features) to (…, out_features).
    Source: Wan et al. (2013), section 3; there, each row has a mask of its own.

    >>> DropConnectLinear(3, 2, p=0.9).eval()(torch.ones(5, 3)).shape
    torch.Size([5, 2])
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
