"""Exercise 8, digits 0 to 4: test accuracy of 5 × 100 units, chosen by validation alone."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from torch import Generator

from deeplearn.activations import ELU
from deeplearn.callbacks import EarlyStopping
from deeplearn.data import MNIST, TensorLoader, select_classes
from deeplearn.init import kaiming_normal_, lecun_normal_
from deeplearn.models import mlp
from deeplearn.optim import Adam
from deeplearn.search import choice, loguniform, random_search, uniform
from deeplearn.trainer import Trainer
from tools.results.recipe import (
    Augmented,
    Line,
    Row,
    Split,
    accuracy_on,
    fit,
    one_cycle,
    seeded,
    split,
    stopwatch,
)

SIZES = [784, 100, 100, 100, 100, 100, 5]
DROPOUT, EPOCHS = 0.05, 60  # of the network with everything


def low_digits(data: MNIST) -> Split:
    return Split(*(select_classes(*part, range(5)) for part in split(data)))


def early_stopped(
    data: MNIST, seed: int, *, init_: Callable = kaiming_normal_, batch_norm: bool = False,
    lr: float, batch_size: int, patience: int,
) -> dict[str, float]:  # fmt: skip
    """Train by Adam until the validation loss falls no more; keep the best epoch."""
    train_set, valid, test = low_digits(data)
    generator = seeded(seed)
    model = mlp(SIZES, ELU, init_, batch_norm=batch_norm, generator=generator)
    loader = TensorLoader(*train_set, batch_size=batch_size, generator=generator)
    optimizer, stopping = Adam(model.parameters(), lr), EarlyStopping(patience=patience)
    with suppress(FloatingPointError):  # diverged; by then the best epoch was put back
        fit(model, optimizer, loader, 1000, valid=valid, callbacks=[stopping])
    return {"accuracy": accuracy_on(model, test)}


def all_together(data: MNIST, seed: int) -> dict[str, float]:
    """Batch norm, dropout, one cycle and augmentation: nothing is left to stop early."""
    train_set, _, test = low_digits(data)
    generator = seeded(seed)
    model = mlp(SIZES, ELU, batch_norm=True, dropout=DROPOUT, generator=generator)
    loader = TensorLoader(*train_set, batch_size=128, generator=generator)
    one_cycle(model, Augmented(loader, generator), EPOCHS, max_lr=0.01)
    return {"accuracy": accuracy_on(model, test)}


# --- the search -----------------------------------------------------------------------------------

SPACE = {
    "max_lr": loguniform(1e-3, 1e-1),
    "batch_size": choice([64, 128, 256]),
    "dropout": uniform(0.0, 0.3),
}
NUM_TRIALS, SHORT, LONG = 8, 3, 25  # trials, and the epochs of a trial and of the winner


def candidate(
    parts: Split, generator: Generator, num_epochs: int, *, max_lr: float, batch_size: int,
    dropout: float,
) -> Trainer:  # fmt: skip
    """Train a network with batch norm by these settings; return its trainer."""
    model = mlp(SIZES, ELU, batch_norm=True, dropout=dropout, generator=generator)
    loader = TensorLoader(*parts.train, batch_size=batch_size, generator=generator)
    return one_cycle(model, loader, num_epochs, max_lr=max_lr)


def searched(data: MNIST, seed: int) -> dict[str, float]:
    """Search with short runs, scored on the validation set; train the winner for longer."""
    parts, values = low_digits(data), {}

    def objective(generator: Generator, **settings: float) -> Iterator[tuple[float, float]]:
        scores = candidate(parts, generator, SHORT, **settings).evaluate(parts.valid)
        yield scores["loss"], scores["accuracy"]

    with stopwatch(values, "seconds"):
        trials = random_search(objective, SPACE, NUM_TRIALS, generator=seeded(seed))
        trainer = candidate(parts, seeded(seed), LONG, **trials[0].settings)
    accuracy = trainer.evaluate(parts.test)["accuracy"]
    return {**trials[0].settings, "accuracy": accuracy, "minutes": values["seconds"] / 60}


# --- the table ------------------------------------------------------------------------------------

PLAIN = {"lr": 0.0005, "batch_size": 64, "patience": 10}
REFERENCE = {"lr": 0.01, "batch_size": 20, "patience": 20}


def _adam(settings: dict[str, float]) -> str:
    return "Adam {lr}, batches of {batch_size}, early stopping with patience {patience}".format(
        **settings
    )


ROWS = [
    Row("digits_plain", partial(early_stopped, **PLAIN), [
        Line("5 × 100 ELU, He", _adam(PLAIN), "accuracy", ".9726; after a search .9891", 0.994),
    ]),
    Row("digits_batch_norm", partial(early_stopped, batch_norm=True, **PLAIN), [
        Line("with batch norm", _adam(PLAIN), "accuracy", ".9942", 0.9942),
    ]),
    Row("digits_all", all_together, [
        Line("with batch norm, dropout, schedule, augmentation",
             f"dropout {DROPOUT}, AdamW, 1cycle, rotations, scales and shifts, {EPOCHS} epochs",
             "accuracy", "dropout .9862, .9889", 0.997),
    ]),
    Row("digits_search", searched, [
        Line("random search", f"batch norm; rate, batch size and dropout; {NUM_TRIALS} trials of "
             f"{SHORT} epochs, then {LONG}", "accuracy", ".9891, with batch norm .9949", 0.9949),
        Line("random search, minutes of the processor", "the same run, the last training included",
             "minutes", "46.9", 3.0, at_most=True, form="{:.2f}"),
    ]),
    Row("digits_reference", partial(early_stopped, init_=lecun_normal_, **REFERENCE), [
        Line("5 × 100 ELU, *fault:* Adam 0.01, He with scale 1", _adam(REFERENCE), "accuracy",
             ".9726"),
    ]),
    Row("digits_reference_he", partial(early_stopped, **REFERENCE), [
        Line("5 × 100 ELU, He, *fault:* Adam 0.01", _adam(REFERENCE), "accuracy", ".9726"),
    ]),
]  # fmt: skip
