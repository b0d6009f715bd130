"""The tables that hold deeplearn against independent answers.

A technique is proven by its rows in the file of its module: ``Case`` and ``Function`` rows name
what it must equal, ``Bad`` rows what it must refuse. The tests in ``test_oracles.py`` and
``test_contracts.py`` run over all rows, and fail for a public name that has none.
"""

import importlib
import pkgutil

_FILES = [
    importlib.import_module(f"oracles.{file.name}") for file in pkgutil.iter_modules(__path__)
]


def _collect(table: str) -> list:
    return [row for file in _FILES for row in getattr(file, table, [])]


INITS = _collect("INITS")  # bit-equal to torch from the same generator state
GAINS = _collect("GAINS")
ACTIVATIONS = _collect("ACTIVATIONS")  # elementwise: output and gradient equal to torch's
FUNCTIONS = _collect("FUNCTIONS")  # of several tensors: output and gradients equal
MODULES = _collect("MODULES")  # the same output, representation and state keys as torch's
OPTIMIZERS = _collect("OPTIMIZERS")  # 100 steps within 1e-12 of torch's, states that move
BAD = _collect("BAD")
