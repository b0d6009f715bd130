r"""Initialization: how large the first weights are, so that signals survive depth.

A linear layer sums ``fan_in`` products. If the inputs have mean square :math:`q`, and the weights
are independent with mean 0 and variance :math:`\sigma^2`, then its outputs have variance
:math:`n_\text{in}\,\sigma^2 q`. Each function here picks :math:`\sigma` to keep that product steady
from layer to layer. They are drop-in replacements for those of ``torch.nn.init``: from the same
state of the generator, they draw the same bits. The last functions choose no scale, and are here so
that ``from deeplearn import init`` can stand for ``from torch.nn import init``.
"""

import math
from copy import deepcopy
from functools import partial

import torch
from torch import Generator, Tensor, nn

from deeplearn._check import (
    check_choice,
    check_count,
    check_data,
    check_floating,
    check_generator,
    check_not_empty,
    check_range,
    check_tensor,
    check_type,
)

__all__ = [
    "calculate_gain", "constant_", "kaiming_normal_", "kaiming_uniform_", "lecun_normal_",
    "lecun_uniform_", "lsuv_", "normal_", "ones_", "orthogonal_", "trunc_normal_", "uniform_",
    "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

_GAINS = dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0)
_GAINS |= dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0)
_GAINS |= {"tanh": 5 / 3, "relu": math.sqrt(2.0), "selu": 3 / 4}


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight (fan_out, fan_in, *kernel)."""
    check_floating("tensor", tensor)
    if tensor.dim() < 2:
        found = f"got shape {tuple(tensor.shape)}; a bias has no fan_in: set it to 0 instead"
        raise ValueError(f"tensor must have at least 2 dimensions, {found}")
    check_not_empty("tensor", tensor)
    kernel = tensor[0, 0].numel()
    return tensor.size(1) * kernel, tensor.size(0) * kernel


@torch.no_grad()
def _fill_(tensor: Tensor, law: str, std: float, generator: Generator | None) -> Tensor:
    check_generator(generator)
    bound = math.sqrt(3.0) * std  # a uniform distribution on [-r, r] has variance r² / 3
    if law == "uniform":
        return tensor.uniform_(-bound, bound, generator=generator)
    return tensor.normal_(0.0, std, generator=generator)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    r"""Return the factor on the standard deviation that makes up for an activation function.

    .. math::
        g = \begin{cases}
            1 & \text{linear} \\
            1 & \text{sigmoid} \\
            5/3 & \text{tanh} \\
            \sqrt{2} & \text{ReLU} \\
            \sqrt{2 / (1 + a^2)} & \text{leaky ReLU} \\
            3/4 & \text{SELU}
        \end{cases}

    Shapes: ``nonlinearity`` is a name in lower case, as torch has them. ``param`` is :math:`a`, the
    negative slope of ``"leaky_relu"``, 0.01 when ``None``; other names leave it unused.
    Convolutions count as linear. The result is a number.

    Raises:
        TypeError: if the slope ``param`` is not a number.
        ValueError: if ``nonlinearity`` is not a known name.

    Source: He et al. (2015), section 2.2, for ReLU and leaky ReLU; the values 5/3 and 3/4 are
    torch's own.

    >>> calculate_gain("relu") ** 2
    2.0000000000000004
    """
    check_choice("nonlinearity", nonlinearity, (*_GAINS, "leaky_relu"))
    if nonlinearity != "leaky_relu":
        return _GAINS[nonlinearity]
    slope = 0.01 if param is None else param
    check_range("param", slope, cure="it is the negative slope of the leaky ReLU")
    return math.sqrt(2.0 / (1 + slope**2))


def _xavier_std(tensor: Tensor, gain: float) -> float:
    check_range("gain", gain, 0, closed="[)", cure="1 suits tanh, 4 the logistic function")
    fan_in, fan_out = _fans(tensor)
    return gain * math.sqrt(2.0 / (fan_in + fan_out))


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    r"""Fill a weight in place from a uniform distribution that suits both directions of the signal.

    .. math::
        W &\sim U(-r, r) \\
        r &= g\,\sqrt{\frac{6}{n_\text{in} + n_\text{out}}}

    The variance, :math:`2 g^2 / (n_\text{in} + n_\text{out})`, is a compromise: :math:`1 /
    n_\text{in}` would keep the forward signal steady, :math:`1 / n_\text{out}` the gradient.
    ``gain`` is :math:`g`.

    Shapes: ``tensor`` is (fan_out, fan_in), or (fan_out, fan_in, \*kernel) for a convolution; it is
    returned.

    Raises:
        TypeError: if ``tensor`` is not a floating-point tensor, ``gain`` not a number, or
            ``generator`` not a ``torch.Generator``.
        ValueError: if ``tensor`` has fewer than 2 dimensions or no element, or if ``gain`` is
            negative.

    Source: Glorot & Bengio (2010), equation 16.

    >>> w = xavier_uniform_(torch.empty(100, 200), generator=torch.Generator().manual_seed(0))
    >>> bool(w.abs().max() <= math.sqrt(6 / 300))
    True
    """
    return _fill_(tensor, "uniform", _xavier_std(tensor, gain), generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Fill a weight in place from a normal distribution that suits both directions of the signal.

    .. math::
        W &\sim N(0, \sigma^2) \\
        \sigma^2 &= \frac{2\,g^2}{n_\text{in} + n_\text{out}}

    Shapes and errors: as for :func:`xavier_uniform_`.

    Source: Glorot & Bengio (2010), section 4.2.1.

    >>> w = xavier_normal_(torch.empty(300, 500), generator=torch.Generator().manual_seed(0))
    >>> print(f"{w.std():.3f}, expected {math.sqrt(2 / 800):.3f}")
    0.050, expected 0.050
    """
    return _fill_(tensor, "normal", _xavier_std(tensor, gain), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    check_choice("mode", mode, ("fan_in", "fan_out", "fan_avg"))
    fan_in, fan_out = _fans(tensor)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None
) -> Tensor:  # fmt: skip
    r"""Fill a weight in place from a uniform distribution that makes up for a ReLU.

    .. math::
        W &\sim U(-r, r) \\
        r &= \sqrt{\frac{6}{(1 + a^2)\,n_\text{in}}}

    ``a`` is the negative slope of the activation after this layer, 0 for ReLU. ``mode`` chooses
    what stands for :math:`n_\text{in}`. ``"fan_in"`` keeps the forward signal steady, and
    ``"fan_out"`` the gradient. ``"fan_avg"``, which torch does not have, takes their mean. Another
    ``nonlinearity`` puts its own :func:`calculate_gain`, squared, in place of :math:`2 / (1 +
    a^2)`.

    Shapes: ``tensor`` is (fan_out, fan_in), or (fan_out, fan_in, \*kernel) for a convolution; it is
    returned.

    Raises:
        TypeError: if ``tensor`` is not a floating-point tensor, ``a`` not a number, or
            ``generator`` not a ``torch.Generator``.
        ValueError: if ``tensor`` has fewer than 2 dimensions or no element, or if ``mode`` or
            ``nonlinearity`` is unknown.

    Source: He et al. (2015), section 2.2.

    >>> w = kaiming_uniform_(torch.empty(100, 200), generator=torch.Generator().manual_seed(0))
    >>> bool(w.abs().max() <= math.sqrt(6 / 200))
    True
    """
    return _fill_(tensor, "uniform", _kaiming_std(tensor, a, mode, nonlinearity), generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None
) -> Tensor:  # fmt: skip
    r"""Fill a weight in place from a normal distribution that makes up for a ReLU.

    .. math::
        W &\sim N(0, \sigma^2) \\
        \sigma^2 &= \frac{2}{(1 + a^2)\,n_\text{in}}

    A ReLU sets half of a symmetric signal to 0; the 2 makes up for that.

    Shapes, arguments and errors: as for :func:`kaiming_uniform_`.

    Source: He et al. (2015), equation 10.

    >>> w = kaiming_normal_(torch.empty(300, 500), generator=torch.Generator().manual_seed(0))
    >>> print(f"{w.std():.3f}, expected {math.sqrt(2 / 500):.3f}")
    0.063, expected 0.063
    """
    return _fill_(tensor, "normal", _kaiming_std(tensor, a, mode, nonlinearity), generator)


