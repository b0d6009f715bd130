"""The rows of deeplearn.data."""

from functools import partial

import torch

from deeplearn import data
from oracles.table import NAN, Bad, integers, labels, loader, weight


def apply(X):
    return data.center(torch.ones(2, 4))(X)


BAD = [
    *(
        Bad(name, partial(call, *args, **kwargs), ValueError, words)
        for name, call, args, kwargs, words in (
            (data.TensorLoader, loader, (weight() * NAN,), {}, ("tensors[0]", "NaN", "repair")),
            (data.TensorLoader, loader, (), {"batch_size": 0}, ("batch_size", "0", "larger")),
            (data.load_mnist, data.load_mnist, ("cifar",), {}, ("source", "'cifar'", "digits")),
            (data.random_split, data.random_split, (weight(), labels()), {"valid_size": 3},
             ("valid_size", "3 of 3 rows", "choose another")),
            (data.stratified_split, data.stratified_split, (weight(), labels()[:2]),
             {"valid_size": 1}, ("X has 3", "y has 2", "pair them")),
            (data.select_classes, data.select_classes, (weight(), labels(), [7]), {},
             ("classes", "[7]", "[0]")),
        )
    ),
    *(
        Bad(name, partial(name, X, **kwargs), error, words)
        for name in (data.center, data.standardize, data.whiten)
        for X, kwargs, error, words in (
            (None, {}, TypeError, ("X_train", "NoneType", "torch.as_tensor")),
            (integers(), {}, TypeError, ("X_train", "torch.int64", ".float()")),
            (weight()[:0], {}, ValueError, ("X_train", "empty", "(0, 4)")),
            (weight() * NAN, {}, ValueError, ("X_train", "12 NaN", "repair")),
        )
    ),
    *(
        Bad(name, partial(name, torch.rand(3, 4), dim=dim), ValueError, ("dim", found, "try 0"))
        for name in (data.center, data.standardize)
        for dim, found in ((1, "got 1"), ((), "()"), ((0, 2), "(0, 2)"), ((0, -1), "-1"),
                           ([0], "[0]"), (None, "None"))
    ),
    *(
        Bad(name, partial(name, torch.rand(3, 4), **kwargs), error, words)
        for name, kwargs, error, words in (
            (data.standardize, {"eps": -1e-9}, ValueError, ("eps", "-1e-09", "magnitude")),
            (data.standardize, {"eps": 1}, ValueError, ("eps", "[0, 1)", "got 1")),
            (data.standardize, {"eps": None}, TypeError, ("eps", "NoneType", "magnitude")),
            (data.whiten, {"eps": -1}, ValueError, ("eps", "-1", "variance")),
            (data.whiten, {"eps": 0}, ValueError, ("eps", "got 0", "4 directions")),
            (data.whiten, {"num_components": 0}, ValueError, ("num_components", "0", "larger")),
            (data.whiten, {"num_components": 5}, ValueError, ("4]", "keep fewer")),
            (data.whiten, {"num_components": 0.9}, TypeError, ("num_components", "float")),
        )
    ),
    Bad(data.whiten, lambda: data.whiten(weight()[:1]), ValueError, ("X_train", "(1, 4)", "≥ 2")),
    Bad(data.whiten, lambda: data.whiten(torch.ones(3, 2, 2)), ValueError, ("(3, 2, 2)", "flat")),
    *(
        Bad(data.Preprocessing, partial(apply, X), error, words)
        for X, error, words in (
            (None, TypeError, ("X", "NoneType", "torch.as_tensor")),
            (weight() * NAN, ValueError, ("X", "12 NaN", "repair")),
            (weight()[:, :3], ValueError, ("X", "(1, 4)", "(3, 3)", "reshape")),
            (weight()[:, :1], ValueError, ("X", "(1, 4)", "(3, 1)", "reshape")),
            (weight()[0], ValueError, ("X", "(1, 4)", "(4,)", "reshape")),
        )
    ),
    Bad(
        data.Preprocessing,
        lambda: data.Preprocessing(weight()[:1], integers()[:1]),
        TypeError,
        ("weight", "torch.int64", ".float()"),
    ),
]  # fmt: skip
