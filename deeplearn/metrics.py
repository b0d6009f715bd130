"""How good are the predictions? Metrics take logits, or labels that were already chosen."""

import torch
from torch import Tensor

from deeplearn._check import check_count, check_finite, check_not_empty, check_tensor

__all__ = ["accuracy", "confusion_matrix"]


def _labels(input: Tensor, target: Tensor) -> Tensor:
    """Return the predicted labels (batch,) after checking both arguments."""
    check_tensor("input", input)
    check_tensor("target", target)
    check_not_empty("input", input)
    if target.is_floating_point() or target.dtype == torch.bool or target.dim() != 1:
        raise ValueError(
            f"target must be integer labels of shape (batch,), got {target.dtype} of shape "
            f"{tuple(target.shape)}; for one-hot rows call .argmax(dim=1)"
        )
    if input.dim() not in (1, 2) or len(input) != len(target):
        raise ValueError(
            f"input must be logits (batch, classes) or labels (batch,) for the {len(target)} "
            f"labels of target, got shape {tuple(input.shape)}; score the same rows"
        )
    if input.dim() == 2:
        if input.size(1) == 1:
            raise ValueError(
                f"input must have at least 2 classes, got shape {tuple(input.shape)}; "
                "for one logit pass the labels (input[:, 0] > 0).long()"
            )
        check_finite("input", input)
        if not 0 <= int(target.min()) <= int(target.max()) < input.size(1):
            raise ValueError(
                f"target must be in [0, {input.size(1)}), as input has that many classes, got "
                f"{int(target.min())} to {int(target.max())}; relabel from 0"
            )
        return input.argmax(dim=1)
    if input.is_floating_point():
        raise ValueError(
            f"input of shape (batch,) must be integer labels, got {input.dtype}; "
            "pass logits (batch, classes), or round probabilities yourself"
        )
    return input


def accuracy(input: Tensor, target: Tensor) -> float:
    """Return the share of rows in [0, 1] whose predicted label is the target.

    Shapes: ``input`` logits (batch, classes) or labels (batch,); ``target`` labels (batch,).

    Raises:
        TypeError: if an argument is not a tensor.
        ValueError: for shapes that do not fit, an empty batch, NaN logits or floating labels.

    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5
    """
    return (_labels(input, target) == target).double().mean().item()


def confusion_matrix(input: Tensor, target: Tensor, num_classes: int | None = None) -> Tensor:
    """Count rows by (true label, predicted label).

    Shapes and errors as :func:`accuracy`; returns (num_classes, num_classes), int64, with one row
    for each true class. ``num_classes`` is taken from the arguments when ``None``.

    >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    tensor([[1, 1],
            [0, 1]])
    """
    predicted = _labels(input, target)
    if min(int(target.min()), int(predicted.min())) < 0:
        raise ValueError("labels must be at least 0, got a negative one; relabel from 0")
    found = max(
        int(target.max()), int(predicted.max()), input.size(-1) - 1 if input.dim() == 2 else 0
    )
    if num_classes is None:
        num_classes = found + 1
    check_count("num_classes", num_classes)
    if found >= num_classes:
        raise ValueError(
            f"num_classes must be at least {found + 1}, got {num_classes}: a label is {found}"
        )
    pairs = target.long() * num_classes + predicted  # small integer types would overflow
    counts = torch.bincount(pairs, minlength=num_classes**2)
    return counts.view(num_classes, num_classes)
