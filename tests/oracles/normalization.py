"""The rows of deeplearn.normalization."""

from functools import partial

import torch
from torch import nn

from deeplearn import normalization
from oracles.table import Bad, Case, bias, weight

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
        ("5 units", "(3, 4)", "num_features"),
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
        )
    ),
]
