"""The rows of deeplearn.data."""

from deeplearn import data
from oracles.table import NAN, Bad, labels, loader, weight

BAD = [
    Bad(
        data.TensorLoader,
        lambda: loader(weight() * NAN),
        ValueError,
        ("tensors[0]", "NaN", "repair"),
    ),
    Bad(data.TensorLoader, lambda: loader(batch_size=0), ValueError, ("batch_size", "0")),
    Bad(
        data.load_mnist,
        lambda: data.load_mnist("cifar"),
        ValueError,
        ("source", "'cifar'", "digits"),
    ),
    Bad(
        data.random_split,
        lambda: data.random_split(weight(), labels(), valid_size=3),
        ValueError,
        ("valid_size", "3"),
    ),
    Bad(
        data.stratified_split,
        lambda: data.stratified_split(weight(), labels()[:2], valid_size=1),
        ValueError,
        ("2", "3"),
    ),
    Bad(
        data.select_classes,
        lambda: data.select_classes(weight(), labels(), [7]),
        ValueError,
        ("classes", "7", "0"),
    ),
]
