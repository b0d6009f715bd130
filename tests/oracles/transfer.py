"""The rows of deeplearn.transfer."""

import numpy as np
import torch
from torch import nn

from deeplearn import transfer
from oracles.table import Bad, linear, weight


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))


def bad(name, call, error, *words):
    return Bad(getattr(transfer, name), lambda: call(getattr(transfer, name)), error, words)


V, T = ValueError, TypeError
BAD = [
    bad("freeze", lambda f: f(None, ".*"), T, "model", "NoneType"),
    bad("freeze", lambda f: f(net(), "hidden.*"), V, "'hidden.*'", "no module", "['', '0', '1'"),
    bad("freeze", lambda f: f(net(), "("), V, "pattern", "'('", "regular expression"),
    bad("freeze", lambda f: f(net(), 1), V, "pattern", "1", "regular expression"),
    bad("unfreeze", lambda f: f([], ".*"), T, "model", "list"),
    bad("unfreeze", lambda f: f(net(), "3"), V, "'3'", "no module", "'2']"),
    bad("load_matching", lambda f: f(None, {}), T, "model", "NoneType"),
    bad("load_matching", lambda f: f(net(), net()), T, "state_dict", "Sequential", "Mapping"),
    bad("load_matching", lambda f: f(net(), {}, "9"), V, "'9'", "no parameter", "'0.bias'"),
    bad("load_matching", lambda f: f(net(), {}), V, "state_dict", "missing_keys=['0.w", "keys"),
    bad("load_matching", lambda f: f(linear(), {"bias": [0]}), T, "state_dict['bias']", "list"),
    bad("load_matching", lambda f: f(linear(), {"bias": weight()}), V, "((3, 4), (3,))", "compare"),
    bad("load_arrays", lambda f: f(None, {}, transpose=True), T, "model", "NoneType"),
    bad("load_arrays", lambda f: f(linear(), [], transpose=True), T, "arrays", "list", "Mapping"),
    bad("load_arrays", lambda f: f(linear(), {}, transpose=1), T, "transpose", "1", "pattern"),
    bad("load_arrays", lambda f: f(linear(), {}, transpose=False), V, "missing_keys=['weight'"),
    bad("load_arrays", lambda f: f(linear(), {"w": np.ones(3)}, transpose=False), V, "'w'", "(3,)",
        "['weight', 'bias']"),
    bad("load_arrays", lambda f: f(linear(), {"weight": np.ones((4, 3))}, transpose=False), V,
        "'weight'", "(3, 4)", "(4, 3)", "transpose?"),
    bad("load_arrays", lambda f: f(linear(), {"weight": np.ones((3, 4))}, transpose=True), V,
        "'weight'", "(3, 4)", "(4, 3)", "transpose?"),
    bad("load_arrays", lambda f: f(linear(), {"bias": np.ones(3)}, transpose="bias"), V, "'bias'",
        "2-d array"),
    bad("replace_head", lambda f: f(None, 3), T, "model", "NoneType"),
    bad("replace_head", lambda f: f(net(), 0), V, "num_outputs", "0", "larger"),
    bad("replace_head", lambda f: f(net(), 2.0), T, "num_outputs", "float"),
    bad("replace_head", lambda f: f(linear(), 2), V, "model", "Linear(in", "add one"),
    bad("replace_head", lambda f: f(nn.Sequential(nn.ReLU()), 2), V, "model", "ReLU()"),
    bad("cache_features", lambda f: f(None, weight()), T, "model", "NoneType"),
    bad("cache_features", lambda f: f(net(), [1.0]), T, "X", "list"),
    bad("cache_features", lambda f: f(net(), torch.ones(0, 4)), V, "X", "(0, 4)", "needs"),
    bad("cache_features", lambda f: f(net(), weight(), 0), V, "batch_size", "0", "larger"),
    bad("cache_features", lambda f: f(net(), weight()), V, "model", "'0.weight'", 'call freeze('),
]  # fmt: skip
