"""Losses, as means over the batch unless ``reduction`` is ``"sum"`` or ``"none"``, from logits.

They raise a ``TypeError`` for integers, a ``ValueError`` for shapes or labels that do not fit.
"""

import torch
from torch import Tensor

from deeplearn._check import (
    check_choice,
    check_floating,
    check_not_empty,
    check_range,
    check_tensor,
)

__all__ = ["binary_cross_entropy_with_logits", "contrastive_loss", "cross_entropy"]
__all__ += ["margin_ranking_loss"]


def cross_entropy(
    input: Tensor, target: Tensor, *, reduction: str = "mean", label_smoothing: float = 0.0
) -> Tensor:
    r"""Return the mean of :math:`-\sum q_k \log p_k`, :math:`\log p_k = z_k - \log\sum_j e^{z_j}`.

    :math:`q` is 1 at the label, or the given probabilities; ``label_smoothing`` is the share of a
    uniform distribution mixed in. Shapes: logits (batch, classes); labels (batch,), or
    probabilities (batch, classes). Source: Szegedy et al. (2016), section 7.

    >>> cross_entropy(torch.zeros(2, 10), torch.tensor([3, 4]))
    tensor(2.3026)
    """
    _check(input=input)
    check_tensor("target", target)
    check_range("label_smoothing", label_smoothing, 0, 1, closed="[]", cure="0.1 is usual")
    labels = not target.is_floating_point() and target.dtype != torch.bool
    if input.dim() != 2 or target.shape != (input.shape[:1] if labels else input.shape):
        found = f"{tuple(input.shape)} and {target.dtype} of shape {tuple(target.shape)}"
        raise ValueError(f"input must be (batch, classes), target integers (batch,), got {found}")
    if labels and not 0 <= int(target.min()) <= int(target.max()) < input.size(1):
        found = f"{input.size(1)}), got {int(target.min())} to {int(target.max())}"
        raise ValueError(f"target must be in [0, {found}; relabel from 0")
    z = input - input.detach().amax(1, keepdim=True)  # at most 0: exp cannot overflow
    log_p = z - z.exp().sum(1, keepdim=True).log()
    fit = log_p.gather(1, target.long()[:, None])[:, 0] if labels else (target * log_p).sum(1)
    if label_smoothing:  # not with 0: a class whose logit is -inf would give 0 · inf
        fit = (1 - label_smoothing) * fit + label_smoothing * log_p.mean(1)
    return _reduced(-fit, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, *, reduction: str = "mean"
) -> Tensor:
    r"""Return the mean of :math:`-y \log p - (1 - y) \log(1 - p)`, :math:`p = 1/(1 + e^{-z})`.

    Shapes: any, both alike. Source: Goodfellow et al. (2016), section 6.2.2.2.

    >>> binary_cross_entropy_with_logits(torch.zeros(2), torch.tensor([0.0, 1.0]))
    tensor(0.6931)
    """
    _check(input=input, target=target)
    zero = torch.zeros_like(input)  # logaddexp(0, z) is log(1 + e^z), without overflow
    losses = target * zero.logaddexp(-input) + (1 - target) * zero.logaddexp(input)
    return _reduced(losses, reduction)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str = "mean"
) -> Tensor:
    r"""Return the mean of :math:`\max(0, m - y (x_1 - x_2))`, 0 where the order is right by ``m``.

    ``target`` :math:`y` is 1 where :math:`x_1` should be the larger, else -1. Shapes: any, all
    alike. Source: Collobert & Weston (2008), section 4.

    >>> margin_ranking_loss(torch.tensor([3.0]), torch.tensor([2.5]), torch.ones(1), margin=1.0)
    tensor(0.5000)
    """
    _check(input1=input1, input2=input2, target=target)
    check_range("margin", margin, cure="1 is usual")
    return _reduced((margin - target * (input1 - input2)).clamp(min=0), reduction)


def contrastive_loss(distance: Tensor, different: Tensor, margin: float = 1.0) -> Tensor:
    r"""Return the mean of :math:`(1 - y)\,d^2/2 + y \max(0, m - d)^2/2`.

    ``different`` :math:`y` is 0 for a pair of one class, which attracts, and 1 for a pair of two,
    which repels up to :math:`m`. Shapes: any, both alike. Source: Hadsell et al. (2006), eq. 4.

    >>> contrastive_loss(torch.tensor([0.5, 0.75]), torch.tensor([0, 1]), margin=1.0)
    tensor(0.0781)
    """
    check_tensor("different", different)
    y = different.to(distance.dtype if isinstance(distance, Tensor) else None)
    _check(distance=distance, different=y)
    if not ((y == 0) | (y == 1)).all():
        raise ValueError(
            f"different must be 0 or 1, got {y.unique().tolist()}; 1 is for two classes"
        )
    check_range("margin", margin, 0, closed="()", cure="1 is usual")
    return ((1 - y) * distance.square() + y * (margin - distance).clamp(min=0).square()).mean() / 2


def _check(**tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        check_floating(name, tensor)
        check_not_empty(name, tensor)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"all tensors must have one shape, got {shapes}; squeeze or view one")


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    return losses if reduction == "none" else getattr(losses, reduction)()
