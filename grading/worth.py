"""What the last value of a test is worth, as its kernel tells it.

What a cell shows, an answer can change in many ways: with formatters, options of printing, or a
result of its own. So the value itself is asked.
"""

from numpy import complexfloating, floating, generic, ndarray, number
from torch._C import TensorBase  # has no name that can be replaced, as torch.Tensor has

DIGITS = 6  # that single precision has
LARGEST = 10**9


def told(value: object) -> str | None:
    """A test's value as text; None if Python does not write it as a number: all points.

    >>> import numpy as np
    >>> import torch
    >>> told(0.5), told(np.float32(0.1)), told(torch.tensor(2)), told("0.5")
    ('0.5', '0.1', '2', None)
    """
    worth = value
    # of the classes themselves: a class below them may have methods of its own
    if isinstance(value, TensorBase) and TensorBase.dim(value) == 0:
        worth = TensorBase.item(value)
    elif isinstance(value, ndarray) and ndarray.ndim.__get__(value) == 0:
        worth = ndarray.item(value)
    elif isinstance(value, number):
        worth = generic.item(value)
    if isinstance(worth, floating):  # longer than Python's
        worth = float(worth)
    if isinstance(worth, float) and worth is not value:
        worth = float(f"{worth:.{DIGITS}g}")
    if isinstance(worth, complex | complexfloating):
        return "nan"  # a number, and no points
    if type(worth) is int and abs(worth) > LARGEST:
        return "inf"
    if worth is None or isinstance(worth, str | bytes | list | tuple | dict | set):
        return None
    try:
        text = repr(worth)
        float(text)
    except Exception:  # whatever an object says of itself
        return None
    return text
