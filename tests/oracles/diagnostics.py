"""The rows of deeplearn.diagnostics."""

from functools import partial

import torch

from deeplearn import diagnostics
from oracles.table import NAN, Bad, F, integers, labels, linear, weight


def frozen():
    return linear().requires_grad_(False)


def entered(manager, *args):
    return manager(*args).__enter__()


record = partial(entered, diagnostics.record_activations)
update = partial(entered, diagnostics.update_ratios)
initial = partial(diagnostics.check_initial_loss, linear(), F.cross_entropy)
overfit = partial(diagnostics.overfit_small_batch, linear(), F.cross_entropy)
BAD = [
    *(
        Bad(name, partial(call, *args), error, words)
        for name, call, args, error, words in (
            (diagnostics.record_activations, record, (None,), TypeError, ("model", "NoneType")),
            (diagnostics.record_activations, record, (linear(), "hidden.*"), ValueError,
             ("hidden.*", "the model has")),
            (diagnostics.record_activations, record, (linear(), "("), ValueError,
             ("pattern", "'('", "regular expression")),
            (diagnostics.gradient_norms, diagnostics.gradient_norms, (None,), TypeError,
             ("model", "NoneType")),
            (diagnostics.gradient_norms, diagnostics.gradient_norms, (linear(),), ValueError,
             ("model", "loss.backward()")),
            (diagnostics.update_ratios, update, (None,), TypeError, ("model", "NoneType")),
            (diagnostics.update_ratios, update, (frozen(),), ValueError,
             ("model", "trainable", ".requires_grad_()")),
        )
    ),
    *(
        Bad(diagnostics.dead_fraction, partial(diagnostics.dead_fraction, value), error, words)
        for value, error, words in (
            ({"activation1": weight()}, TypeError, ("activations", "dict", "torch.as_tensor")),
            (integers(), TypeError, ("activations", "torch.int64", ".float()")),
            (weight()[:0], ValueError, ("activations", "empty", "(0, 4)")),
            (weight()[:1], ValueError, ("activations", "(batch, units)", "(1, 4)", "≥ 2")),
            (torch.zeros(2, 3, 4), ValueError, ("activations", "(2, 3, 4)", "flatten")),
            (weight() * NAN, ValueError, ("activations", "12 NaN", "repair")),
        )
    ),
    *(
        Bad(diagnostics.check_initial_loss, partial(initial, *args, **kwargs), error, words)
        for args, kwargs, error, words in (
            (([0.0], labels(), 3), {}, TypeError, ("X", "list", "torch.as_tensor")),
            ((weight() * NAN, labels(), 3), {}, ValueError, ("X", "12 NaN", "repair")),
            ((weight(), labels(), 1), {}, ValueError, ("num_classes", "at least 2", "got 1")),
            ((weight(), labels(), 3), {"tolerance": -1}, ValueError, ("tolerance", "-1", "diff")),
            ((weight(), labels(), 3), {"tolerance": NAN}, ValueError, ("tolerance", "nan")),
            ((weight(), labels(), 10**6), {}, ValueError,
             ("initial loss", "ln 1000000 = 13.8155", "tolerance=0.5", "weights")),
        )
    ),
    Bad(
        diagnostics.check_initial_loss,
        lambda: diagnostics.check_initial_loss(None, F.cross_entropy, weight(), labels(), 3),
        TypeError,
        ("model", "NoneType"),
    ),
    *(
        Bad(diagnostics.overfit_small_batch, partial(overfit, *args, **kwargs), error, words)
        for args, kwargs, error, words in (
            ((integers(), labels()), {}, TypeError, ("X", "torch.int64", ".float()")),
            ((weight()[:0], labels()[:0]), {}, ValueError, ("X", "empty")),
            ((weight(), labels()), {"lr": 0}, ValueError, ("lr", "got 0", "0.01")),
            ((weight(), labels()), {"num_steps": 0}, ValueError, ("num_steps", "0", "larger")),
            ((weight(), torch.zeros(3, 3)), {}, ValueError,
             ("model(X)", "(3, 3) for labels (3, 3)", "logits")),
        )
    ),
    Bad(
        diagnostics.overfit_small_batch,
        lambda: diagnostics.overfit_small_batch(frozen(), F.cross_entropy, weight(), labels()),
        ValueError,
        ("model", "trainable", ".requires_grad_()"),
    ),
    Bad(
        diagnostics.overfit_small_batch,
        lambda: diagnostics.overfit_small_batch(F, F.cross_entropy, weight(), labels()),
        TypeError,
        ("model", "module"),
    ),
]  # fmt: skip
