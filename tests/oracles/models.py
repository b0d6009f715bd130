"""The rows of deeplearn.models."""

from torch import nn

from deeplearn import activations, models
from oracles.table import Bad

BAD = [
    Bad(models.mlp, lambda: models.mlp([4]), ValueError, ("sizes", "[4]", "inputs and outputs")),
    Bad(models.mlp, lambda: models.mlp([4, 0, 2]), ValueError, ("sizes[1]", "0", "larger")),
    Bad(models.mlp, lambda: models.mlp([4, 2.5]), TypeError, ("sizes[1]", "float", "whole")),
    Bad(models.mlp, lambda: models.mlp([4, 2], dropout=1.5), ValueError, ("dropout", "1.5")),
    Bad(models.mlp, lambda: models.mlp(5), TypeError, ("sizes", "5", "[784")),
    *(
        Bad(make, lambda make=make, sizes=sizes, bad=bad: make(*sizes, **bad), TypeError, words)
        for make, sizes in ((models.mlp, ([4, 3, 2],)), (models.ResidualMLP, (4, 3, 2, 2)))
        for bad, words in (
            ({"activation": nn.ReLU()}, ("activation", "ReLU()", "without calling")),
            ({"activation": activations.elu}, ("activation", "without arguments", "input")),
            ({"activation": lambda: None}, ("activation", "None", "class")),
            ({"init_": None}, ("init_", "None", "without calling")),
            ({"generator": 0}, ("generator", "int", "manual_seed(0)")),
        )
    ),
    *(
        Bad(models.ResidualMLP, lambda sizes=sizes: models.ResidualMLP(*sizes), error, words)
        for sizes, error, words in (
            ((0, 3, 2, 2), ValueError, ("num_inputs", "0", "larger")),
            ((4, 3.0, 2, 2), TypeError, ("width", "float", "whole")),
            ((4, 3, -1, 2), ValueError, ("depth", "-1", "larger")),
            ((4, 3, 2, 0), ValueError, ("num_outputs", "0", "larger")),
        )
    ),
]
