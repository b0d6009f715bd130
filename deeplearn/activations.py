"""Activation functions: what stands between two affine maps, and the slope that it passes on.

Each is written as its equation, elementwise in the input :math:`z`. The module of the same name is
a layer that calls the function.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from deeplearn._check import check_choice, check_count, check_floating, check_generator, check_range

__all__ = [
    "ELU", "SELU", "LeakyReLU", "Maxout", "PReLU", "RReLU", "ReLU", "elu", "gelu", "leaky_relu",
    "maxout", "prelu", "relu", "rrelu", "selu", "silu",
]  # fmt: skip

# Fixed point of mean 0 and variance 1: Klambauer et al. (2017), equation 14.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def relu(input: Tensor) -> Tensor:
    r"""Return the input where it is positive, and 0 elsewhere.

    .. math::
        f(z) = \max(0, z)

    The slope at 0 is taken as 0.

    Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor.

    Source: Nair & Hinton (2010).

    >>> relu(torch.tensor([-2.0, 0.0, 3.0]))
    tensor([0., 0., 3.])
    """
    check_floating("input", input)
    # Not clamp: its slope at 0 would be 1. The comparison is this way round so that NaN stays NaN.
    return torch.where(input <= 0, 0.0, input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    r"""Return the input where it is positive, and a small part of it elsewhere.

    .. math::
        f(z) = \begin{cases} z & z > 0 \\ \alpha\,z & z \le 0 \end{cases}

    ``negative_slope`` is :math:`\alpha`: 0.01 is usual, and 0.2 is called a huge leak.

    Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor, or ``negative_slope`` not a number.
        ValueError: if ``negative_slope`` is not finite.

    Source: Maas et al. (2013), section 2.

    >>> leaky_relu(torch.tensor([-2.0, 0.0, 3.0]), 0.5)
    tensor([-1.,  0.,  3.])
    """
    check_floating("input", input)
    check_range("negative_slope", negative_slope, cure="0.01 is usual, 0.2 a huge leak")
    return torch.where(input > 0, input, negative_slope * input)


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    *, generator: Generator | None = None
) -> Tensor:  # fmt: skip
    r"""Return a leaky ReLU of the input, with a random slope for each negative element.

    .. math::
        f(z) &= \begin{cases} z & z > 0 \\ a\,z & z \le 0 \end{cases} \\
        a &\sim U(\text{lower}, \text{upper})

    With ``training=True`` each element draws its own :math:`a`. Otherwise :math:`a` is the mean of
    both bounds, and nothing is drawn.

    Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor, a bound not a number, or
            ``generator`` not a ``torch.Generator``.
        ValueError: if a bound is not finite, or if ``upper`` is below ``lower``.

    Source: Xu et al. (2015), section 2.4.

    >>> rrelu(torch.tensor([-2.0, 3.0]), lower=0.2, upper=0.3)
    tensor([-0.5000,  3.0000])
    """
    check_floating("input", input)
    check_range("lower", lower, closed="()", cure="1/8 is usual")
    check_range("upper", upper, lower, cure="it is at least lower, 1/3 is usual")
    check_generator(generator)
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    negative, slope = input <= 0, torch.ones_like(input)
    drawn = torch.empty(int(negative.sum()), dtype=torch.float64, device=input.device)
    slope[negative] = drawn.uniform_(lower, upper, generator=generator).to(input)  # as torch draws
    return input * slope


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    r"""Return a leaky ReLU of the input whose slope is learned.

    .. math::
        f(z) = \begin{cases} z & z > 0 \\ w\,z & z \le 0 \end{cases}

    Shapes: ``input`` is any, and the output has the same. ``weight`` is (1,), or one slope for each
    unit, (input.size(1),).

    Raises:
        TypeError: if ``input`` or ``weight`` is not a floating-point tensor.
        ValueError: if ``weight`` has neither of these shapes.

    Source: He et al. (2015), section 2.1.

    >>> prelu(torch.tensor([[-2.0, -2.0]]), torch.tensor([0.5, 0.25]))
    tensor([[-1.0000, -0.5000]])
    """
    check_floating("input", input)
    check_floating("weight", weight)
    units = input.size(1) if input.dim() > 1 else 1
    if weight.dim() > 1 or weight.numel() not in (1, units):
        found = f"got {tuple(weight.shape)} for input {tuple(input.shape)}"
        raise ValueError(f"weight must have shape (1,) or ({units},), {found}")
    view = (1, -1) + (1,) * (input.dim() - 2) if input.dim() > 1 else (-1,) * input.dim()
    return torch.where(input > 0, input, weight.view(view) * input)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    r"""Return the input where it is positive, and an exponential that levels off elsewhere.

    .. math::
        f(z) = \begin{cases} z & z > 0 \\ \alpha\,(e^z - 1) & z \le 0 \end{cases}

    With ``alpha=1`` the slope has no jump at 0. For large negative inputs the output tends to
    :math:`-\alpha`.

    Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor, or ``alpha`` not a number.
        ValueError: if ``alpha`` is not finite.

    Source: Clevert et al. (2016).

    >>> elu(torch.tensor([-1.0, 0.0, 3.0]))
    tensor([-0.6321,  0.0000,  3.0000])
    """
    check_floating("input", input)
    check_range("alpha", alpha, cure="1 makes the function smooth at 0")
    # Without the clamp a large input overflows the branch that is not taken: 0 · inf is NaN there.
    return torch.where(input > 0, input, alpha * torch.expm1(input.clamp(max=0)))


def selu(input: Tensor) -> Tensor:
    r"""Return an ELU, scaled so that signals keep mean 0 and variance 1 through many layers.

    .. math::
        f(z) &= \lambda \begin{cases} z & z > 0 \\ \alpha\,(e^z - 1) & z \le 0 \end{cases} \\
        \lambda &\approx 1.0507, \quad \alpha \approx 1.6733

    With the weights of :func:`deeplearn.init.lecun_normal_` and standardized inputs, mean 0 and
    variance 1 are a stable fixed point.

    Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor.

    Source: Klambauer et al. (2017), equation 2.

    >>> selu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-1.1113,  0.0000,  1.0507])
    """
    return SELU_SCALE * elu(input, SELU_ALPHA)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    r"""Return the input times the share of a normal distribution that lies below it.

    .. math::
        f(z) &= z\,\Phi(z) \\
        \Phi(z) &= \tfrac12 \bigl(1 + \operatorname{erf}(z / \sqrt{2})\bigr)

    ``approximate="tanh"`` puts another function in place of :math:`\Phi`:

    .. math::
        \Phi(z) &\approx \tfrac12\,(1 + \tanh u) \\
        u &= \sqrt{2/\pi}\,(z + 0.044715\,z^3)

    Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor.
        ValueError: if ``approximate`` is neither ``"none"`` nor ``"tanh"``.

    Source: Hendrycks & Gimpel (2016), section 2.

    >>> gelu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    check_floating("input", input)
    check_choice("approximate", approximate, ("none", "tanh"))
    if approximate == "tanh":
        return input * (1 + torch.tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * input**3))) / 2
    return input * (1 + torch.erf(input / math.sqrt(2))) / 2


