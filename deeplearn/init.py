r"""Initialization: how large the first weights are, so that signals survive depth.

A linear layer sums ``fan_in`` products. If the inputs have mean square :math:`q` and the weights
are independent with mean 0 and variance :math:`\sigma^2`, its outputs have variance
:math:`n_\text{in} \sigma^2 q`. Each function here picks :math:`\sigma` to keep that product steady.
Drop-in for ``torch.nn.init``: from the same generator state, the same bits.
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
    check_type,
)

__all__ = [
    "calculate_gain", "kaiming_normal_", "kaiming_uniform_", "lecun_normal_", "lecun_uniform_",
    "lsuv_", "orthogonal_", "xavier_normal_", "xavier_uniform_",
]  # fmt: skip

_GAINS = dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "sigmoid"), 1.0)
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
    """Return the factor on the standard deviation that makes up for an activation function.

    ``param`` is the negative slope of ``"leaky_relu"`` (0.01 when ``None``). An unknown
    ``nonlinearity`` raises a ``ValueError``.
    Source: He et al. (2015), section 2.2; the values 5/3 and 3/4 are torch's own.

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
    r"""Fill a weight in place from :math:`U(-r, r)`, :math:`r = g\sqrt{6/(n_{in}+n_{out})}`.

    Shapes: ``tensor`` is (fan_out, fan_in) or (fan_out, fan_in, \*kernel); it is returned. Raises a
    ``TypeError`` for a tensor of integers or a ``generator`` that is none; a ``ValueError`` for
    fewer than 2 dimensions, no element, or a negative ``gain``.
    Source: Glorot & Bengio (2010), equation 16.

    >>> w = xavier_uniform_(torch.empty(100, 200), generator=torch.Generator().manual_seed(0))
    >>> bool(w.abs().max() <= math.sqrt(6 / 300))
    True
    """
    return _fill_(tensor, "uniform", _xavier_std(tensor, gain), generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Fill a weight in place from :math:`N(0, \sigma^2)`, :math:`\sigma^2=2g^2/(n_{in}+n_{out})`.

    Shapes and errors as :func:`xavier_uniform_`. Source: Glorot & Bengio (2010), section 4.2.1.

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
    r"""Fill a weight in place from :math:`U(-r, r)`, :math:`r = \sqrt{6/((1+a^2) n_{in})}`.

    ``a`` is the negative slope after this layer (0 for ReLU). ``mode`` chooses the fan:
    ``"fan_in"`` keeps the forward signal steady, ``"fan_out"`` the gradient, ``"fan_avg"`` (not in
    torch) takes their mean. Shapes and errors as :func:`xavier_uniform_`; an unknown ``mode`` or
    ``nonlinearity`` raises a ``ValueError``. Source: He et al. (2015), section 2.2.

    >>> w = kaiming_uniform_(torch.empty(100, 200), generator=torch.Generator().manual_seed(0))
    >>> bool(w.abs().max() <= math.sqrt(6 / 200))
    True
    """
    return _fill_(tensor, "uniform", _kaiming_std(tensor, a, mode, nonlinearity), generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None
) -> Tensor:  # fmt: skip
    r"""Fill a weight in place from :math:`N(0, \sigma^2)`, :math:`\sigma^2 = 2/((1+a^2) n_{in})`.

    Shapes, arguments, errors as :func:`kaiming_uniform_`. Source: He et al. (2015), equation 10.

    >>> w = kaiming_normal_(torch.empty(300, 500), generator=torch.Generator().manual_seed(0))
    >>> print(f"{w.std():.3f}, expected {math.sqrt(2 / 500):.3f}")
    0.063, expected 0.063
    """
    return _fill_(tensor, "normal", _kaiming_std(tensor, a, mode, nonlinearity), generator)


def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    r"""Fill a weight in place from :math:`U(-r, r)` with :math:`r = \sqrt{3/n_{in}}`.

    Shapes and errors as :func:`xavier_uniform_`. Many libraries call this a variance scaling of
    scale 1; it is not He initialization, which needs scale 2.
    Source: LeCun et al. (1998), equation 16.

    >>> w = lecun_uniform_(torch.empty(100, 200), generator=torch.Generator().manual_seed(0))
    >>> bool(w.abs().max() <= math.sqrt(3 / 200))
    True
    """
    return _fill_(tensor, "uniform", 1.0 / math.sqrt(_fans(tensor)[0]), generator)


def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    r"""Fill a weight in place from :math:`N(0, \sigma^2)` with :math:`\sigma^2 = 1/n_{in}`.

    Shapes and errors as :func:`xavier_uniform_`. It is the start that SELU needs.
    Source: LeCun et al. (1998), equation 16; Klambauer et al. (2017), section 2.

    >>> w = lecun_normal_(torch.empty(300, 400), generator=torch.Generator().manual_seed(0))
    >>> print(f"{w.std():.3f}, expected {math.sqrt(1 / 400):.3f}")
    0.050, expected 0.050
    """
    return _fill_(tensor, "normal", 1.0 / math.sqrt(_fans(tensor)[0]), generator)


@torch.no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    r"""Fill a weight in place with a random (semi-)orthogonal matrix times ``gain``.

    With at most as many rows as columns, :math:`WW^\top = g^2 I`; otherwise
    :math:`W^\top W = g^2 I`. A tensor of more dimensions is treated as (fan_out, the rest).
    Shapes and errors as :func:`xavier_uniform_`; float16 and bfloat16 raise a ``TypeError``.
    Source: Saxe et al. (2014), section 3.

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
    """Layer-sequential unit variance: orthonormal weights, then unit output variance on ``X``.

    Every ``nn.Linear`` of ``model`` gets an orthonormal weight and a bias of 0. Then, layer by
    layer in the order of the forward pass, the weight is divided by the standard deviation of the
    layer's output on the batch, until the variance is within ``tolerance`` of 1. The pass is in
    evaluation mode; of a layer that is used twice, the first use counts. Returns ``model``.

    Shapes: ``X`` is one batch as ``model`` takes it, (batch, features). Raises a ``TypeError`` for
    an ``X`` of integers; a ``ValueError`` if ``X`` is empty or not finite, or if ``model`` has no
    linear layer, two that share one weight, one that it never calls, one with constant output, or
    one that ``max_iterations`` do not bring within ``tolerance``; then ``model`` is as before.
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