def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    r"""Fill a weight in place from a uniform distribution that keeps the forward signal steady.

    .. math::
        W \sim U(-r, r), \qquad r = \sqrt{\frac{3}{n_\text{in}}}

    Many libraries call this a variance scaling of scale 1. It is not He initialization, which needs
    scale 2.

    Shapes: ``tensor`` is (fan_out, fan_in), or (fan_out, fan_in, \*kernel) for a convolution; it is
    returned.

    Raises:
        TypeError: if ``tensor`` is not a floating-point tensor, or ``generator`` not a
            ``torch.Generator``.
        ValueError: if ``tensor`` has fewer than 2 dimensions or no element.

    Source: LeCun et al. (1998), Efficient BackProp.

    >>> w = lecun_uniform_(torch.empty(100, 200), generator=torch.Generator().manual_seed(0))
    >>> bool(w.abs().max() <= math.sqrt(3 / 200))
    True
    """
    return _fill_(tensor, "uniform", 1.0 / math.sqrt(_fans(tensor)[0]), generator)


def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    r"""Fill a weight in place from a normal distribution that keeps the forward signal steady.

    .. math::
        W \sim N(0, \sigma^2), \qquad \sigma^2 = \frac{1}{n_\text{in}}

    It is the start that SELU needs.

    Shapes and errors: as for :func:`lecun_uniform_`.

    Source: LeCun et al. (1998), Efficient BackProp; Klambauer et al. (2017) for SELU.

    >>> w = lecun_normal_(torch.empty(300, 400), generator=torch.Generator().manual_seed(0))
    >>> print(f"{w.std():.3f}, expected {math.sqrt(1 / 400):.3f}")
    0.050, expected 0.050
    """
    return _fill_(tensor, "normal", 1.0 / math.sqrt(_fans(tensor)[0]), generator)


