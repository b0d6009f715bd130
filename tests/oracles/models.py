"""The rows of deeplearn.models."""

from torch import nn

from deeplearn import activations, models
from oracles.table import Bad

BAD = [
    Bad(models.mlp, lambda: models.mlp([4]), ValueError, ("sizes", "[4]", "inputs and outputs")),
    Bad(models.mlp, lambda: models.mlp([4, 0, 2]), ValueError, ("sizes[1]", "0", "larger")),
    Bad(models.mlp, lambda: models.mlp([4, 2.5]), TypeError, ("sizes[1]", "float", "whole")),
    Bad(
        models.mlp,
        lambda: models.mlp([4, 3, 2], activation=nn.ReLU()),
        TypeError,
        ("activation", "ReLU()", "without calling"),
    ),
    Bad(
        models.mlp,
        lambda: models.mlp([4, 3, 2], activation=activations.elu),
        TypeError,
        ("activation", "without arguments", "input"),
    ),
    Bad(
        models.mlp,
        lambda: models.mlp([4, 3, 2], activation=lambda: None),
        TypeError,
        ("activation", "None", "class"),
    ),
    Bad(models.mlp, lambda: models.mlp([4, 2], init_=None), TypeError, ("init_", "None")),
    Bad(models.mlp, lambda: models.mlp([4, 2], dropout=1.5), ValueError, ("dropout", "1.5")),
    Bad(models.mlp, lambda: models.mlp(5), TypeError, ("sizes", "5", "[784")),
]