def silu(input: Tensor) -> Tensor:
    r"""Return the input times its logistic function; this is also called swish.

    .. math::
        f(z) = z\,\sigma(z) = \frac{z}{1 + e^{-z}}

    Shapes: any; the output has the input's.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor.

    Source: Elfwing et al. (2018).

    >>> silu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.2689,  0.0000,  0.7311])
    """
    check_floating("input", input)
    return input * torch.sigmoid(input)


def maxout(input: Tensor, num_pieces: int) -> Tensor:
    r"""Return the largest of each ``num_pieces`` neighboring inputs.

    .. math::
        f(z)_i = \max_{1 \le j \le k} z_{i,j}

    After a linear layer each unit :math:`i` is the maximum of :math:`k` affine maps,
    ``num_pieces``, so the network learns the shape of its activation. The first :math:`k` columns
    belong to the first unit, the next :math:`k` to the second, and so on.

    Shapes: (batch, units × pieces) to (batch, units).

    Raises:
        TypeError: if ``input`` is not a floating-point tensor, or ``num_pieces`` not an int.
        ValueError: if ``num_pieces`` is below 1, or does not divide the number of columns.

    Source: Goodfellow et al. (2013).

    >>> maxout(torch.tensor([[1.0, 5.0, -3.0, -4.0]]), num_pieces=2)
    tensor([[ 5., -3.]])
    """
    check_floating("input", input)
    check_count("num_pieces", num_pieces)
    if input.dim() == 0 or input.size(-1) % num_pieces:
        found = f"a multiple of num_pieces, {num_pieces}, got shape {tuple(input.shape)}"
        raise ValueError(f"input must have units × pieces columns, {found}")
    return input.unflatten(-1, (-1, num_pieces)).max(dim=-1).values