@torch.no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    r"""Fill a weight in place with a random (semi-)orthogonal matrix times ``gain``.

    .. math::
        W W^\top &= g^2 I && \text{if rows} \le \text{columns} \\
        W^\top W &= g^2 I && \text{otherwise}

    A square matrix of this kind changes the length of a vector by the factor :math:`g`, and so does
    a product of many.

    Shapes: ``tensor`` is (fan_out, fan_in). One of more dimensions is treated as (fan_out, all
    others). It is returned.

    Raises:
        TypeError: if ``tensor`` is not float32 or float64, ``gain`` not a number, or ``generator``
            not a ``torch.Generator``.
        ValueError: if ``tensor`` has fewer than 2 dimensions or no element.

    Source: Saxe et al. (2014).

    >>> w = orthogonal_(torch.empty(3, 5), generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(w @ w.T, torch.eye(3), atol=1e-6)
    True
    """
    _fans(tensor)
    if tensor.dtype not in (torch.float32, torch.float64):
        cure = "QR needs more digits: fill a float32 tensor, then call .to"
        raise TypeError(f"tensor must be float32 or float64, got {tensor.dtype}; {cure}")
    check_range("gain", gain, cure="it scales the orthogonal matrix")
    check_generator(generator)
    rows, columns = tensor.size(0), tensor.numel() // tensor.size(0)
    normal = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
    q, r = torch.linalg.qr(normal.T if rows < columns else normal)
    # QR leaves the signs open; fixing them by R's diagonal makes Q uniform over all rotations.
    q = q * r.diagonal().sign()
    tensor.copy_((q.T if rows < columns else q).reshape(tensor.shape))
    return tensor.mul_(gain)


