"""The rows of deeplearn.regularization."""

from functools import partial

import torch
from torch import nn

from deeplearn import regularization
from oracles.table import NAN, Bad, Case, Function, integers, weight


def _weights(generator: torch.Generator, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    shapes = ((3, 4), (5,), ())
    return tuple(torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes)


def l1_penalty(*weights: torch.Tensor) -> torch.Tensor:
    return regularization.l1_penalty(weights)


def l2_penalty(*weights: torch.Tensor) -> torch.Tensor:
    return regularization.l2_penalty(iter(weights))


def norm(*weights: torch.Tensor, p: int) -> torch.Tensor:
    return torch.linalg.vector_norm(torch.cat([w.flatten() for w in weights]), p) ** p


FUNCTIONS = [
    Function(l1_penalty, lambda *weights: norm(*weights, p=1), _weights),
    Function(l2_penalty, lambda *weights: norm(*weights, p=2), _weights),
]

MODULES = [
    Case(regularization.Dropout, nn.Dropout, {"p": 0.3}),
    Case(regularization.Dropout, nn.Dropout, {"p": 0.0}),
    Case(regularization.Dropout, nn.Dropout, {"p": 0.999}),
]

BAD = [
    *(
        Bad(name, partial(call, p=p), ValueError, ("p", str(p), "dropped, not kept"))
        for p in (1.0, -0.5)
        for name, call in (
            (regularization.dropout, partial(regularization.dropout, weight())),
            (regularization.Dropout, regularization.Dropout),
            (regularization.DropConnectLinear, partial(regularization.DropConnectLinear, 3, 2)),
        )
    ),
    Bad(
        regularization.dropout,
        lambda: regularization.dropout(integers()),
        TypeError,
        ("input", "int64"),
    ),
    Bad(
        regularization.dropout,
        lambda: regularization.dropout(weight(), generator=0),
        TypeError,
        ("generator", "int", "manual_seed(0)"),
    ),
    Bad(
        regularization.Dropout,
        lambda: regularization.Dropout()(integers()),
        TypeError,
        ("input", "int64", ".float()"),
    ),
    Bad(regularization.Dropout, lambda: regularization.Dropout(-0.1), ValueError, ("p", "-0.1")),
    Bad(
        regularization.DropConnectLinear,
        lambda: regularization.DropConnectLinear(3, 2, p=1.0),
        ValueError,
        ("p", "1.0", "dropped, not kept"),
    ),
    Bad(
        regularization.DropConnectLinear,
        lambda: regularization.DropConnectLinear(3, 2, p=NAN),
        ValueError,
        ("p", "nan", "[0, 1)"),
    ),
    *(
        Bad(penalty, lambda penalty=penalty, bad=bad: penalty(bad), error, words)
        for penalty in (regularization.l1_penalty, regularization.l2_penalty)
        for bad, error, words in (
            ([], ValueError, ("parameters", "empty", "used up")),
            (weight(), TypeError, ("parameters", "Tensor", "[model.weight]")),
            (nn.ReLU(), TypeError, ("parameters", "ReLU", "[model.weight]")),
            ([weight(), integers()], TypeError, ("parameters[1]", "int64", ".float()")),
            ([("name", weight())], TypeError, ("parameters[0]", "tuple", "as_tensor")),
        )
    ),
]
