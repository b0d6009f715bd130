"""Data as tensors: the digits of the course, batches, splits.

All of it fits in memory, so a batch is one indexing operation, and no worker process is needed.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from deeplearn import _mnist
from deeplearn._check import (
    check_choice,
    check_count,
    check_finite,
    check_not_empty,
    check_range,
    check_tensor,
)

__all__ = [
    "MNIST",
    "TensorLoader",
    "load_mnist",
    "random_split",
    "select_classes",
    "stratified_split",
]

_told = False  # of the substitute, in this process


class MNIST(NamedTuple):
    """Handwritten digits: images (N, 784), float32 in [0, 1], and labels (N,), int64.

    ``source`` says what they are: ``"mnist"``; ``"digits"``, the substitute; or ``"unverified"``,
    files that nobody compared with MNIST's.
    """

    X_train: Tensor
    y_train: Tensor
    X_test: Tensor
    y_test: Tensor
    source: str


def load_mnist(source: str = "auto", *, verify: bool = True) -> MNIST:
    """Return 60,000 + 10,000 handwritten digits, or a small substitute where they are out of reach.

    The first of these that applies is used:

    1. the four IDX files, gzipped or not, in the folder that the environment variable
       ``DEEPLEARN_DATA`` names;
    2. the cache of earlier downloads, or else a download (11.6 MB) into it;
    3. the 1,797 digits that ship with scikit-learn, enlarged to 28 × 28 and split into 1,437 and
       360; a notice on stdout says so, once in a process.

    ``source="mnist"`` refuses the third, ``source="digits"`` goes straight to it.
    ``verify=False`` accepts other data of the same form in ``DEEPLEARN_DATA``, Fashion-MNIST for
    example; downloads are verified always. A download that failed is not tried again for an hour.

    Shapes: ``X_train`` (60000, 784), ``y_train`` (60000,), ``X_test`` (10000, 784), ``y_test``
    (10000,).

    Raises:
        ValueError: for an unknown source, or a file that is truncated, corrupt or not MNIST's.
        FileNotFoundError: if ``DEEPLEARN_DATA`` is set to a folder without the four files.
        OSError: with ``source="mnist"``, if MNIST is neither at hand nor can be downloaded.

    Source: LeCun et al. (1998), section III; the substitute is Alpaydin & Kaynak (1998).

    >>> data = load_mnist(source="digits")
    >>> data.X_train.shape, data.X_test.shape, data.source
    (torch.Size([1437, 784]), torch.Size([360, 784]), 'digits')
    """
    check_choice("source", source, ("auto", "mnist", "digits"))
    if source == "digits":
        return MNIST(*_mnist.digits(), "digits")
    if folder := os.environ.get("DEEPLEARN_DATA"):
        arrays = _mnist.read_folder(Path(folder).expanduser(), verify=verify)
        return MNIST(*arrays, "mnist" if verify else "unverified")
    try:
        cache = _mnist.fetch()
    except _mnist.DownloadError as error:
        if source == "mnist":
            raise
        data = MNIST(*_mnist.digits(), "digits")
        _tell(data, str(error))
        return data
    return MNIST(*_mnist.read_folder(cache, verify=True), "mnist")


def _tell(data: MNIST, why: str) -> None:
    """Print once that these digits are not MNIST; on stdout, as nbgrader punishes stderr."""
    global _told
    if not _told:
        train, test = len(data.y_train), len(data.y_test)
        print(
            f"Note: this is not MNIST. You have the {train + test:,} handwritten digits that ship "
            f"with scikit-learn, enlarged to 28 × 28: {train:,} to train on, {test:,} to test on.\n"
            f"{why}"
        )
    _told = True


class TensorLoader:
    """Iterate over tensors that share their rows, in tuples of batches.

    Each pass over a shuffling loader draws one ``torch.randperm`` from ``generator``, and every
    row appears once. The last batch holds what is left, unless ``drop_last``. Without shuffling
    the batches are views: what you write into them, you write into the tensors.

    Shapes: tensors (N, …) give batches (batch_size, …); ``len(loader)`` is the number of batches.

    Raises:
        TypeError: for arguments that are not tensors, or a ``batch_size`` that is not an int.
        ValueError: for no tensor, an empty one, unequal numbers of rows, NaN or infinity,
            ``batch_size < 1``, or if ``drop_last`` would leave no batch at all.

    >>> X, y = torch.arange(10.0).view(5, 2), torch.arange(5)
    >>> loader = TensorLoader(X, y, batch_size=2, generator=torch.Generator().manual_seed(0))
    >>> batches = [labels for _, labels in loader]
    >>> [len(labels) for labels in batches], torch.cat(batches).sort().values
    ([2, 2, 1], tensor([0, 1, 2, 3, 4]))
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        shuffle: bool = True,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        if not tensors:
            raise ValueError("tensors is empty; pass at least one, such as TensorLoader(X, y, …)")
        _check_rows({f"tensors[{i}]": tensor for i, tensor in enumerate(tensors)})
        _check_generator(generator)
        check_count("batch_size", batch_size)
        if drop_last and batch_size > len(tensors[0]):
            raise ValueError(
                f"batch_size must be at most the {len(tensors[0])} rows with drop_last=True, got "
                f"{batch_size}; every row would be dropped"
            )
        self.tensors = tensors
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator

    def __len__(self) -> int:
        full, rest = divmod(len(self.tensors[0]), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        if self.shuffle:
            order = torch.randperm(len(self.tensors[0]), generator=self.generator)
            # index_select takes less than half the time of tensor[rows].
            batches = (
                tuple(tensor.index_select(0, rows) for tensor in self.tensors)
                for rows in order.split(self.batch_size)
            )
        else:
            parts = (tensor.split(self.batch_size) for tensor in self.tensors)
            batches = zip(*parts, strict=True)
        return islice(batches, len(self))


def random_split(
    X: Tensor, y: Tensor, *, valid_size: int | float, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return X_train, y_train, X_valid, y_valid: every row in one of two parts, by chance.

    ``valid_size`` is a number of rows, or a share between 0 and 1, rounded to the nearest number.

    Shapes: ``X`` (N, …), ``y`` (N, …); the parts have N - valid_size and valid_size rows.

    Raises:
        TypeError: if ``X`` or ``y`` is not a tensor, or ``valid_size`` not a number.
        ValueError: for empty tensors, unequal numbers of rows, NaN or infinity, or a
            ``valid_size`` that leaves one part without rows.

    >>> X, y = torch.arange(12.0).view(6, 2), torch.arange(6)
    >>> X_train, y_train, X_valid, y_valid = random_split(
    ...     X, y, valid_size=2, generator=torch.Generator().manual_seed(0)
    ... )
    >>> len(y_train), len(y_valid), torch.cat([y_train, y_valid]).sort().values
    (4, 2, tensor([0, 1, 2, 3, 4, 5]))
    """
    num_valid = _check_split(X, y, valid_size, generator)
    order = torch.randperm(len(X), generator=generator)
    valid, train = order[:num_valid], order[num_valid:]
    return X[train], y[train], X[valid], y[valid]


def stratified_split(
    X: Tensor, y: Tensor, *, valid_size: int | float, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return X_train, y_train, X_valid, y_valid, with each class's share the same in both parts.

    The validation part has exactly ``valid_size`` rows; of each class it has its share, rounded
    down, and the rows that are then missing go to the classes with the largest remainders. So a
    class of very few rows can be missing from one part.

    Shapes, ``valid_size`` and errors as :func:`random_split`; ``y`` must be integer labels (N,).

    >>> X, y = torch.arange(8.0).view(8, 1), torch.tensor([0, 1, 1, 0, 1, 1, 1, 1])
    >>> X_train, y_train, X_valid, y_valid = stratified_split(X, y, valid_size=0.5)
    >>> y_valid.bincount()
    tensor([1, 3])
    """
    num_valid = _check_split(X, y, valid_size, generator)
    _check_labels(y)
    labels, counts = y.unique(return_counts=True)
    take, remainder = counts * num_valid // len(y), counts * num_valid % len(y)
    take[remainder.argsort(descending=True, stable=True)[: num_valid - int(take.sum())]] += 1
    order = torch.randperm(len(y), generator=generator)
    is_valid = torch.zeros(len(y), dtype=torch.bool)  # by place in order
    for label, number in zip(labels, take, strict=True):
        is_valid[(y[order] == label).nonzero().flatten()[:number]] = True
    train, valid = order[~is_valid], order[is_valid]
    return X[train], y[train], X[valid], y[valid]


def select_classes(X: Tensor, y: Tensor, classes: Iterable[int]) -> tuple[Tensor, Tensor]:
    """Return the rows whose label is one of ``classes``, relabeled 0, 1, … in the order given.

    Shapes: ``X`` (N, …), ``y`` (N,) integer labels; the rows keep their order.

    Raises:
        TypeError: if ``X`` or ``y`` is not a tensor, or ``classes`` not integers.
        ValueError: for rows as in :func:`random_split`, labels that are not integers, or
            ``classes`` that are none, repeated or not in ``y``.

    >>> X, y = torch.arange(5.0).view(5, 1), torch.tensor([7, 5, 6, 7, 9])
    >>> select_classes(X, y, [9, 7])
    (tensor([[0.],
            [3.],
            [4.]]), tensor([1, 1, 0]))
    """
    _check_rows({"X": X, "y": y})
    _check_labels(y)
    if not isinstance(classes, Iterable):
        raise TypeError(f"classes must be several ints, got {classes!r}; write [{classes!r}]")
    wanted, present = list(classes), y.unique().tolist()
    if any(type(label) is not int for label in wanted):  # not isinstance: True is no label
        raise TypeError(f"classes must be ints, got {wanted}; pass a list such as [0, 1, 2]")
    if not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(f"classes must be different labels, got {wanted}; name each one once")
    if unknown := [label for label in wanted if label not in present]:
        raise ValueError(f"classes holds {unknown}, which y does not; choose from {present}")
    is_class = y.unsqueeze(1) == torch.tensor(wanted)
    keep = is_class.any(dim=1)
    return X[keep], is_class[keep].int().argmax(dim=1)


def _check_rows(tensors: dict[str, Tensor]) -> None:
    """Raise unless all are tensors without NaN that have the same rows, at least one."""
    for name, tensor in tensors.items():
        check_tensor(name, tensor)
        if tensor.dim() == 0:
            raise ValueError(f"{name} must have rows, got a scalar; call .unsqueeze(0)")
        check_not_empty(name, tensor)
        check_finite(name, tensor)
    rows = {name: len(tensor) for name, tensor in tensors.items()}
    if len(set(rows.values())) > 1:
        found = ", ".join(f"{name} has {number}" for name, number in rows.items())
        raise ValueError(f"all tensors must have the same number of rows: {found}; pair them again")


def _check_labels(y: Tensor) -> None:
    if y.dim() != 1 or y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        raise ValueError(
            f"y must be integer labels of shape (N,), got {y.dtype} of shape {tuple(y.shape)}; "
            "for one-hot rows call .argmax(dim=1)"
        )


def _check_generator(generator: object) -> None:
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator must be a torch.Generator or None, got {type(generator).__name__}; "
            "write torch.Generator().manual_seed(0)"
        )


def _check_split(X: Tensor, y: Tensor, valid_size: int | float, generator: object) -> int:
    """Return the number of rows to validate with, once all arguments are sound."""
    _check_rows({"X": X, "y": y})
    _check_generator(generator)
    if isinstance(valid_size, float):
        check_range("valid_size", valid_size, 0, 1, closed="()", cure="write a count as an int")
        number = round(valid_size * len(X))
    else:
        check_count("valid_size", valid_size)
        number = valid_size
    if not 0 < number < len(X):
        raise ValueError(
            f"valid_size must leave rows in both parts, got {valid_size}: {number} of {len(X)} "
            "rows to validate with; choose another share or count"
        )
    return number
