"""The rows of deeplearn.optim."""

from functools import partial

import torch

from deeplearn import optim
from oracles.table import NAN, Bad, Case, linear, parameters

OPTIMIZERS = [
    *(
        Case(optim.SGD, torch.optim.SGD, kwargs)
        for kwargs in (
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.9},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
            {"lr": 0.01, "weight_decay": 0.1, "maximize": True},
        )
    ),
    *(
        Case(optim.Adam, torch.optim.Adam, kwargs)
        for kwargs in (
            {"lr": 0.01},
            {"lr": 0.1, "betas": (0.5, 0.9)},
            {"lr": 0.01, "eps": 1e-3, "weight_decay": 0.1},
            {"lr": 0.01, "betas": (0.0, 0.999), "maximize": True},
        )
    ),
]

BAD = [
    *(
        Bad(optimizer, partial(optimizer, *arguments, **kwargs), error, words)
        for optimizer in (optim.SGD, optim.Adam)
        for arguments, kwargs, error, words in (
            ((parameters(),), {"lr": -0.1}, ValueError, ("lr", "-0.1", "0.01")),
            ((parameters(),), {"lr": NAN}, ValueError, ("lr", "nan")),
            ((parameters(),), {"lr": "fast"}, TypeError, ("lr", "str")),
            ((parameters(),), {"weight_decay": -1}, ValueError, ("weight_decay", "-1")),
            (([],), {}, ValueError, ("params", "empty", "model.parameters()")),
        )
    ),
    Bad(
        optim.SGD,
        lambda: optim.SGD(parameters(), momentum=-1),
        ValueError,
        ("momentum", "-1", "0.9"),
    ),
    Bad(
        optim.SGD,
        lambda: optim.SGD(parameters(), nesterov=True),
        ValueError,
        ("nesterov", "momentum > 0", "got 0"),
    ),
    Bad(
        optim.Adam,
        lambda: optim.Adam(parameters(), betas=(0.9, 1.0)),
        ValueError,
        ("betas[1]", "1.0", "0.999"),
    ),
    *(
        Bad(optim.SGD, partial(optim.SGD, params), error, words)
        for params, error, words in (
            (None, TypeError, ("params", "None", "model.parameters()")),
            (linear(), TypeError, ("params", "Linear", "model.parameters()")),
            ([{"params": parameters(), "lr": -1.0}], ValueError, ("lr", "-1.0", "0.01")),
        )
    ),
    Bad(
        optim.Adam,
        lambda: optim.Adam(parameters(), betas=0.9),
        ValueError,
        ("betas", "0.9", "two numbers"),
    ),
    Bad(
        optim.Adam,
        lambda: optim.Adam(parameters()).load_state_dict(optim.SGD(parameters()).state_dict()),
        ValueError,
        ("state_dict", "betas", "Adam"),
    ),
    Bad(optim.Adam, lambda: optim.Adam(parameters(), eps=-1), ValueError, ("eps", "-1", "1e-8")),
    Bad(
        optim.Optimizer,
        lambda: optim.Optimizer(parameters(), {"lr": -1, "weight_decay": 0}),
        ValueError,
        ("lr", "-1"),
    ),
]
