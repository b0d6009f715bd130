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
    """Limit each number in the gradients to ±``clip_value``, which may change their direction.

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
    r"""Scale all gradients by :math:`\min(1, c / (\|g\| + 10^{-6}))`; return the old :math:`\|g\|`.

    The norm is that of all as one vector, so their direction is kept. A RuntimeError tells of one
    that is not finite, with ``error_if_nonfinite``. Source: Pascanu et al. (2013), algorithm 1.

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
    r"""Shrink each row of ``weight`` (out, in, …), the incoming weights of a unit, and return it.

    :math:`w \leftarrow w\, r / \|w\|` where :math:`\|w\| > r`; other rows keep every bit.
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
    """Return the share of exact zeros among the weights: parameters of two dimensions or more.

    >>> sparsity(nn.Linear(3, 2))
    0.0
    """
    zeros = [weight == 0 for weight in _weights(model)]
    return sum(int(zero.sum()) for zero in zeros) / sum(zero.numel() for zero in zeros)


@torch.no_grad()
def prune_small_(model: nn.Module, threshold: float) -> float:
    """Set the weights with ``|w| < threshold`` to 0, no biases; return the :func:`sparsity`.

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