class _Activation(nn.Module):
    """A layer that calls a function with its settings, which are kept as attributes."""

    def __init__(self, function: Callable[..., Tensor], **settings: Any) -> None:
        super().__init__()
        self.function, self.names = function, tuple(settings)
        self.__dict__.update(settings)

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, **{name: getattr(self, name) for name in self.names})

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.names)


class ReLU(nn.Module):
    """:func:`relu` as a layer.

    Shapes, errors and source: as for the function.

    >>> ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return relu(input)


class LeakyReLU(_Activation):
    """:func:`leaky_relu` as a layer, with a slope that is set once.

    Shapes, errors and source: as for the function. A bad slope is refused when the layer is made.

    >>> LeakyReLU(0.5)(torch.tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        leaky_relu(torch.zeros(0), negative_slope)  # refuses a bad slope now
        super().__init__(leaky_relu, negative_slope=negative_slope)


class RReLU(_Activation):
    """:func:`rrelu` as a layer: slopes are random while it trains, and the mean in evaluation mode.

    As in torch, the slopes come from the global generator: ``torch.manual_seed`` fixes them.

    Shapes, errors and source: as for the function. Bad bounds are refused when the layer is made.

    >>> RReLU(0.2, 0.3).eval()(torch.tensor([-1.0, 2.0]))
    tensor([-0.2500,  2.0000])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        rrelu(torch.zeros(0), lower, upper)
        super().__init__(rrelu, lower=lower, upper=upper)

    def forward(self, input: Tensor) -> Tensor:
        return rrelu(input, self.lower, self.upper, self.training)


class PReLU(_Activation):
    """:func:`prelu` as a layer that learns its slopes.

    The parameter ``weight`` holds ``num_parameters`` slopes, one for all units or one for each; all
    start at ``init``.

    Shapes and source: as for the function.

    Raises:
        TypeError: if ``num_parameters`` is not an int, or ``init`` not a number.
        ValueError: if ``num_parameters`` is below 1, or ``init`` is not finite; when the layer is
            called, if the input has another number of units.

    >>> PReLU(init=0.5)(torch.tensor([-1.0, 2.0])).detach()
    tensor([-0.5000,  2.0000])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__(prelu, num_parameters=num_parameters)
        check_count("num_parameters", num_parameters)
        check_range("init", init, cure="0.25 is usual")
        self.weight = nn.Parameter(torch.full((num_parameters,), float(init)))

    def forward(self, input: Tensor) -> Tensor:
        return prelu(input, self.weight)


class ELU(_Activation):
    """:func:`elu` as a layer.

    Shapes, errors and source: as for the function. A bad ``alpha`` is refused when the layer is
    made.

    >>> ELU()(torch.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        elu(torch.zeros(0), alpha)
        super().__init__(elu, alpha=alpha)


class SELU(nn.Module):
    """:func:`selu` as a layer.

    Shapes, errors and source: as for the function.

    >>> SELU()(torch.tensor([-1.0, 1.0]))
    tensor([-1.1113,  1.0507])
    """

    def forward(self, input: Tensor) -> Tensor:
        return selu(input)


class Maxout(_Activation):
    """:func:`maxout` as a layer. It has no weights: put a linear layer with units × pieces outputs
    before it.

    Shapes, errors and source: as for the function. A bad ``num_pieces`` is refused when the layer
    is made.

    >>> Maxout(2)(torch.tensor([[1.0, 5.0]]))
    tensor([[5.]])
    """

    def __init__(self, num_pieces: int) -> None:
        check_count("num_pieces", num_pieces)
        super().__init__(maxout, num_pieces=num_pieces)
