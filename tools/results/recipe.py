"""What all rows share: how the data is split, how a network is trained, how time is taken."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from deeplearn.augment import Compose, random_rotation, random_scale, random_shift
from deeplearn.data import MNIST, TensorLoader
from deeplearn.losses import cross_entropy
from deeplearn.lr_scheduler import OneCycleLR
from deeplearn.optim import AdamW
from deeplearn.trainer import Callback, Trainer

Set = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Line:
    """One line of a table: what it was, and which of the row's values is shown.

    ``goal`` is the least median that is wanted, or the largest with ``at_most``. ``reference`` is
    a text, for some of them are several numbers. ``seconds`` names the value that holds the time.
    """

    technique: str
    configuration: str
    metric: str
    reference: str = ""
    goal: float | None = None
    at_most: bool = False
    form: str = "{:.4f}"
    seconds: str = "cpu_seconds"


@dataclass(frozen=True)
class Row:
    """Something that is run once for each seed; it may give the values of several lines."""

    name: str
    run: Callable[[MNIST, int], dict[str, float]]
    lines: list[Line] = field(default_factory=list)


class Split(NamedTuple):
    train: Set
    valid: Set
    test: Set


def split(data: MNIST) -> Split:
    """Take the first 5,000 training images for validation, as the reference does."""
    num_valid = min(5000, len(data.y_train) // 10)  # a tenth where there are few
    return Split(
        (data.X_train[num_valid:], data.y_train[num_valid:]),
        (data.X_train[:num_valid], data.y_train[:num_valid]),
        (data.X_test, data.y_test),
    )


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


class Augmented:
    """A loader whose images are changed anew each time."""

    def __init__(self, loader: TensorLoader, generator: Generator, strength: float = 1.0) -> None:
        self.loader, self.generator = loader, generator
        self.augment = Compose(
            [
                partial(random_rotation, max_degrees=10 * strength),
                partial(random_scale, max_change=0.1 * strength),
                partial(random_shift, max_shift=round(strength)),
            ]
        )

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for *images, target in self.loader:
            changed = [self.augment(image, generator=self.generator) for image in images]
            yield *changed, target


def fit(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: Iterable, num_epochs: int, *,
    valid: Set | None = None, loss_fn: Callable = cross_entropy, scheduler: object = None,
    callbacks: Iterable[Callback] = (), **options: object,
) -> Trainer:  # fmt: skip
    """Train by a given optimizer; a scheduler moves on once a step."""
    trainer = Trainer(
        model, optimizer, loss_fn, scheduler=scheduler, schedule_by="step",
        callbacks=callbacks, **options,
    )  # fmt: skip
    trainer.fit(loader, num_epochs, validation=valid)
    return trainer


def one_cycle(
    model: nn.Module, loader: Iterable, num_epochs: int, *, max_lr: float,
    weight_decay: float = 0.01, **options: object,
) -> Trainer:  # fmt: skip
    """Train what is free by AdamW, with one cycle of the learning rate."""
    free = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = AdamW(free, weight_decay=weight_decay)
    scheduler = OneCycleLR(optimizer, max_lr, total_steps=num_epochs * len(loader))
    return fit(model, optimizer, loader, num_epochs, scheduler=scheduler, **options)


def accuracy_on(model: nn.Module, data: Set) -> float:
    """Return the accuracy in evaluation mode."""
    return Trainer(model, AdamW(model.parameters()), cross_entropy).evaluate(data)["accuracy"]


@contextmanager
def stopwatch(values: dict[str, float], name: str) -> Iterator[None]:
    """Add the processor's seconds of the block to ``values[name]``."""
    start = time.process_time()
    yield
    values[name] = values.get(name, 0.0) + time.process_time() - start
