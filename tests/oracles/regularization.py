"""The rows of deeplearn.regularization."""

from torch import nn

from deeplearn import regularization
from oracles.table import Bad, Case, integers, weight

MODULES = [
    Case(regularization.Dropout, nn.Dropout, {"p": 0.3}),
]

BAD = [
    Bad(
        regularization.dropout,
        lambda: regularization.dropout(weight(), 1.0),
        ValueError,
        ("p", "1.0", "dropped, not kept"),
    ),
    Bad(
        regularization.dropout,
        lambda: regularization.dropout(integers()),
        TypeError,
        ("input", "int64"),
    ),
    Bad(regularization.Dropout, lambda: regularization.Dropout(-0.1), ValueError, ("p", "-0.1")),
]
