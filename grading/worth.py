"""What the last value of a test is worth, as its kernel tells it.

What a cell shows, an answer can change in many ways: with formatters, options of printing, or a
result of its own. So the value itself is asked.
"""

import numpy as np
import torch

DIGITS = 6  # that single precision has
LARGEST = 10**9


def told(value: object) -> str | None:
    """A test's value as text; None if it is no number, which gives all points.

    >>> told(0.5), told(np.float32(0.1)), told(torch.tensor(2)), told("0.5")
    ('0.5', '0.1', '2', None)
    """
    # of the classes themselves: a class below them may have methods of its own
    if isinstance(value, torch.Tensor) and torch.Tensor.dim(value) == 0:
        value = _short(torch.Tensor.item(value))
    elif isinstance(value, np.ndarray) and np.ndarray.ndim.__get__(value) == 0:
        value = _short(np.ndarray.item(value))
    elif isinstance(value, np.number):
        value = _short(np.generic.item(value))
    if isinstance(value, complex) or (type(value) is int and abs(value) > LARGEST):
        return "nan"  # a number, and no points
    if value is None or isinstance(value, str | bytes | list | tuple | dict | set):
        return None
    try:
        text = repr(value)
        float(text)
    except Exception:  # whatever an object says of itself
        return None
    return text


def _short(value: object) -> object:
    """A number of an array, without the digits that its precision makes up."""
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.{DIGITS}g}")
    return complex(value) if isinstance(value, np.complexfloating) else value
