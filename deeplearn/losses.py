"""Losses, from logits: means over the batch unless ``reduction`` is ``"sum"`` or ``"none"``."""

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
    r"""Return the mean cross-entropy between the targets and the softmax of the logits.

    .. math::
        L &= -\sum_k q_k \log p_k \\
        \log p_k &= z_k - \log \sum_j e^{z_j}

    :math:`z` are the logits of one row. :math:`q` is 1 at its label and 0 elsewhere, or the
    probabilities that you give. ``label_smoothing`` is the share :math:`\epsilon` of a uniform
    distribution over the :math:`K` classes that is mixed in:

    .. math::
        q_k \leftarrow (1 - \epsilon)\,q_k + \epsilon / K

    Shapes: ``input`` are logits (batch, classes). ``target`` are integer labels (batch,) or
    probabilities (batch, classes). The result is a scalar, or (batch,) with ``reduction="none"``.

    Raises:
        TypeError: if ``input`` is not a floating-point tensor, or ``target`` not a tensor.
        ValueError: if the shapes do not fit, the batch is empty, a label is not in [0, classes),
            ``label_smoothing`` is outside [0, 1], or ``reduction`` is unknown.

    Source: Szegedy et al. (2016), section 7, for label smoothing.

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
    r"""Return the mean cross-entropy between targets of 0 or 1 and the logistic function of the
    logits.

    .. math::
        L &= -y \log p - (1 - y) \log(1 - p) \\
        p &= \frac{1}{1 + e^{-z}}

    It is computed from the logit :math:`z` without overflow. A target between 0 and 1 is a
    probability.

    Shapes: any, ``input`` and ``target`` alike; the result is a scalar, or has this shape with
    ``reduction="none"``.

    Raises:
        TypeError: if one of them is not a floating-point tensor.
        ValueError: if they are empty or of two shapes, or if ``reduction`` is unknown.

    Source: Goodfellow et al. (2016), section 6.2.2.2.

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
    r"""Return the mean shortfall of the difference of two scores from a margin.

    .. math::
        L = \max\bigl(0,\; m - y\,(x_1 - x_2)\bigr)

    ``target``, :math:`y`, is 1 where :math:`x_1` should be the larger, and -1 where :math:`x_2`
    should. The loss is 0 where the order is right by the ``margin`` :math:`m` at least.

    Shapes: any, all three alike; the result is a scalar, or has this shape with
    ``reduction="none"``.

    Raises:
        TypeError: if one of them is not a floating-point tensor, or ``margin`` not a number.
        ValueError: if they are empty or of several shapes, or if ``reduction`` is unknown.

    Source: Collobert & Weston (2008).

    >>> margin_ranking_loss(torch.tensor([3.0]), torch.tensor([2.5]), torch.ones(1), margin=1.0)
    tensor(0.5000)
    """
    _check(input1=input1, input2=input2, target=target)
    check_range("margin", margin, cure="1 is usual")
    return _reduced((margin - target * (input1 - input2)).clamp(min=0), reduction)


def contrastive_loss(distance: Tensor, different: Tensor, margin: float = 1.0) -> Tensor:
    r"""Return the mean contrastive loss of pairs: equal ones attract, different ones repel.

    .. math::
        L &= \tfrac12\,(1 - y)\,d^2 \\
          &+ \tfrac12\,y\,\max(0,\, m - d)^2

    ``different``, :math:`y`, is 0 for a pair of one class and 1 for a pair of two. Different ones
    repel up to the distance :math:`m`, the ``margin``, and no further.

    Shapes: ``distance`` is any, the distance :math:`d` of each pair; ``different`` has the same.
    The result is a scalar.

    Raises:
        TypeError: if ``distance`` is not a floating-point tensor, or ``different`` not a tensor.
        ValueError: if they are empty or of two shapes, if ``different`` holds anything but 0 and 1,
            or if ``margin`` is not above 0.

    Source: Hadsell et al. (2006), equation 4.

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
