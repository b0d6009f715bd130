"""The rows of deeplearn.activations."""

from functools import partial

import torch
from torch import nn

from deeplearn import activations, regularization
from oracles.table import NAN, Bad, Case, F, integers, weight

_FUNCTIONS = (activations.relu, activations.leaky_relu, activations.elu, activations.selu)

ACTIVATIONS = [
    Case(activations.relu, torch.relu),
    Case(activations.leaky_relu, F.leaky_relu),
    Case(activations.leaky_relu, F.leaky_relu, {"negative_slope": 0.2}),
    Case(activations.elu, F.elu),
    Case(activations.elu, F.elu, {"alpha": 0.3}),
    Case(activations.selu, F.selu),
]

MODULES = [
    Case(activations.ReLU, nn.ReLU),
    Case(activations.LeakyReLU, nn.LeakyReLU, {"negative_slope": 0.2}),
    Case(activations.ELU, nn.ELU, {"alpha": 0.5}),
    Case(activations.SELU, nn.SELU),
]

BAD = [
    *(
        Bad(function, partial(function, argument), TypeError, words)
        for function in _FUNCTIONS
        for argument, words in (
            (integers(), ("input", "int64", ".float()")),
            (1.0, ("input", "float", "torch.as_tensor")),
        )
    ),
    *(
        Bad(module, partial(module(), integers()), TypeError, ("input", "int64", ".float()"))
        for module in (
            activations.ReLU,
            activations.LeakyReLU,
            activations.ELU,
            activations.SELU,
            regularization.Dropout,
        )
    ),
    Bad(
        activations.leaky_relu,
        lambda: activations.leaky_relu(weight(), NAN),
        ValueError,
        ("negative_slope", "nan", "0.01"),
    ),
    Bad(activations.elu, lambda: activations.elu(weight(), NAN), ValueError, ("alpha", "nan")),
    Bad(activations.ELU, lambda: activations.ELU("1"), TypeError, ("alpha", "str", "smooth")),
    Bad(
        activations.LeakyReLU,
        lambda: activations.LeakyReLU(None),
        TypeError,
        ("negative_slope", "NoneType"),
    ),
]