@torch.no_grad()
def lsuv_(
    model: nn.Module, X: Tensor, *, tolerance: float = 0.1, max_iterations: int = 10,
    generator: Generator | None = None
) -> nn.Module:  # fmt: skip
    r"""Start each linear layer with an orthonormal weight, scaled to unit output variance on ``X``.

    LSUV is short for layer-sequential unit variance. Every ``nn.Linear`` of ``model`` gets an
    orthonormal weight and a bias of 0. Then, layer by layer in the order of the forward pass, the
    weight is divided by the standard deviation of the layer's output :math:`B`,

    .. math::
        W \leftarrow W / \sqrt{\operatorname{Var}(B)},

    until that variance is within ``tolerance`` of 1. The pass is in evaluation mode. Of a layer
    that is used twice, the first use counts. If the function raises an error, ``model`` is as it
    was before.

    Shapes: ``X`` is one batch as ``model`` takes it, such as (batch, features); ``model`` is
    returned.

    Raises:
        TypeError: if ``model`` is not a module, or ``X`` not a floating-point tensor.
        ValueError: if ``X`` is empty or not finite; if ``model`` has no linear layer, two that
            share one weight, or one that it never calls; or if an output is constant, or not within
            ``tolerance`` after ``max_iterations`` divisions.

    Source: Mishkin & Matas (2016), algorithm 1.

    >>> generator = torch.Generator().manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(20, 50), nn.Tanh(), nn.Linear(50, 50))
    >>> X = torch.randn(200, 20, generator=generator)
    >>> abs(float(lsuv_(model, X, generator=generator)(X).detach().var()) - 1) < 0.1
    True
    """
    check_type("model", model, nn.Module)
    check_data("X", X)
    check_range("tolerance", tolerance, 0, closed="()", cure="0.1 is the paper's")
    check_count("max_iterations", max_iterations)
    twin = deepcopy(model).eval()  # the model itself changes only when all went well
    waiting = {name: m for name, m in twin.named_modules() if isinstance(m, nn.Linear)}
    if not waiting:
        raise ValueError(f"model has no nn.Linear, got {type(model).__name__}; LSUV scales those")
    owned = [id(p) for module in twin.modules() for p in module.parameters(recurse=False)]
    if tied := [name for name, layer in waiting.items() if owned.count(id(layer.weight)) > 1]:
        raise ValueError(f"model uses the weight of {tied} in two layers of two scales; untie them")

    def rescale(name: str, layer: nn.Linear, args: tuple, kwargs: dict, output: Tensor) -> Tensor:
        if waiting.pop(name, None) is None:
            return output
        for _ in range(max_iterations + 1):
            variance = float(output.var(correction=0))
            if abs(variance - 1) < tolerance:
                break
            if not 0 < variance < math.inf:
                found = f"X gives {name!r} an output of variance {variance}"
                raise ValueError(f"{found}; use several different, standardized rows")
            layer.weight.div_(math.sqrt(variance))
            output = layer.forward(*args, **kwargs)
        else:
            found = f"{name!r} with an output of variance {float(output.var(correction=0)):.3g}"
            cure = "allow more, or a larger tolerance"
            raise ValueError(f"max_iterations={max_iterations} leaves {found}; {cure}")
        return output

    # A hook may replace the output, so one forward pass meets every layer after its inputs are set.
    for name, layer in waiting.items():
        orthogonal_(layer.weight, generator=generator)
        if layer.bias is not None:
            layer.bias.zero_()
        layer.register_forward_hook(partial(rescale, name), with_kwargs=True)
    twin(X)
    if waiting:
        raise ValueError(f"model never calls {list(waiting)}; remove or call them in forward")
    model.load_state_dict(twin.state_dict())
    return model


