"""The rows of deeplearn.init."""

from functools import partial

import torch
from torch import nn

from deeplearn import init
from oracles.table import NAN, Bad, Case, bias, integers, linear, weight


def lecun_reference_(tensor: torch.Tensor, distribution: str, generator: torch.Generator | None):
    """LeCun's variance 1/fan_in is torch's Kaiming rule for a linear unit."""
    fill_ = {"normal": nn.init.kaiming_normal_, "uniform": nn.init.kaiming_uniform_}[distribution]
    return fill_(tensor, nonlinearity="linear", generator=generator)


def _tied() -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    return model


_FILLS = (
    init.xavier_uniform_,
    init.xavier_normal_,
    init.kaiming_uniform_,
    init.kaiming_normal_,
    init.lecun_uniform_,
    init.lecun_normal_,
    init.orthogonal_,
)

_PLAIN = (init.uniform_, init.normal_, init.trunc_normal_)

INITS = [
    *(
        Case(ours, theirs, kwargs)
        for ours, theirs in (
            (init.xavier_uniform_, nn.init.xavier_uniform_),
            (init.xavier_normal_, nn.init.xavier_normal_),
            (init.orthogonal_, nn.init.orthogonal_),
        )
        for kwargs in ({}, {"gain": 0.5}, {"gain": 5 / 3})
    ),
    *(
        Case(ours, theirs, kwargs)
        for ours, theirs in (
            (init.kaiming_uniform_, nn.init.kaiming_uniform_),
            (init.kaiming_normal_, nn.init.kaiming_normal_),
        )
        for kwargs in (
            {},
            {"a": 0.2},
            {"mode": "fan_out"},
            {"nonlinearity": "relu"},
            {"nonlinearity": "tanh", "mode": "fan_out"},
        )
    ),
    *(Case(init.uniform_, nn.init.uniform_, kwargs) for kwargs in ({}, {"a": -0.5, "b": 2.0})),
    *(Case(init.normal_, nn.init.normal_, kwargs) for kwargs in ({}, {"mean": -0.5, "std": 2.0})),
    *(
        Case(init.trunc_normal_, nn.init.trunc_normal_, kwargs)
        for kwargs in ({}, {"std": 0.5, "a": -0.5, "b": 0.4}, {"a": 0.5, "b": 1.5})
    ),
    Case(init.lecun_normal_, partial(lecun_reference_, distribution="normal")),
    Case(init.lecun_uniform_, partial(lecun_reference_, distribution="uniform")),
]

GAINS = [
    Case(init.calculate_gain, nn.init.calculate_gain, kwargs)
    for kwargs in (
        *({"nonlinearity": name} for name in ("linear", "conv2d", "sigmoid", "tanh", "relu")),
        *({"nonlinearity": f"conv_transpose{n}d"} for n in (1, 2, 3)),
        {"nonlinearity": "selu"},
        {"nonlinearity": "leaky_relu"},
        {"nonlinearity": "leaky_relu", "param": 0.2},
    )
]


BAD = [
    *(
        Bad(fill_, partial(fill_, argument), error, words)
        for fill_ in _FILLS
        for argument, error, words in (
            (bias(), ValueError, ("tensor", "(3,)", "bias")),
            (integers(), TypeError, ("tensor", "int64", ".float()")),
            (torch.empty(0, 4), ValueError, ("tensor", "(0, 4)", "element")),
            ([[1.0]], TypeError, ("tensor", "list", "torch.as_tensor")),
        )
    ),
    *(
        Bad(
            fill_, partial(fill_, weight(), generator=0), TypeError, ("generator", "int", "seed(0)")
        )
        for fill_ in _FILLS
    ),
    *(
        Bad(fill_, partial(fill_, weight(), gain=-1.0), ValueError, ("gain", "-1.0", "tanh"))
        for fill_ in (init.xavier_uniform_, init.xavier_normal_)
    ),
    *(
        Bad(fill_, partial(fill_, [1.0]), TypeError, ("tensor", "list", "torch.as_tensor"))
        for fill_ in (init.zeros_, init.ones_, *_PLAIN)
    ),
    *(
        Bad(fill_, partial(fill_, integers()), TypeError, ("tensor", "int64", ".float()"))
        for fill_ in _PLAIN
    ),
    *(
        Bad(
            fill_, partial(fill_, weight(), generator=0), TypeError, ("generator", "int", "seed(0)")
        )
        for fill_ in _PLAIN
    ),
    *(
        Bad(fill_, partial(fill_, weight(), b=-3.0), ValueError, ("b must", "-3.0", "highest"))
        for fill_ in (init.uniform_, init.trunc_normal_)
    ),
    *(
        Bad(fill_, partial(fill_, weight(), std=-1.0), ValueError, ("std", "-1.0", "deviation"))
        for fill_ in (init.normal_, init.trunc_normal_)
    ),
    Bad(
        init.constant_,
        lambda: init.constant_([1.0], 0.5),
        TypeError,
        ("tensor", "list", "torch.as_tensor"),
    ),
    Bad(
        init.constant_,
        lambda: init.constant_(weight(), NAN),
        ValueError,
        ("val", "nan", "element"),
    ),
    Bad(
        init.orthogonal_,
        lambda: init.orthogonal_(weight().half()),
        TypeError,
        ("tensor", "float16", "float32", "QR"),
    ),
    Bad(init.lsuv_, lambda: init.lsuv_(_tied(), weight()), ValueError, ("model", "'0'", "untie")),
    *(
        Bad(fill_, partial(fill_, weight(), gain=NAN), ValueError, ("gain", "nan"))
        for fill_ in (init.xavier_uniform_, init.xavier_normal_, init.orthogonal_)
    ),
    *(
        Bad(fill_, partial(fill_, weight(), mode="fan"), ValueError, ("mode", "fan_in", "'fan'"))
        for fill_ in (init.kaiming_uniform_, init.kaiming_normal_)
    ),
    Bad(init.calculate_gain, lambda: init.calculate_gain("elu"), ValueError, ("relu", "'elu'")),
    Bad(
        init.calculate_gain,
        lambda: init.calculate_gain("leaky_relu", NAN),
        ValueError,
        ("param", "nan", "slope"),
    ),
    Bad(init.lsuv_, lambda: init.lsuv_(nn.ReLU(), weight()), ValueError, ("model", "nn.Linear")),
    Bad(init.lsuv_, lambda: init.lsuv_(linear(), weight() / 0), ValueError, ("X", "12", "repair")),
    Bad(init.lsuv_, lambda: init.lsuv_(linear(), weight()), ValueError, ("X", "0.0", "rows")),
    Bad(init.lsuv_, lambda: init.lsuv_(linear(), integers()), TypeError, ("X", "int64")),
    Bad(
        init.lsuv_,
        lambda: init.lsuv_(linear(), torch.ones(3, 4), tolerance=0.0),
        ValueError,
        ("tolerance", "0.0", "0.1"),
    ),
    Bad(
        init.lsuv_,
        lambda: init.lsuv_(
            linear(),
            torch.randn(9, 4, generator=torch.Generator().manual_seed(0)),
            tolerance=1e-12,
            max_iterations=1,
        ),
        ValueError,
        ("max_iterations=1", "variance", "tolerance"),
    ),
    Bad(init.lsuv_, lambda: init.lsuv_(None, weight()), TypeError, ("model", "NoneType")),
]
