"""The rows of deeplearn.siamese."""

import torch
from torch import nn

from deeplearn import siamese
from oracles.table import NAN, Bad, linear, weight


def pairs(*words, X=None, y=(0, 0, 1, 1), n=2, error=ValueError):
    X = torch.zeros(4, 2) if X is None else X
    y = torch.tensor(y) if isinstance(y, tuple) else y
    return Bad(siamese.sample_pairs, lambda: siamese.sample_pairs(X, y, n), error, words)


def net(*words, first=None, error=ValueError, **kwargs):
    first = linear() if first is None else first
    kwargs = {"num_features": 3, **kwargs}
    return Bad(siamese.SiameseNet, lambda: siamese.SiameseNet(first, **kwargs), error, words)


BAD = [
    pairs("X", "list", "as_tensor", X=[1.0], error=TypeError),
    pairs("X", "int64", ".float()", X=torch.zeros(4, 2, dtype=torch.int64), error=TypeError),
    pairs("X", "empty", "(0, 2)", X=torch.zeros(0, 2)),
    pairs("X", "finite", "NaN", X=torch.full((4, 2), NAN)),
    pairs("y", "list", "as_tensor", y=[0, 0, 1, 1], error=TypeError),
    pairs("y", "4 integer", "(3,)", y=(0, 0, 1)),
    pairs("y", "4 integer", "float32", y=torch.zeros(4)),
    pairs("y", "4 integer", "(4, 1)", y=torch.zeros(4, 1, dtype=torch.int64)),
    pairs("num_pairs", "even", "3", n=3),
    pairs("num_pairs", "at least 2", "0", n=0),
    pairs("num_pairs", "float", "whole", n=2.0, error=TypeError),
    pairs("y", "2 classes", "[4]", y=(1, 1, 1, 1)),
    pairs("y", "2 rows in each", "[3, 1]", y=(0, 0, 0, 1)),
    net("first", "Tensor", first=weight(), error=TypeError),
    net("first", "the class Linear", first=nn.Linear, error=TypeError),
    net("second", "int", second=3, error=TypeError),
    net("num_features", "0", num_features=0),
    net("num_features", "float", num_features=3.0, error=TypeError),
    net("sizes[1]", "0", num_hidden=0),
]
