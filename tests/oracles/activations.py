"""The rows of deeplearn.activations."""

from functools import partial

import torch
from torch import nn

from deeplearn import activations
from oracles.table import NAN, Bad, Case, F, Function, integers, weight

_PLAIN = ("ReLU", "LeakyReLU", "RReLU", "PReLU", "ELU", "SELU")
_FUNCTIONS = (
    activations.relu,
    activations.leaky_relu,
    activations.rrelu,
    activations.elu,
    activations.selu,
    activations.gelu,
    activations.silu,
    partial(activations.maxout, num_pieces=2),
    partial(activations.prelu, weight=torch.ones(1)),
)

ACTIVATIONS = [
    Case(activations.relu, torch.relu),
    Case(activations.leaky_relu, F.leaky_relu),
    Case(activations.leaky_relu, F.leaky_relu, {"negative_slope": 0.2}),
    Case(activations.rrelu, F.rrelu),
    Case(activations.rrelu, F.rrelu, {"lower": 0.1, "upper": 0.2}),
    Case(activations.elu, F.elu),
    Case(activations.elu, F.elu, {"alpha": 0.3}),
    Case(activations.selu, F.selu),
]


def _one(generator: torch.Generator, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    return (4 * torch.randn(5, 6, generator=generator, dtype=dtype),)


def _with_weight(*shape: int, slopes: int):
    def args(generator: torch.Generator, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
        z = torch.randn(shape, generator=generator, dtype=dtype)
        return z, torch.randn(slopes, generator=generator, dtype=dtype)

    return args


def largest(z: torch.Tensor, num_pieces: int) -> torch.Tensor:
    """Maxout by its definition: unit j has the columns from j · pieces on."""
    units = z.split(num_pieces, dim=1)
    return torch.stack([torch.stack([row.max() for row in unit]) for unit in units], dim=1)


FUNCTIONS = [
    Function(activations.gelu, F.gelu, _one),
    Function(activations.gelu, F.gelu, _one, {"approximate": "tanh"}),
    Function(activations.silu, F.silu, _one),
    *(Function(activations.maxout, largest, _one, {"num_pieces": k}) for k in (1, 2, 3, 6)),
    Function(activations.prelu, F.prelu, _with_weight(4, slopes=1)),
    Function(activations.prelu, F.prelu, _with_weight(4, 3, slopes=1)),
    Function(activations.prelu, F.prelu, _with_weight(4, 3, slopes=3)),
    Function(activations.prelu, F.prelu, _with_weight(4, 3, 2, slopes=3)),
]

MODULES = [
    Case(activations.ReLU, nn.ReLU),
    Case(activations.LeakyReLU, nn.LeakyReLU, {"negative_slope": 0.2}),
    Case(activations.RReLU, nn.RReLU),
    Case(activations.RReLU, nn.RReLU, {"lower": 0.2, "upper": 0.9}),
    Case(activations.PReLU, nn.PReLU),
    Case(activations.PReLU, nn.PReLU, {"num_parameters": 6, "init": 0.1}),
    Case(activations.ELU, nn.ELU, {"alpha": 0.5}),
    Case(activations.SELU, nn.SELU),
]


def _bad(function, argument, error, words) -> Bad:
    return Bad(getattr(function, "func", function), partial(function, argument), error, words)


BAD = [
    *(
        _bad(function, argument, TypeError, words)
        for function in _FUNCTIONS
        for argument, words in (
            (integers(), ("input", "int64", ".float()")),
            (1.0, ("input", "float", "torch.as_tensor")),
        )
    ),
    *(
        Bad(module, partial(make(), integers()), TypeError, ("input", "int64", ".float()"))
        for module, make in (
            *((getattr(activations, n), getattr(activations, n)) for n in _PLAIN),
            (activations.Maxout, partial(activations.Maxout, 2)),
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
    *(
        Bad(make, partial(make, *arguments, **kwargs), error, words)
        for make, arguments, kwargs, error, words in (
            (activations.rrelu, (weight(), NAN), {}, ValueError, ("lower", "nan", "1/8")),
            (
                activations.rrelu,
                (weight(), 0.5),
                {},
                ValueError,
                ("upper", "0.333", "at least lower"),
            ),
            (activations.rrelu, (weight(),), {"generator": 0}, TypeError, ("generator", "int")),
            (activations.RReLU, (0.3, 0.2), {}, ValueError, ("upper", "0.2", "lower")),
            (activations.RReLU, ("1",), {}, TypeError, ("lower", "str", "1/8")),
            (activations.PReLU, (0,), {}, ValueError, ("num_parameters", "0", "larger")),
            (activations.PReLU, (1, NAN), {}, ValueError, ("init", "nan", "0.25")),
            (activations.prelu, (weight(), 0.5), {}, TypeError, ("weight", "float", "as_tensor")),
            (
                activations.prelu,
                (weight(), torch.ones(3)),
                {},
                ValueError,
                ("weight", "(4,)", "(3,)"),
            ),
            (
                activations.prelu,
                (weight(), torch.ones(1, 4)),
                {},
                ValueError,
                ("weight", "(1, 4)", "(3, 4)"),
            ),
            (activations.gelu, (weight(), "erf"), {}, ValueError, ("approximate", "tanh", "'erf'")),
            (
                activations.maxout,
                (weight(), 3),
                {},
                ValueError,
                ("input", "multiple", "3", "(3, 4)"),
            ),
            (activations.maxout, (torch.ones(()), 1), {}, ValueError, ("input", "shape ()")),
            (activations.maxout, (weight(), 0), {}, ValueError, ("num_pieces", "0", "larger")),
            (activations.Maxout, (2.0,), {}, TypeError, ("num_pieces", "float", "whole")),
        )
    ),
]
