"""The rows of deeplearn.pretraining."""

import torch
from torch import nn

from deeplearn import models, pretraining, transfer
from oracles.table import NAN, Bad, integers, weight

V, T = ValueError, TypeError


def bad(name, call, error, *words):
    return Bad(getattr(pretraining, name), lambda: call(getattr(pretraining, name)), error, words)


def frozen():
    transfer.freeze(model := models.mlp([4, 3, 2]), "hidden1")
    return model


def net(**kwargs):
    return models.mlp([4, 3, 2], **kwargs)


BAD = [
    bad("Autoencoder", lambda f: f([4]), V, "sizes", "[4]", "inputs and outputs"),
    bad("Autoencoder", lambda f: f([4, 0]), V, "sizes[1]", "0", "larger"),
    bad("Autoencoder", lambda f: f(4), T, "sizes", "4", "[784"),
    bad("Autoencoder", lambda f: f([4, 2], nn.ELU()), T, "activation", "ELU(", "without calling"),
    bad("RBM", lambda f: f(0, 3), V, "num_visible", "0", "larger"),
    bad("RBM", lambda f: f(3, 0), V, "num_hidden", "0", "larger"),
    bad("RBM", lambda f: f(3, 2.0), T, "num_hidden", "float", "whole"),
    bad("RBM", lambda f: f(3, 2).cd_gradient(integers()), T, "v", "int64", ".float()"),
    bad("RBM", lambda f: f(3, 2).cd_gradient(weight()), V, "v", "(batch, 3)", "(3, 4)"),
    bad("RBM", lambda f: f(4, 2).cd_gradient(weight() - 0.1), V, "v", "[0, 1]", "from -0.1"),
    bad("RBM", lambda f: f(4, 2).cd_gradient(weight() + 1.5), V, "v", "[0, 1]", "to 1.5"),
    bad("RBM", lambda f: f(4, 2).cd_gradient(weight() * NAN), V, "v", "finite", "NaN"),
    bad("RBM", lambda f: f(4, 2).cd_gradient(weight()[0]), V, "v", "(4,)"),
    bad("RBM", lambda f: f(4, 2).cd_gradient(weight(), 0), V, "k", "0", "larger"),
    bad("greedy_pretrain", lambda f: f(nn.Linear(4, 2), weight()), T, "model", "Linear"),
    bad(
        "greedy_pretrain",
        lambda f: f(nn.Sequential(nn.ELU()), weight()),
        V,
        "hidden layers",
        "ELU(",
    ),
    bad("greedy_pretrain", lambda f: f(models.mlp([4, 2]), weight()), V, "hidden layers", "output"),
    bad("greedy_pretrain", lambda f: f(frozen(), weight()), V, "model", "none frozen", "hidden1"),
    bad("greedy_pretrain", lambda f: f(net()[1:], weight()), V, "hidden layers", "activation1"),
    bad("greedy_pretrain", lambda f: f(net(), weight(), method="x"), V, "method", "'x'", "rbm"),
    bad("greedy_pretrain", lambda f: f(net(), weight(), method="rbm"), V, "rbm", "nn.Sigmoid"),
    bad("greedy_pretrain", lambda f: f(net(), weight(), num_epochs=0), V, "num_epochs", "0"),
    bad("greedy_pretrain", lambda f: f(net(), weight(), lr=-1.0), V, "lr", "-1.0"),
    bad("greedy_pretrain", lambda f: f(net(), weight(), batch_size=0), V, "batch_size", "0"),
    bad("greedy_pretrain", lambda f: f(net(), integers()), T, "X", "int64", ".float()"),
    bad("greedy_pretrain", lambda f: f(net(), torch.ones(3, 5)), V, "X", "(batch, 4)", "(3, 5)"),
    bad("greedy_pretrain", lambda f: f(net(), weight() * NAN), V, "X", "finite", "NaN"),
    bad("corrupt", lambda f: f(integers()), T, "X", "int64", ".float()"),
    bad("corrupt", lambda f: f(torch.ones(0, 2)), V, "X", "(0, 2)"),
    bad("corrupt", lambda f: f(torch.ones(1, 2)), V, "X", "2 rows", "(1, 2)"),
    bad("corrupt", lambda f: f(torch.ones(3)), V, "X", "2 rows", "(3,)"),
    bad("corrupt", lambda f: f(torch.eye(3), 0.0), V, "p", "0.0", "(0, 1)"),
    bad("corrupt", lambda f: f(torch.eye(3), 1), V, "p", "1", "good row"),
    bad("corrupt", lambda f: f(torch.ones(3, 2)), V, "p=0.5", "3 of 3", "equal rows"),
]
