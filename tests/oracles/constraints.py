"""The rows of deeplearn.constraints."""

from functools import partial

import torch
from torch import nn

from deeplearn import constraints
from oracles.table import NAN, Bad, bias, integers, linear, weight


def with_gradient(value: float) -> nn.Parameter:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.full((2,), value)
    return parameter


BAD = [
    *(
        Bad(clip_, partial(clip_, params, 1.0), error, words)
        for clip_ in (constraints.clip_grad_value_, constraints.clip_grad_norm_)
        for params, error, words in (
            (linear(), TypeError, ("parameters", "Linear", "model.parameters()")),
            (None, TypeError, ("parameters", "None", "model.parameters()")),
            ([], ValueError, ("parameters", "empty", "model.parameters()")),
            (["a"], TypeError, ("parameters", "str", "Tensor")),
        )
    ),
    *(
        Bad(clip_, partial(clip_, with_gradient(1.0), limit), error, (name, *words))
        for clip_, name in (
            (constraints.clip_grad_value_, "clip_value"),
            (constraints.clip_grad_norm_, "max_norm"),
        )
        for limit, error, words in (
            (-0.5, ValueError, ("-0.5", "1.0 is a first try")),
            (NAN, ValueError, ("nan", "1.0 is a first try")),
            (None, TypeError, ("NoneType", "1.0 is a first try")),
        )
    ),
    Bad(
        constraints.clip_grad_norm_,
        lambda: constraints.clip_grad_norm_(with_gradient(1.0), 1.0, NAN),
        ValueError,
        ("norm_type", "nan", "2 is"),
    ),
    *(
        Bad(
            constraints.clip_grad_norm_,
            lambda value=value: constraints.clip_grad_norm_(
                with_gradient(value), 1.0, error_if_nonfinite=True
            ),
            RuntimeError,
            ("norm", words, "lower lr"),
        )
        for value, words in ((NAN, "nan"), (float("inf"), "inf"))
    ),
    *(
        Bad(constraints.max_norm_, partial(constraints.max_norm_, *args), error, words)
        for args, error, words in (
            ((bias(), 1.0), ValueError, ("weight", "(3,)", "biases")),
            ((integers(), 1.0), TypeError, ("weight", "int64", ".float()")),
            (([[1.0]], 1.0), TypeError, ("weight", "list", "torch.as_tensor")),
            ((weight(), 0.0), ValueError, ("max_norm", "0.0", "2 to 4")),
            ((weight(), NAN), ValueError, ("max_norm", "nan", "2 to 4")),
        )
    ),
    *(
        Bad(constraints.prune_small_, partial(constraints.prune_small_, *args), error, words)
        for args, error, words in (
            ((linear(), -0.1), ValueError, ("threshold", "-0.1", "first try")),
            ((linear(), NAN), ValueError, ("threshold", "nan")),
            ((linear().weight, 0.1), TypeError, ("model", "Module", "Parameter")),
            ((nn.ReLU(), 0.1), ValueError, ("model", "ReLU", "two dimensions")),
        )
    ),
    Bad(
        constraints.sparsity,
        lambda: constraints.sparsity(nn.BatchNorm1d(3)),
        ValueError,
        ("model", "BatchNorm1d", "two dimensions"),
    ),
    Bad(constraints.sparsity, lambda: constraints.sparsity(3), TypeError, ("model", "int")),
]
