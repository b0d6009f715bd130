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
    number = value
    # of the classes themselves: a class below them may have methods of its own
    if isinstance(value, torch.Tensor) and torch.Tensor.dim(value) == 0:
        number = torch.Tensor.item(value)
    elif isinstance(value, np.ndarray) and np.ndarray.ndim.__get__(value) == 0:
        number = np.ndarray.item(value)
    elif isinstance(value, np.number):
        number = np.generic.item(value)
    if isinstance(number, np.floating):  # longer than Python's
        number = float(number)
    if isinstance(number, float) and number is not value:
        number = float(f"{number:.{DIGITS}g}")
    if isinstance(number, complex | np.complexfloating):
        return "nan"  # a number, and no points
    if type(number) is int and abs(number) > LARGEST:
        return "inf"
    if number is None or isinstance(number, str | bytes | list | tuple | dict | set):
        return None
    try:
        text = repr(number)
        float(text)
    except Exception:  # whatever an object says of itself
        return None
    return text
