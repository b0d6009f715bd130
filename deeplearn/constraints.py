"""Constraints in place: on gradients before a step, on weights after it."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from deeplearn._check import check_floating, check_range, check_tensor, check_type

__all__ = ["clip_grad_norm_", "clip_grad_value_", "max_norm_", "prune_small_", "sparsity"]


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, nn.Module) or not isinstance(parameters, Iterable):
        raise TypeError(f"parameters must hold tensors, got {parameters}; pass model.parameters()")
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not parameters:
        raise ValueError("parameters is empty; pass model.parameters(), not yet exhausted")
    for parameter in parameters:
        check_tensor("each of parameters", parameter)
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


@torch.no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    r"""Limit each number in the gradients to ±\ ``clip_value``, in place.

    .. math::
        g_i \leftarrow \max\bigl(-c,\, \min(c,\, g_i)\bigr)

    Each number is limited by itself, so the direction of the gradient may change. Parameters
    without a gradient are left out.

    Shapes: tensors of any shape; nothing is returned.

    Raises:
        TypeError: if ``parameters`` is a module or holds no tensors, or if ``clip_value`` is not a
            number.
        ValueError: if ``parameters`` is empty, or if ``clip_value`` is negative.

    Source: as torch's function of the same name.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (x**3).sum().backward()
    >>> clip_grad_value_(x, 5.0), x.grad
    (None, tensor([3., 5.]))
    """
    check_range("clip_value", clip_value, 0, closed="[]", cure="1.0 is a first try")
    for grad in _gradients(parameters):
        grad.clamp_(-clip_value, clip_value)


@torch.no_grad()
def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False) -> Tensor:  # fmt: skip
    r"""Scale all gradients by one factor, in place, so that their norm is at most ``max_norm``.

    .. math::
        g \leftarrow g \cdot \min\Bigl(1,\; \frac{c}{\|g\| + 10^{-6}}\Bigr)

    The norm is that of all gradients as one vector, so their direction is kept. The norm before the
    clipping is returned.

    Shapes: tensors of any shape; the result is a scalar, 0 if no parameter has a gradient.

    Raises:
        TypeError: if ``parameters`` is a module or holds no tensors, or if ``max_norm`` is not a
            number.
        ValueError: if ``parameters`` is empty, or if ``max_norm`` is negative.
        RuntimeError: if the norm is not finite and ``error_if_nonfinite`` is set.

    Source: Pascanu et al. (2013), algorithm 1.

    >>> x = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> (x**2).sum().backward()
    >>> clip_grad_norm_(x, 5.0), x.grad
    (tensor(10.), tensor([3.0000, 4.0000]))
    """
    norm_type = float(norm_type)  # torch takes "inf", too
    check_range("max_norm", max_norm, 0, closed="[]", cure="1.0 is a first try")
    check_range("norm_type", norm_type, closed="[]", cure="2 is Euclid's, inf the largest number")
    if not (grads := _gradients(parameters)):
        return torch.tensor(0.0)
    norms = [torch.linalg.vector_norm(grad, norm_type).to(grads[0].device) for grad in grads]
    total = torch.linalg.vector_norm(torch.stack(norms), norm_type)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(f"the norm of the gradients is {total}; lower lr, or repair the data")
    scale = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(scale.to(grad.device))
    return total


@torch.no_grad()
def max_norm_(weight: Tensor, max_norm: float) -> Tensor:
    r"""Shrink each row of a weight to the norm ``max_norm`` at most, in place, and return the
    weight.

    .. math::
        w \leftarrow w \cdot \min\Bigl(1,\; \frac{r}{\|w\|_2}\Bigr)

    A row :math:`w` holds the incoming weights of one unit. Rows that are short enough keep every
    bit.

    Shapes: ``weight`` is (out, in), or (out, in, \*kernel) for a convolution; a row is all that
    belongs to one output.

    Raises:
        TypeError: if ``weight`` is not a floating-point tensor, or ``max_norm`` not a number.
        ValueError: if ``weight`` has fewer than 2 dimensions, or if ``max_norm`` is not above 0.

    Source: Srivastava et al. (2014), section 5.1.

    >>> max_norm_(torch.tensor([[3.0, 4.0]]), 1.0)
    tensor([[0.6000, 0.8000]])
    """
    check_floating("weight", weight)
    check_range("max_norm", max_norm, 0, closed="()", cure="2 to 4 are usual")
    if weight.ndim < 2:
        raise ValueError(f"weight must be (out, in, …), got {tuple(weight.shape)}; skip biases")
    norms = torch.linalg.vector_norm(weight.flatten(1), dim=1, dtype=torch.float64)
    # A hair less than r: else rounding could leave a row too long, and a second call change it.
    less = max_norm * (1 - 4 * torch.finfo(weight.dtype).eps)
    scale = torch.where(norms > max_norm, less / norms, 1.0)
    return weight.mul_(scale.view(-1, *[1] * (weight.ndim - 1)))


def sparsity(model: nn.Module) -> float:
    """Return the share of exact zeros among the weights of a model.

    Weights are its parameters of two dimensions or more, so biases do not count.

    Shapes: the result is a number in [0, 1].

    Raises:
        TypeError: if ``model`` is not a module.
        ValueError: if it has no parameter of two dimensions.

    >>> model = nn.Linear(2, 1)
    >>> with torch.no_grad():
    ...     _ = model.weight.copy_(torch.tensor([[0.0, 3.0]]))
    >>> sparsity(model)
    0.5
    """
    zeros = [weight == 0 for weight in _weights(model)]
    return sum(int(zero.sum()) for zero in zeros) / sum(zero.numel() for zero in zeros)


@torch.no_grad()
def prune_small_(model: nn.Module, threshold: float) -> float:
    r"""Set the weights below a threshold to 0, in place, and return the :func:`sparsity`.

    .. math::
        w_i \leftarrow 0 \quad \text{where} \quad |w_i| < \text{threshold}

    Biases stay as they are. The next step of an optimizer may change the zeros again.

    Shapes: all parameters of two dimensions or more; the result is a number in [0, 1].

    Raises:
        TypeError: if ``model`` is not a module, or ``threshold`` not a number.
        ValueError: if ``model`` has no parameter of two dimensions, or if ``threshold`` is
            negative.

    Source: Han et al. (2015), section 3.

    >>> prune_small_(nn.Linear(3, 2), 1.0)
    1.0
    """
    check_range("threshold", threshold, 0, cure="a tenth of the weights' spread is a first try")
    for weight in _weights(model):
        weight.masked_fill_(weight.abs() < threshold, 0)
    return sparsity(model)


def _weights(model: nn.Module) -> list[Tensor]:
    check_type("model", model, nn.Module)
    if not (weights := [p for p in model.parameters() if p.ndim >= 2]):
        raise ValueError(f"model has no parameter of two dimensions, got {model}; add a layer")
    return weights