@torch.no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    r"""Fill a tensor in place with one value.

    .. math::
        w = \text{val}

    Shapes: ``tensor`` has any shape; it is returned.

    Raises:
        TypeError: if ``tensor`` is not a tensor, or ``val`` not a number.
        ValueError: if ``val`` is NaN.

    Source: torch's own function of that name.

    >>> constant_(torch.empty(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    check_tensor("tensor", tensor)
    check_range("val", val, closed="[]", cure="each element takes it")
    return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    r"""Fill a tensor in place with zeros, as suits a bias.

    .. math::
        w = 0

    Shapes and errors: as for :func:`constant_`.

    Source: torch's own function of that name.

    >>> zeros_(torch.empty(2))
    tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    r"""Fill a tensor in place with ones, as suits the scale of a normalization.

    .. math::
        w = 1

    Shapes and errors: as for :func:`constant_`.

    Source: torch's own function of that name.

    >>> ones_(torch.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


@torch.no_grad()
def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    r"""Fill a tensor in place from a uniform distribution.

    .. math::
        w \sim U(a, b)

    Shapes: ``tensor`` has any shape; it is returned.

    Raises:
        TypeError: if ``tensor`` is not a floating-point tensor, ``a`` or ``b`` not a number, or
            ``generator`` not a ``torch.Generator``.
        ValueError: if ``a`` or ``b`` is not finite, or if ``b`` is below ``a``.

    Source: torch's own function of that name.

    >>> w = uniform_(torch.empty(100), -1.0, 1.0)
    >>> bool(w.abs().max() <= 1)
    True
    """
    check_floating("tensor", tensor)
    check_range("a", a, closed="()", cure="it is the lowest value")
    check_range("b", b, a, cure="it is the highest value, a the lowest")
    check_generator(generator)
    return tensor.uniform_(a, b, generator=generator)


@torch.no_grad()
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    r"""Fill a tensor in place from a normal distribution.

    .. math::
        w \sim N(\text{mean}, \text{std}^2)

    Shapes: ``tensor`` has any shape; it is returned.

    Raises:
        TypeError: if ``tensor`` is not a floating-point tensor, ``mean`` or ``std`` not a number,
            or ``generator`` not a ``torch.Generator``.
        ValueError: if ``mean`` or ``std`` is not finite, or if ``std`` is negative.

    Source: torch's own function of that name.

    >>> w = normal_(torch.empty(9999), std=0.05, generator=torch.Generator().manual_seed(0))
    >>> print(f"{w.std():.3f}, expected 0.050")
    0.050, expected 0.050
    """
    check_floating("tensor", tensor)
    check_range("mean", mean, closed="()", cure="0 is usual")
    check_range("std", std, 0, cure="it is a standard deviation")
    check_generator(generator)
    return tensor.normal_(mean, std, generator=generator)


@torch.no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    r"""Fill a tensor in place from a normal distribution, of which only an interval is kept.

    .. math::
        w \sim N(\text{mean}, \text{std}^2) \text{ given } a \le w \le b

    What falls outside is drawn anew. If the interval holds less than 30 % of the distribution, the
    draws are uniform in it instead, and each is kept with a probability as its density. The bits
    are those of torch 2.13; earlier versions used another method.

    Shapes: ``tensor`` has any shape; it is returned.

    Raises:
        TypeError: if ``tensor`` is not a floating-point tensor, ``generator`` not a
            ``torch.Generator``, or another argument not a number.
        ValueError: if a number is not finite, if ``std`` is not above 0, or if ``b`` is not above
            ``a``.

    Source: torch's own function of that name.

    >>> w = trunc_normal_(torch.empty(100), std=0.02, a=-0.04, b=0.04)
    >>> bool(w.abs().max() <= 0.04)
    True
    """
    check_floating("tensor", tensor)
    check_range("mean", mean, closed="()", cure="0 is usual")
    check_range("std", std, 0, closed="()", cure="it is a standard deviation")
    check_range("a", a, closed="()", cure="it is the lowest value")
    check_range("b", b, a, closed="()", cure="it is the highest value, a the lowest")
    check_generator(generator)
    if tensor.is_meta:  # it has no values to compare
        return tensor
    new = partial(torch.empty_like, tensor)
    below = [(1 + math.erf((edge - mean) / std / math.sqrt(2))) / 2 for edge in (a, b)]
    if below[1] - below[0] > 0.3:
        low, high = (tensor.new_tensor(edge, device="cpu").item() for edge in (a, b))
        tensor.normal_(mean, std, generator=generator)
        while (outside := (tensor < low) | (tensor > high)).any():
            tensor.copy_(new().normal_(mean, std, generator=generator).where(outside, tensor))
        return tensor
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    refused = torch.ones_like(tensor, dtype=torch.bool)
    while refused.any():
        drawn = new().uniform_(a, b, generator=generator)
        tensor.copy_(drawn.where(refused, tensor))
        log_density = drawn.sub_(mean).div_(std).pow_(2).mul_(-0.5).sub_(peak)
        refused &= new().uniform_(generator=generator).log_().gt(log_density)
    return tensor
