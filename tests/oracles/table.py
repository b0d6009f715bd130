"""The kinds of rows, and the small arguments that many rows share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from deeplearn import data, optim, trainer

F = torch.nn.functional


@dataclass(frozen=True)
class Case:
    """``ours(…, **kwargs)`` must equal ``theirs(…, **kwargs)``."""

    ours: Callable
    theirs: Callable
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        settings = ",".join(f"{key}={value}" for key, value in self.kwargs.items())
        return f"{self.ours.__name__}({settings})"


@dataclass(frozen=True)
class Function:
    """``ours(*tensors, **kwargs)`` has the value and the gradients of ``theirs``.

    ``args(generator, dtype)`` makes the tensors. Integers among them are labels: they keep their
    type and get no gradient.
    """

    ours: Callable
    theirs: Callable
    args: Callable[[Generator, torch.dtype], tuple[Tensor, ...]]
    kwargs: dict[str, Any] = field(default_factory=dict)
    id = Case.id


@dataclass(frozen=True)
class Bad:
    """``call`` uses ``name`` wrongly: it must raise ``error`` with all of ``words`` in the message.

    The words are the argument, the value, and a piece of the cure.
    """

    name: Callable
    call: Callable[[], Any]
    error: type[Exception]
    words: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.name.__name__}: {' … '.join(self.words)}"


NAN = float("nan")
weight = partial(torch.zeros, 3, 4)
bias = partial(torch.zeros, 3)
integers = partial(torch.zeros, 3, 4, dtype=torch.int64)
labels = partial(torch.zeros, 3, dtype=torch.int64)
linear = partial(nn.Linear, 4, 3)


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(2))]


def new_trainer(**kwargs: Any) -> trainer.Trainer:
    model = linear()
    return trainer.Trainer(model, optim.SGD(model.parameters()), F.cross_entropy, **kwargs)


def loader(X: torch.Tensor | None = None, **kwargs: Any) -> data.TensorLoader:
    X = weight() if X is None else X
    return data.TensorLoader(X, labels(), **{"batch_size": 2, **kwargs})
