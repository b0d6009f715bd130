r"""Activation functions: what stands between two affine maps, and the slope that it passes on.

Each is written as its equation; the module of the same name calls the function.
"""

import torch
from torch import Tensor, nn

from deeplearn._check import check_floating, check_range

__all__ = ["ELU", "SELU", "LeakyReLU", "ReLU", "elu", "leaky_relu", "relu", "selu"]

# Fixed point of mean 0 and variance 1: Klambauer et al. (2017), equation 14.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def relu(input: Tensor) -> Tensor:
    r"""Return :math:`\max(0, z)`, elementwise; the slope at 0 is taken as 0.

    Shapes: any; the output has the input's. Raises a ``TypeError`` for a tensor of integers.

    Source: Nair & Hinton (2010), section 2.

    >>> relu(torch.tensor([-2.0, 0.0, 3.0]))
    tensor([0., 0., 3.])
    """
    check_floating("input", input)
    # Not clamp: its slope at 0 would be 1. The comparison is this way round so that NaN stays NaN.
    return torch.where(input <= 0, 0.0, input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    r"""Return :math:`z` for :math:`z > 0` and :math:`\alpha z` otherwise, elementwise.

    ``negative_slope`` is :math:`\alpha`; 0.2 is called a huge leak.
    Shapes: any; the output has the input's.

    Raises:
        TypeError: for a tensor of integers.

    Source: Maas et al. (2013), section 2.

    >>> leaky_relu(torch.tensor([-2.0, 0.0, 3.0]), 0.5)
    tensor([-1.,  0.,  3.])
    """
    check_floating("input", input)
    check_range("negative_slope", negative_slope, cure="0.01 is usual, 0.2 a huge leak")
    return torch.where(input > 0, input, negative_slope * input)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    r"""Return :math:`z` for :math:`z > 0` and :math:`\alpha(e^z - 1)` otherwise, elementwise.

    Shapes: any; the output has the input's.

    Raises:
        TypeError: for a tensor of integers.

    Source: Clevert et al. (2016), equation 15.

    >>> elu(torch.tensor([-1.0, 0.0, 3.0]))
    tensor([-0.6321,  0.0000,  3.0000])
    """
    check_floating("input", input)
    check_range("alpha", alpha, cure="1 makes the function smooth at 0")
    # Without the clamp a large input overflows the branch that is not taken: 0 · inf is NaN there.
    return torch.where(input > 0, input, alpha * torch.expm1(input.clamp(max=0)))


def selu(input: Tensor) -> Tensor:
    r"""Return :math:`\lambda\,\text{elu}(z, \alpha)`, :math:`\lambda = 1.0507, \alpha = 1.6733`.

    With LeCun normal weights and standardized inputs, mean 0 and variance 1 are a stable fixed
    point. Shapes: any; the output has the input's. Raises a ``TypeError`` for integers.

    Source: Klambauer et al. (2017), equation 2.

    >>> selu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-1.1113,  0.0000,  1.0507])
    """
    return SELU_SCALE * elu(input, SELU_ALPHA)


class ReLU(nn.Module):
    """:func:`relu` as a layer.

    >>> ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return relu(input)


class LeakyReLU(nn.Module):
    """:func:`leaky_relu` as a layer.

    >>> LeakyReLU(0.5)(torch.tensor([-1.0, 2.0]))
    tensor([-0.5000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        check_range("negative_slope", negative_slope, cure="0.01 is usual, 0.2 a huge leak")
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(nn.Module):
    """:func:`elu` as a layer.

    >>> ELU()(torch.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        check_range("alpha", alpha, cure="1 makes the function smooth at 0")
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return elu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class SELU(nn.Module):
    """:func:`selu` as a layer.

    >>> SELU()(torch.tensor([-1.0, 1.0]))
    tensor([-1.1113,  1.0507])
    """

    def forward(self, input: Tensor) -> Tensor:
        return selu(input)
