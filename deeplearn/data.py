"""Data as tensors: the digits of the course, batches, splits, preprocessing.

All of it fits in memory, so a batch is one indexing operation, and no worker process is needed.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from deeplearn import _check as check
from deeplearn import _mnist

__all__ = [
    "MNIST", "Preprocessing", "TensorLoader", "center", "load_mnist", "random_split",
    "select_classes", "standardize", "stratified_split", "whiten",
]  # fmt: skip

_told = False  # of the substitute, in this process
Dim = int | tuple[int, ...]


class MNIST(NamedTuple):
    """A data set of digits: images (N, 784), float32 in [0, 1], labels (N,), int64, and their
    source.

    ``source`` is ``"mnist"``, ``"digits"`` (the substitute) or ``"unverified"``.
    """

    X_train: Tensor
    y_train: Tensor
    X_test: Tensor
    y_test: Tensor
    source: str


def load_mnist(source: str = "auto", *, verify: bool = True) -> MNIST:
    """Return 60,000 + 10,000 handwritten digits, or a small substitute where they are out of reach.

    The digits come from the first of these places that has them:

    1. the four IDX files, gzipped or not, in the folder that the variable ``DEEPLEARN_DATA`` names;
    2. the cache of earlier downloads, or a download (11.6 MB; after a failure, none for 1 hour);
    3. the 1,797 digits that ship with scikit-learn, enlarged to 28 × 28 and split into 1,437
       and 360; a notice on stdout says so, once in a process.

    ``source="mnist"`` refuses the third, and ``"digits"`` goes straight to it. So does the word
    ``digits`` in ``DEEPLEARN_DATA``, unless the source is ``"mnist"``. With ``verify=False`` other
    data of the same form in ``DEEPLEARN_DATA`` is accepted, such as Fashion-MNIST; its source is
    then ``"unverified"``.

    Shapes: images (N, 784) and labels (N,), of the training set and the test set, in an
    :class:`MNIST`.

    Raises:
        ValueError: if ``source`` is unknown, or if a file is truncated, corrupt or not MNIST's.
        FileNotFoundError: if ``DEEPLEARN_DATA`` is a folder without the four files.
        OSError: with ``source="mnist"``, if MNIST is neither at hand nor can be downloaded.

    Source: LeCun et al. (1998), Gradient-based learning applied to document recognition, section
    III; the substitute is by Alpaydin & Kaynak (1998).

    >>> data = load_mnist(source="digits")
    >>> data.X_train.shape, data.X_test.shape, data.source
    (torch.Size([1437, 784]), torch.Size([360, 784]), 'digits')
    """
    check.check_choice("source", source, ("auto", "mnist", "digits"))
    folder = os.environ.get("DEEPLEARN_DATA")
    if source == "digits" or (source == "auto" and folder == "digits"):
        return MNIST(*_mnist.digits(), "digits")
    if folder:
        arrays = _mnist.read_folder(Path(folder).expanduser(), verify=verify)
        return MNIST(*arrays, "mnist" if verify else "unverified")
    try:
        cache = _mnist.fetch()
    except _mnist.DownloadError as error:
        if source == "mnist":
            raise
        return _tell(MNIST(*_mnist.digits(), "digits"), str(error))
    return MNIST(*_mnist.read_folder(cache, verify=True), "mnist")


def _tell(data: MNIST, why: str) -> MNIST:
    """Print once that these digits are not MNIST; on stdout, as nbgrader punishes stderr."""
    global _told
    if not _told:
        train, test = len(data.y_train), len(data.y_test)
        print(
            f"Note: this is not MNIST. You have the {train + test:,} handwritten digits that ship "
            "with scikit-learn, enlarged to 28 × 28: "
            f"{train:,} to train on, {test:,} to test on.\n{why}"
        )
    _told = True
    return data


class TensorLoader:
    """Iterate over tensors that share their rows, in tuples of batches.

    Each pass over a shuffling loader draws one ``torch.randperm`` from ``generator``, and every row
    appears once. The last batch holds what is left, unless ``drop_last`` leaves it out. Without
    shuffling the batches are views: what you write into them, you write into the tensors.

    Shapes: tensors (N, …) to tuples of tensors (batch_size, …).

    Raises:
        TypeError: if one of ``tensors`` is not a tensor, ``batch_size`` not an int, or
            ``generator`` not a ``torch.Generator``.
        ValueError: if the tensors are none, empty, of different lengths or not finite; if
            ``batch_size`` is below 1; or if ``drop_last`` would leave no batch.

    >>> loader = TensorLoader(torch.arange(5), torch.arange(5.0), batch_size=2)
    >>> len(loader), torch.cat([labels for labels, _ in loader]).sort().values
    (3, tensor([0, 1, 2, 3, 4]))
    """

    def __init__(
        self, *tensors: Tensor, batch_size: int, shuffle: bool = True, drop_last: bool = False,
        generator: Generator | None = None,
    ) -> None:  # fmt: skip
        if not tensors:
            raise ValueError("tensors is empty; pass at least one, such as TensorLoader(X, y, …)")
        _check_rows({f"tensors[{i}]": tensor for i, tensor in enumerate(tensors)})
        check.check_generator(generator)
        check.check_count("batch_size", batch_size)
        if drop_last and batch_size > len(tensors[0]):
            limit = f"at most the {len(tensors[0])} rows with drop_last=True"
            raise ValueError(f"batch_size must be {limit}, got {batch_size}; else no row is left")
        self.tensors, self.batch_size, self.generator = tensors, batch_size, generator
        self.shuffle, self.drop_last = shuffle, drop_last

    def __len__(self) -> int:
        full, rest = divmod(len(self.tensors[0]), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        if self.shuffle:
            order = torch.randperm(len(self.tensors[0]), generator=self.generator)
            batches = (  # index_select takes less than half the time of tensor[rows]
                tuple(tensor.index_select(0, rows.to(tensor.device)) for tensor in self.tensors)
                for rows in order.split(self.batch_size)
            )
        else:
            batches = zip(*(tensor.split(self.batch_size) for tensor in self.tensors), strict=True)
        return islice(batches, len(self))


def random_split(
    X: Tensor, y: Tensor, *, valid_size: int | float, generator: Generator | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split the rows by chance into X_train, y_train, X_valid, y_valid.

    ``valid_size`` is a number of rows (an int), or a share between 0 and 1 (a float), which is
    rounded to the nearest number of rows.

    Shapes: ``X`` is (N, …) and ``y`` is (N, …); every row is in one of the two parts.

    Raises:
        TypeError: if ``X`` or ``y`` is not a tensor, ``valid_size`` not a number, or ``generator``
            not a ``torch.Generator``.
        ValueError: if the tensors are empty, of different lengths or not finite, or if
            ``valid_size`` leaves one part without rows.

    >>> X, y = torch.eye(6), torch.arange(6)
    >>> _, y_train, _, y_valid = random_split(X, y, valid_size=2)
    >>> len(y_train), len(y_valid), torch.cat([y_train, y_valid]).sort().values
    (4, 2, tensor([0, 1, 2, 3, 4, 5]))
    """
    num_valid = _check_split(X, y, valid_size, generator)
    order = torch.randperm(len(X), generator=generator)
    valid, train = order[:num_valid], order[num_valid:]
    return X[train], y[train], X[valid], y[valid]


