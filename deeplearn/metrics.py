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
        found = f"{target.dtype} of shape {tuple(target.shape)}; for one-hot rows call .argmax(1)"
        raise ValueError(f"target must be integer labels of shape (batch,), got {found}")
    shape = f"got shape {tuple(input.shape)}"
    if input.dim() not in (1, 2) or len(input) != len(target):
        needed = f"logits (batch, classes) or labels (batch,) for {len(target)} labels of target"
        raise ValueError(f"input must be {needed}, {shape}; score the same rows")
    if input.dim() == 1:
        if input.is_floating_point():
            cure = "pass logits (batch, classes), or round probabilities yourself"
            raise ValueError(f"input must be integer labels, {shape} of {input.dtype}; {cure}")
        return input
    if input.size(1) == 1:
        cure = "for one logit pass the labels (input[:, 0] > 0).long()"
        raise ValueError(f"input must have at least 2 classes, {shape}; {cure}")
    check_finite("input", input)
    if not 0 <= int(target.min()) <= int(target.max()) < input.size(1):
        found = f"as input has {shape[4:]}, got {int(target.min())} to {int(target.max())}"
        raise ValueError(f"target must be in [0, {input.size(1)}), {found}; relabel from 0")
    return input.argmax(dim=1)


def accuracy(input: Tensor, target: Tensor) -> float:
    r"""Return the share of rows in [0, 1] whose predicted label is the target.

    .. math::
        \text{accuracy} = \frac{\#\{\, i : \hat y_i = y_i \,\}}{N}

    The predicted label of a row of logits is the class of the largest one.

    Shapes: ``input`` are logits (batch, classes) or labels (batch,), and ``target`` are labels
    (batch,); the result is a number.

    Raises:
        TypeError: if ``input`` or ``target`` is not a tensor.
        ValueError: if shapes do not fit, if the batch is empty, if logits are not finite or of a
            single class, if labels are not integers, or if a target is not in [0, classes).

    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5
    """
    return (_labels(input, target) == target).double().mean().item()


def confusion_matrix(input: Tensor, target: Tensor, num_classes: int | None = None) -> Tensor:
    r"""Count the rows by their true label and their predicted label.

    .. math::
        M_{jk} = \#\{\, i : y_i = j,\ \hat y_i = k \,\}

    So the diagonal counts the rows that are right, and a row of the matrix is a true class.
    ``num_classes`` is found from the arguments when ``None``.

    Shapes: ``input`` and ``target`` as for :func:`accuracy`; the result is (num_classes,
    num_classes), int64.

    Raises:
        TypeError: if ``input`` or ``target`` is not a tensor, or ``num_classes`` not an int.
        ValueError: as for :func:`accuracy`; also if a label is negative, or not below
            ``num_classes``.

    >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    tensor([[1, 1],
            [0, 1]])
    """
    predicted = _labels(input, target)
    if min(int(target.min()), int(predicted.min())) < 0:
        raise ValueError("labels must be at least 0, got a negative one; relabel from 0")
    columns = input.size(1) if input.dim() == 2 else 1
    least = max(int(target.max()) + 1, int(predicted.max()) + 1, columns)
    num_classes = least if num_classes is None else num_classes
    check_count("num_classes", num_classes)
    if least > num_classes:
        raise ValueError(f"num_classes must be at least {least}, got {num_classes}; count class 0")
    pairs = target.long() * num_classes + predicted  # small integer types would overflow
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)
