"""What the last value of a test is worth, as its kernel tells it.

What a cell shows, an answer can change in many ways: with formatters, options of printing, or a
result of its own. So the value itself is asked.
"""

import numpy as np
import torch


def told(value: object) -> str | None:
    """A test's value as text; None if it is no number.

    >>> told(0.5), told(np.float32(0.1)), told(torch.tensor(2)), told("0.5")
    ('0.5', '0.1', '2', None)
    """
    if issubclass(type(value), np.number | np.ndarray | torch.Tensor) and value.ndim == 0:
        value = value.item()
        if type(value) is float:
            return f"{value:.6g}"  # more digits than single precision has would not be its own
    return repr(value) if type(value) in (int, float) else None