def stratified_split(
    X: Tensor, y: Tensor, *, valid_size: int | float, generator: Generator | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Split the rows by chance, with each class's share the same in both parts.

    The result is X_train, y_train, X_valid, y_valid. The validation part has exactly ``valid_size``
    rows. Of each class it has its share, rounded down; the rows that are then missing go to the
    classes with the largest remainders. So a class of very few rows can be missing from one part.

    Shapes, arguments and errors: as for :func:`random_split`; in addition ``y`` must be integer
    labels (N,), or a ``ValueError`` is raised.

    >>> y = torch.tensor([0, 1, 1, 0, 1, 1, 1, 1])
    >>> stratified_split(torch.eye(8), y, valid_size=0.5)[3].bincount()
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

    Shapes: ``X`` is (N, …), and ``y`` are integer labels (N,); the rows keep their order.

    Raises:
        TypeError: if ``X`` or ``y`` is not a tensor, or if ``classes`` are not ints.
        ValueError: if the tensors are empty, of different lengths or not finite; if ``y`` are not
            integer labels; or if ``classes`` are none, repeated or not in ``y``.

    >>> select_classes(torch.arange(5.0), torch.tensor([7, 5, 6, 7, 9]), [9, 7])
    (tensor([0., 3., 4.]), tensor([1, 1, 0]))
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


class Preprocessing(nn.Module):
    r"""A map that keeps the statistics of the training set, and applies them to any rows.

    .. math::
        x' = (x - \mu) \cdot w

    As a module it may stand before the layers of a model, and is saved and moved with them.

    Shapes: ``mean`` is (1, …) and broadcasts. So does ``weight`` (1, …); of another shape it is a
    matrix (D, K), which maps (N, D) to (N, K).

    Raises:
        TypeError: if ``mean``, ``weight`` or X is not a floating-point tensor.
        ValueError: if one is empty or not finite, or if X has other columns than the training set.

    >>> Preprocessing(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 10.0]]))(torch.ones(1, 2))
    tensor([[ 0., 10.]])
    """

    def __init__(self, mean: Tensor, weight: Tensor) -> None:
        super().__init__()
        for name, value in (("mean", mean), ("weight", weight)):
            check.check_data(name, value)
            self.register_buffer(name, value)

    def forward(self, X: Tensor) -> Tensor:
        check.check_data("X", X)
        own, found = tuple(self.mean.shape), tuple(X.shape)
        if len(own) != len(found) or any(m not in (1, n) for m, n in zip(own, found, strict=True)):
            raise ValueError(f"X must have rows as the training set, {own}, got {found}; reshape X")
        centered = X - self.mean
        return centered * self.weight if self.weight.shape == own else centered @ self.weight


def center(X_train: Tensor, *, dim: Dim = 0) -> Preprocessing:
    r"""Return the map that subtracts the mean of the training rows; apply it to every set.

    .. math::
        x' = x - \mu

    ``dim=0`` finds a mean for each column or pixel. For images (N, 784) ``dim=(0, 1)`` finds one
    mean for all pixels, and for (N, C, H, W) ``dim=(0, 2, 3)`` one for each channel.

    Shapes: ``X_train`` is (N, …); the map takes and returns (N, …).

    Raises:
        TypeError: if ``X_train`` is not a floating-point tensor.
        ValueError: if it is empty or not finite, or if ``dim`` does not hold 0, the rows.

    Source: LeCun et al. (1998), Efficient BackProp.

    >>> center(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))(torch.tensor([[2.0, 6.0]]))
    tensor([[0., 1.]])
    """
    dim = _check_dim(X_train, dim)
    mean = X_train.mean(dim, keepdim=True)
    return Preprocessing(mean, torch.ones_like(mean))


def standardize(X_train: Tensor, *, dim: Dim = 0, eps: float = 1e-5) -> Preprocessing:
    r"""Return the map that gives the training rows mean 0 and deviation 1; apply it to every set.

    .. math::
        x' = (x - \mu) / \sigma

    A column is constant if its deviation is at most ``eps`` times its largest magnitude, as at the
    border of MNIST: then it is centered and not scaled. But a pixel that is lit in one image of
    :math:`N` becomes :math:`\sqrt N` there. As pixels share a scale, prefer ``dim=(0, 1)`` for
    images; ``dim`` is as in :func:`center`.

    Shapes: ``X_train`` is (N, …); the map takes and returns (N, …).

    Raises:
        TypeError: if ``X_train`` is not a floating-point tensor, or ``eps`` not a number.
        ValueError: if ``X_train`` is empty or not finite, if ``dim`` does not hold 0, the rows, or
            if ``eps`` is outside [0, 1).

    Source: LeCun et al. (1998), Efficient BackProp.

    >>> standardize(X := torch.tensor([[1.0, 7.0], [3.0, 7.0]]))(X)[1]
    tensor([1., 0.])
    """
    dim = _check_dim(X_train, dim)
    check.check_range("eps", eps, 0, 1, cure="it is a share of a column's magnitude")
    variance, mean = torch.var_mean(X_train, dim, correction=0, keepdim=True)
    largest = torch.maximum(X_train.amax(dim, keepdim=True), -X_train.amin(dim, keepdim=True))
    return Preprocessing(mean, variance.rsqrt().where(variance.sqrt() > eps * largest, 1.0))


def whiten(
    X_train: Tensor, num_components: int | None = None, *, zca: bool = False, eps: float = 1e-5
) -> Preprocessing:
    r"""Return the map that makes the columns of the training rows uncorrelated, of variance 1.

    .. math::
        x' = (x - \mu)\,V\,(\Lambda + \epsilon)^{-1/2}

    :math:`V` holds the ``num_components`` directions of the largest variances :math:`\Lambda`.
    ``eps`` holds down directions that hardly vary. ``zca`` multiplies by :math:`V^\top` at the end,
    which turns the result back, so that images look like images again.

    Shapes: (N, D) to (N, num_components), or to (N, D) with ``zca``.

    Raises:
        TypeError: if ``X_train`` is not a floating-point tensor, ``num_components`` not an int, or
            ``eps`` not a number.
        ValueError: if ``X_train`` is not (N, D) with N of 2 or more, or not finite; if
            ``num_components`` is outside [1, D]; if ``eps`` is negative; or if it is 0 and there
            are fewer directions than asked for.

    Source: Bell & Sejnowski (1997).

    >>> X = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 4.0]])
    >>> whiten(X, num_components=1, eps=0)(X).var().round(decimals=4)
    tensor(1.)
    """
    check.check_data("X_train", X_train)
    check.check_range("eps", eps, 0, cure="it is added to each variance")
    if X_train.dim() != 2 or len(X_train) < 2:
        found = tuple(X_train.shape)
        raise ValueError(f"X_train must be (N, D), N ≥ 2, got {found}; call .flatten(1)")
    columns = X_train.size(1)
    keep = columns if num_components is None else num_components
    check.check_count("num_components", keep)
    check.check_range("num_components", keep, 1, columns, closed="[]", cure="keep fewer")
    mean = X_train.mean(0, keepdim=True)
    centered = X_train - mean  # a copy: torch.cov would make another
    variance, V = torch.linalg.eigh(centered.T @ centered / (len(X_train) - 1))
    variance, V = variance.flip(0)[:keep].clamp(min=0), V.flip(1)[:, :keep]  # largest first
    if eps == 0 and variance[-1] <= columns * torch.finfo(V.dtype).eps * variance[0]:
        raise ValueError(f"eps must be above 0, got {eps}: X_train has not {keep} directions")
    weight = V / (variance + eps).sqrt()
    return Preprocessing(mean, weight @ V.T if zca else weight)


def _check_dim(X_train: Tensor, dim: Dim) -> tuple[int, ...]:
    """Return the dimensions to average over: different ones, the rows among them."""
    check.check_data("X_train", X_train)
    dims = (dim,) if isinstance(dim, int) else dim
    if not isinstance(dims, tuple) or 0 not in dims or not set(dims) <= set(range(X_train.dim())):
        raise ValueError(f"dim must hold 0, the rows, and dimensions of X_train, got {dim}; try 0")
    return dims


def _check_rows(tensors: dict[str, Tensor]) -> None:
    """Raise unless all are tensors without NaN that have the same rows, at least one."""
    for name, tensor in tensors.items():
        check.check_tensor(name, tensor)
        if tensor.dim() == 0:
            raise ValueError(f"{name} must have rows, got a scalar; call .unsqueeze(0)")
        check.check_not_empty(name, tensor)
        check.check_finite(name, tensor)
    if len({len(tensor) for tensor in tensors.values()}) > 1:
        found = ", ".join(f"{name} has {len(tensor)}" for name, tensor in tensors.items())
        raise ValueError(f"all tensors must have the same number of rows: {found}; pair them again")


def _check_labels(y: Tensor) -> None:
    if y.dim() != 1 or y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        found = f"{y.dtype} of shape {tuple(y.shape)}"
        raise ValueError(f"y must be integer labels of shape (N,), got {found}; try .argmax(dim=1)")


def _check_split(X: Tensor, y: Tensor, valid_size: int | float, generator: object) -> int:
    """Return the number of rows to validate with, once all arguments are sound."""
    _check_rows({"X": X, "y": y})
    check.check_generator(generator)
    number = valid_size
    if isinstance(valid_size, float):
        check.check_range("valid_size", valid_size, 0, 1, closed="()", cure="count with an int")
        number = round(valid_size * len(X))
    else:
        check.check_count("valid_size", valid_size)
    if not 0 < number < len(X):
        found = f"got {valid_size}: {number} of {len(X)} rows"
        raise ValueError(f"valid_size must leave rows in both parts, {found}; choose another")
    return number
