"""The rows of deeplearn.optim."""

from functools import partial

import torch

from deeplearn import optim
from oracles.table import NAN, Bad, Case, linear, parameters

SETTINGS = {
    "SGD": (
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"lr": 0.01, "weight_decay": 0.1, "maximize": True},
    ),
    "Adagrad": (
        {"lr": 0.1},
        {"lr": 0.1, "lr_decay": 0.05},
        {"lr": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.1},
        {"lr": 0.01, "eps": 0.1, "lr_decay": 0.01, "maximize": True},
    ),
    "RMSprop": (
        {"lr": 0.01},
        {"lr": 0.01, "alpha": 0.5, "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.01, "momentum": 0.9},
        {"lr": 0.001, "centered": True, "eps": 1e-3},
        {"lr": 0.001, "centered": True, "momentum": 0.5, "eps": 0.1, "maximize": True},
    ),
    "Adadelta": (
        {"lr": 1.0},
        {"lr": 0.5, "rho": 0.5},
        {"lr": 1.0, "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.1, "rho": 0.99, "maximize": True},
    ),
    "Adam": (
        {"lr": 0.01},
        {"lr": 0.1, "betas": (0.5, 0.9)},
        {"lr": 0.01, "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.01, "betas": (0.0, 0.999), "maximize": True},
    ),
    "AdamW": (
        {"lr": 0.01},
        {"lr": 0.1, "weight_decay": 0.5},
        {"lr": 0.01, "weight_decay": 0.0, "betas": (0.5, 0.9)},
        {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-3, "maximize": True},
    ),
}

OPTIMIZERS = [
    Case(getattr(optim, name), getattr(torch.optim, name), kwargs)
    for name, rows in SETTINGS.items()
    for kwargs in rows
]

ALL = (*dict.fromkeys(case.ours for case in OPTIMIZERS), partial(optim.FTRL, lr=0.1))


def kind(optimizer):
    return getattr(optimizer, "func", optimizer)


SETTING = [  # a setting that no range allows, its words
    (optim.SGD, {"momentum": -1}, ("momentum", "-1", "0.9")),
    (optim.SGD, {"dampening": NAN}, ("dampening", "nan", "0 is usual")),
    (optim.SGD, {"nesterov": True}, ("nesterov", "momentum > 0", "got 0")),
    (
        optim.SGD,
        {"nesterov": True, "momentum": 0.9, "dampening": 0.5},
        ("dampening = 0", "0.9", "0.5"),
    ),
    (optim.Adagrad, {"lr_decay": -0.1}, ("lr_decay", "-0.1", "switches it off")),
    (optim.Adagrad, {"initial_accumulator_value": -1}, ("initial_accumulator_value", "-1")),
    (optim.Adagrad, {"eps": -1}, ("eps", "-1", "1e-8")),
    (optim.RMSprop, {"alpha": 1.0}, ("alpha", "1.0", "0.9")),
    (optim.RMSprop, {"alpha": -0.1}, ("alpha", "-0.1", "0.9")),
    (optim.RMSprop, {"momentum": NAN}, ("momentum", "nan", "0.9")),
    (optim.RMSprop, {"momentum": -0.5}, ("momentum", "-0.5", "0.9")),
    (optim.Adadelta, {"rho": 1.0}, ("rho", "1.0", "0.9")),
    (optim.Adadelta, {"eps": NAN}, ("eps", "nan", "1e-8")),
    (optim.Adam, {"betas": (1.5, 0.9)}, ("betas[0]", "1.5", "0.999")),
    (optim.Adam, {"betas": (0.9, 1.0)}, ("betas[1]", "1.0", "0.999")),
    (optim.Adam, {"betas": (-0.1, 0.9)}, ("betas[0]", "-0.1", "0.999")),
    (optim.Adam, {"betas": 0.9}, ("betas", "0.9", "two numbers")),
    (optim.Adam, {"betas": (0.9,)}, ("betas", "(0.9,)", "two numbers")),
    (optim.Adam, {"eps": -1}, ("eps", "-1", "1e-8")),
    (optim.AdamW, {"weight_decay": -0.1}, ("weight_decay", "-0.1", "switches it off")),
    (optim.FTRL, {"lr": 0.1, "beta": 0.0}, ("beta", "0.0", "1.0 is usual")),
    (optim.FTRL, {"lr": 0.1, "l1": -1.0}, ("l1", "-1.0", "switches it off")),
    (optim.FTRL, {"lr": 0.1, "l2": -1.0}, ("l2", "-1.0", "switches it off")),
]


def in_a_group(optimizer, settings):
    """Put the bad settings in the second group of a good optimizer."""
    good = {"lr": settings["lr"]} if "lr" in settings else {}
    return optimizer(parameters(), **good).add_param_group({"params": parameters(), **settings})


BAD = [
    *(
        Bad(kind(optimizer), partial(optimizer, *arguments, **kwargs), error, words)
        for optimizer in ALL
        for arguments, kwargs, error, words in (
            ((parameters(),), {"lr": -0.1}, ValueError, ("lr", "-0.1", "0.01")),
            ((parameters(),), {"lr": NAN}, ValueError, ("lr", "nan")),
            ((parameters(),), {"lr": "fast"}, TypeError, ("lr", "str")),
            (([],), {}, ValueError, ("params", "empty", "model.parameters()")),
        )
    ),
    *(
        Bad(
            optimizer,
            partial(optimizer, parameters(), weight_decay=-1),
            ValueError,
            ("weight_decay", "-1"),
        )
        for optimizer in ALL[:-1]
    ),
    *(
        Bad(optimizer, partial(how, optimizer, settings), ValueError, words)
        for optimizer, settings, words in SETTING
        for how in (lambda kind, settings: kind(parameters(), **settings), in_a_group)
    ),
    *(
        Bad(optim.SGD, partial(optim.SGD, params), error, words)
        for params, error, words in (
            (None, TypeError, ("params", "None", "model.parameters()")),
            (linear(), TypeError, ("params", "Linear", "model.parameters()")),
            ([{"params": parameters(), "lr": -1.0}], ValueError, ("lr", "-1.0", "0.01")),
        )
    ),
    *(
        Bad(
            ours,
            lambda ours=ours, other=other: ours(parameters()).load_state_dict(
                other(parameters()).state_dict()
            ),
            ValueError,
            words,
        )
        for ours, other, words in (
            (optim.Adam, optim.SGD, ("state_dict", "betas", "Adam", "the kind that was saved")),
            (optim.Adam, optim.AdamW, ("decoupled_weight_decay", "True", "Adam")),
            (optim.Adam, torch.optim.AdamW, ("decoupled_weight_decay", "True", "Adam")),
            (optim.AdamW, optim.Adam, ("decoupled_weight_decay", "False", "AdamW")),
            (optim.RMSprop, optim.Adadelta, ("alpha, centered, momentum", "RMSprop")),
        )
    ),
    Bad(
        optim.Optimizer,
        lambda: optim.Optimizer(parameters(), {"lr": -1, "weight_decay": 0}),
        ValueError,
        ("lr", "-1"),
    ),
]
