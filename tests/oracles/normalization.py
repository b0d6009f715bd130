"""The rows of deeplearn.normalization."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor, nn

from deeplearn import normalization
from oracles.table import Bad, Case, F, Function, bias, integers, linear, weight

_norm = normalization.BatchNorm1d

MODULES = [
    Case(normalization.BatchNorm1d, nn.BatchNorm1d, {"num_features": 6}),
    Case(normalization.BatchNorm1d, nn.BatchNorm1d, {"num_features": 6, "momentum": None}),
    Case(normalization.BatchNorm1d, nn.BatchNorm1d, {"num_features": 6, "affine": False}),
    Case(normalization.BatchNorm1d, nn.BatchNorm1d, {"num_features": 6, "bias": False}),
    Case(
        normalization.BatchNorm1d,
        nn.BatchNorm1d,
        {"num_features": 6, "momentum": 0.3, "eps": 1e-3},
    ),
    Case(
        normalization.BatchNorm1d,
        nn.BatchNorm1d,
        {"num_features": 6, "track_running_stats": False},
    ),
]


def _tensors(*shape: int) -> Callable[[Generator, torch.dtype], tuple[Tensor, ...]]:
    """An input of mean 3, then weight and bias."""

    def args(generator: Generator, dtype: torch.dtype) -> tuple[Tensor, ...]:
        units = (shape[1],)
        return (
            3 + 2 * torch.randn(shape, generator=generator, dtype=dtype),
            *(torch.randn(units, generator=generator, dtype=dtype) for _ in range(2)),
        )

    return args


def _ours(input, weight=None, bias=None, **kwargs):
    return normalization.batch_norm(input, None, None, weight, bias, True, **kwargs)


def _theirs(input, weight=None, bias=None, **kwargs):
    return F.batch_norm(input, None, None, weight, bias, True, **kwargs)


FUNCTIONS = [
    Function(_ours, _theirs, _tensors(7, 3)),
    Function(_ours, _theirs, _tensors(7, 3), {"eps": 0.1}),
    Function(_ours, _theirs, _tensors(2, 3)),
    Function(_ours, _theirs, _tensors(4, 3, 5)),
    Function(_ours, _theirs, _tensors(1, 3, 5)),
]

BAD = [
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(torch.ones(1, 4), None, None, training=True),
        ValueError,
        ("input", "(1, 4)", "larger batch"),
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(weight(), None, None),
        ValueError,
        ("running_mean", "training=True"),
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(bias(), None, None, training=True),
        ValueError,
        ("input", "(3,)", "unsqueeze"),
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(weight(), None, None, training=True, eps=-1.0),
        ValueError,
        ("eps", "-1.0", "1e-5"),
    ),
    Bad(
        normalization.BatchNorm1d,
        lambda: normalization.BatchNorm1d(5)(weight()),
        ValueError,
        ("(5,)", "(3, 4)", "num_features"),
    ),
    Bad(
        normalization.BatchNorm1d,
        lambda: normalization.BatchNorm1d(0),
        ValueError,
        ("num_features", "0"),
    ),
    Bad(
        normalization.BatchNorm1d,
        lambda: normalization.BatchNorm1d(4, momentum=1.5),
        ValueError,
        ("momentum", "1.5", "1 - decay"),
    ),
    *(
        Bad(
            normalization.batch_norm,
            partial(normalization.batch_norm, weight(), *arguments, training=True),
            ValueError,
            words,
        )
        for arguments, words in (
            ((None, None, torch.ones(3)), ("weight", "(4,)", "(3,)")),
            ((torch.zeros(4), torch.ones(1)), ("running_var", "(4,)", "(1,)")),
            ((torch.zeros(4), None), ("running_mean", "running_var", "both")),
            ((None, torch.zeros(4)), ("running_mean", "running_var", "both")),
            ((None, None, None, torch.ones(4, 1)), ("bias", "(4,)", "(4, 1)")),
        )
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(integers(), None, None, training=True),
        TypeError,
        ("input", "int64", ".float()"),
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(weight()[:0], None, None, training=True),
        ValueError,
        ("input", "(0, 4)", "element"),
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(torch.ones(2, 3, 4, 5), None, None, training=True),
        ValueError,
        ("input", "(2, 3, 4, 5)", "flatten"),
    ),
    Bad(
        normalization.BatchNorm1d,
        lambda: normalization.BatchNorm1d(4, eps=0.0),
        ValueError,
        ("eps", "0.0", "1e-5"),
    ),
    *(
        Bad(
            normalization.fold_batch_norm,
            partial(normalization.fold_batch_norm, *arguments),
            *error,
        )
        for arguments, error in (
            ((nn.ReLU(), _norm(3)), (TypeError, ("linear", "ReLU", "Linear"))),
            ((_norm(3), linear()), (TypeError, ("linear", "BatchNorm1d", "Linear"))),
            ((linear(), nn.ReLU()), (TypeError, ("batch_norm", "ReLU()", "BatchNorm1d"))),
            ((linear(), _norm(4)), (ValueError, ("batch_norm", "4", "3 outputs", "behind"))),
            (
                (linear(), _norm(3, track_running_stats=False)),
                (ValueError, ("batch_norm", "running statistics", "track_running_stats=True")),
            ),
        )
    ),
]
