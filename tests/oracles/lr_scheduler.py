"""The rows of deeplearn.lr_scheduler."""

from functools import partial

import torch

from deeplearn import lr_scheduler, optim
from oracles.table import NAN, Bad, labels, linear, loader, parameters


def sgd():
    return optim.SGD(parameters(), lr=0.1, momentum=0.9)


def two_groups():
    return optim.SGD([{"params": parameters()}, {"params": parameters()}], momentum=0.9)


def adagrad():
    return optim.Adagrad(parameters())


F = torch.nn.functional
S = lr_scheduler
ROWS = [
    (S.PiecewiseConstantLR, sgd, ([2, 1], [1, 2, 3]), {}, ValueError, ("milestones", "[2, 1]")),
    (S.PiecewiseConstantLR, sgd, ([2, 2], [1, 2, 3]), {}, ValueError, ("milestones", "grow")),
    (S.PiecewiseConstantLR, sgd, ([0], [1, 2]), {}, ValueError, ("milestones[0]", "0")),
    (S.PiecewiseConstantLR, sgd, ([1.5], [1, 2]), {}, TypeError, ("milestones[0]", "float")),
    (S.PiecewiseConstantLR, sgd, ([1], [1]), {}, ValueError, ("values", "2", "[1]", "span")),
    (S.PiecewiseConstantLR, sgd, ([1], [1, -1]), {}, ValueError, ("values", "-1", "rate")),
    (S.ExponentialLR, sgd, (0.0,), {}, ValueError, ("gamma", "0.0", "10 ** (-1 / r)")),
    (S.ExponentialLR, sgd, ("a",), {}, TypeError, ("gamma", "str")),
    (S.PowerLR, sgd, (0,), {}, ValueError, ("r", "0", "halved")),
    (S.PowerLR, sgd, (1, -1.0), {}, ValueError, ("c", "-1.0", "1.0 is usual")),
    (S.CosineAnnealingLR, sgd, (0,), {}, ValueError, ("T_max", "0", "steps")),
    (S.CosineAnnealingLR, sgd, (5, -0.1), {}, ValueError, ("eta_min", "-0.1", "rate")),
    (S.OneCycleLR, sgd, (-1.0, 9), {}, ValueError, ("max_lr", "-1.0", "lr_range_test")),
    (S.OneCycleLR, two_groups, ([0.1, NAN], 9), {}, ValueError, ("max_lr", "nan")),
    (S.OneCycleLR, sgd, (1.0,), {}, ValueError, ("total_steps", "epochs")),
    (S.OneCycleLR, sgd, (1.0, 9), {"pct_start": 1.1}, ValueError, ("pct_start", "1.1", "0.3")),
    (S.OneCycleLR, sgd, (1.0, 9), {"pct_start": -0.1}, ValueError, ("pct_start", "-0.1")),
    (S.OneCycleLR, sgd, (1.0, 9), {"anneal_strategy": "x"}, ValueError, ("anneal", "cos", "'x'")),
    (S.OneCycleLR, sgd, (1.0, 9), {"div_factor": 0}, ValueError, ("div_factor", "0", "25")),
    (
        S.OneCycleLR,
        sgd,
        (1.0, 9),
        {"final_div_factor": 0},
        ValueError,
        ("final_div_factor", "0", "1e4"),
    ),
    (S.OneCycleLR, adagrad, (1.0, 9), {}, ValueError, ("momentum", "cycle_momentum")),
    (S.ReduceLROnPlateau, sgd, ("least",), {}, ValueError, ("mode", "min", "'least'")),
    (S.ReduceLROnPlateau, sgd, (), {"factor": 1.0}, ValueError, ("factor", "1.0", "0.1")),
    (S.ReduceLROnPlateau, sgd, (), {"factor": -0.1}, ValueError, ("factor", "-0.1", "0.1")),
    (S.ReduceLROnPlateau, sgd, (), {"patience": -1}, ValueError, ("patience", "-1")),
    (S.ReduceLROnPlateau, sgd, (), {"cooldown": 0.5}, TypeError, ("cooldown", "float")),
    (S.ReduceLROnPlateau, sgd, (), {"threshold": NAN}, ValueError, ("threshold", "nan", "1e-4")),
    (S.ReduceLROnPlateau, sgd, (), {"threshold_mode": 1}, ValueError, ("threshold_mode", "rel")),
    (S.ReduceLROnPlateau, sgd, (), {"eps": -1}, ValueError, ("eps", "-1", "1e-8")),
    (S.ReduceLROnPlateau, sgd, (), {"min_lr": -1}, ValueError, ("min_lr", "-1", "rate")),
]


def range_test(batches=None, **kwargs):
    model = linear()
    settings = {"optimizer": optim.SGD(model.parameters()), **kwargs}
    batches = loader() if batches is None else batches
    model = settings.pop("model", model)
    optimizer = settings.pop("optimizer")
    return lr_scheduler.lr_range_test(model, optimizer, F.cross_entropy, batches, **settings)


BAD = [
    *(
        Bad(kind, lambda k=kind, o=new, a=args, kw=kwargs: k(o(), *a, **kw), error, words)
        for kind, new, args, kwargs, error, words in ROWS
    ),
    *(
        Bad(kind, partial(kind, None, *args), TypeError, ("Optimizer",))
        for kind, args in (
            (S.PiecewiseConstantLR, ([1], [1, 2])),
            (S.ExponentialLR, (0.5,)),
            (S.PowerLR, (1,)),
            (S.CosineAnnealingLR, (5,)),
            (S.OneCycleLR, (1.0, 9)),
            (S.ReduceLROnPlateau, ()),
        )
    ),
    *(
        Bad(S.lr_range_test, partial(range_test, *args, **kwargs), error, words)
        for args, kwargs, error, words in (
            ((), {"model": None}, TypeError, ("model", "Module", "NoneType")),
            ((), {"optimizer": optim.SGD}, TypeError, ("optimizer", "the class SGD")),
            ((), {"low": 0}, ValueError, ("low", "0", "1e-6")),
            ((), {"low": 2.0, "high": 2.0}, ValueError, ("high", "2", "above low")),
            ((), {"num_steps": 1}, ValueError, ("num_steps", "2", "1")),
            (([],), {}, ValueError, ("loader", "no batch", "drop_last")),
            (
                ([(torch.full((3, 4), NAN), labels())],),
                {},
                ValueError,
                ("first loss", "nan", "repair"),
            ),
            ((torch.zeros(2, 4),), {}, TypeError, ("batch", "Tensor", "TensorLoader")),
        )
    ),
]
