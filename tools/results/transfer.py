"""Exercise 9, digits 5 to 9 from 100 images of each: test accuracy, and what a cache is worth."""

from copy import deepcopy

import torch
from torch import Generator, nn

from deeplearn.data import MNIST, TensorLoader, select_classes
from deeplearn.models import mlp
from deeplearn.trainer import Trainer
from deeplearn.transfer import cache_features, freeze, unfreeze
from tools.results.digits import SIZES, low_digits
from tools.results.recipe import (
    Augmented,
    Line,
    Row,
    Set,
    Split,
    accuracy_on,
    one_cycle,
    seeded,
    split,
    stopwatch,
)

SOURCE, HEAD, THAW, LONG = 12, 40, 40, 240  # epochs: of the source, a new head, a thaw, augmented
PATTERN = "(hidden|batch_norm|activation)"


def source_network(data: MNIST, batch_norm: bool, generator: Generator) -> nn.Sequential:
    """Train a network of the digits 0 to 4, with augmentation, whose layers are reused."""
    model = mlp(SIZES, batch_norm=batch_norm, generator=generator)
    loader = TensorLoader(*low_digits(data).train, batch_size=128, generator=generator)
    max_lr = 0.01 if batch_norm else 0.002
    one_cycle(model, Augmented(loader, generator), SOURCE, max_lr=max_lr)
    return model


def few_high_digits(data: MNIST, generator: Generator) -> Split:
    """Draw 100 training images of each of the digits 5 to 9."""
    (X, y), valid, test = (select_classes(*part, range(5, 10)) for part in split(data))
    order = torch.randperm(len(y), generator=generator)
    rows = torch.cat([order[y[order] == label][:100] for label in range(5)])
    return Split((X[rows], y[rows]), valid, test)


def reused(source: nn.Sequential, num_hidden: int, generator: Generator) -> nn.Sequential:
    """Return the lowest hidden layers, copied and frozen, under a new output layer."""
    last = list(source._modules).index(f"activation{num_hidden}")
    model = deepcopy(source[: last + 1])
    model.add_module("output", mlp([100, 5], generator=generator)[0])
    freeze(model, f"{PATTERN}.*")
    return model


def train_head(model: nn.Sequential, few: Set, generator: Generator, cached: bool) -> Trainer:
    """Train the output layer, through all layers or on their cached outputs."""
    X, y = few
    inputs = cache_features(model[:-1], X) if cached else X
    # Whole batches of 64: BLAS rounds rows that are left over in another way.
    loader = TensorLoader(inputs, y, batch_size=64, drop_last=True, generator=generator)
    return one_cycle(model[-1:] if cached else model, loader, HEAD, max_lr=0.01)


def go_on(model: nn.Sequential, few: Set, generator: Generator, num_epochs: int) -> None:
    """Train what is free."""
    loader = TensorLoader(*few, batch_size=64, drop_last=True, generator=generator)
    one_cycle(model, loader, num_epochs, max_lr=0.003)


def go_on_augmented(model: nn.Sequential, few: Set, generator: Generator, num_epochs: int) -> None:
    """Train what is free on images that are new each time; more epochs are worth it then."""
    loader = TensorLoader(*few, batch_size=64, drop_last=True, generator=generator)
    one_cycle(model, Augmented(loader, generator), num_epochs, max_lr=0.006)


def frozen_and_cached(source: nn.Sequential, parts: Split, seed: int) -> dict[str, float]:
    """Train the same head twice, without a cache and with one."""
    values, losses, epochs = {}, {}, {}
    for name, cached in {"frozen": False, "cached": True}.items():
        generator = seeded(seed)
        model = reused(source, 5, generator)
        with stopwatch(values, f"{name}_seconds"):
            history = train_head(model, parts.train, generator, cached).history
        losses[name], epochs[name] = history["train_loss"], history["seconds"]
        values[name] = accuracy_on(model, parts.test)
    pairs = zip(losses["frozen"], losses["cached"], strict=True)
    values["cached_differs"] = max(abs(a - b) for a, b in pairs)
    # Of the fastest epochs: other work on the machine only ever adds to one.
    return {**values, "speed_up": min(epochs["frozen"]) / min(epochs["cached"])}


def thawed(source: nn.Sequential, parts: Split, seed: int) -> dict[str, float]:
    """Train a head on four frozen layers, thaw the top two, then all."""
    values, generator = {}, seeded(seed)
    with stopwatch(values, "thawed_seconds"):
        model = reused(source, 4, generator)
        train_head(model, parts.train, generator, cached=True)
        values["four"] = accuracy_on(model, parts.test)
        unfreeze(model, f"{PATTERN}[34]")
        go_on(model, parts.train, generator, THAW)
        values["two"] = accuracy_on(model, parts.test)
        unfreeze(model, ".*")
        go_on(model, parts.train, generator, THAW)
    return {**values, "thawed": accuracy_on(model, parts.test)}


def augmented(source: nn.Sequential, parts: Split, seed: int) -> dict[str, float]:
    """Train a head on four frozen layers, then thaw all at once, with augmentation."""
    values, generator = {}, seeded(seed)
    with stopwatch(values, "augmented_seconds"):
        model = reused(source, 4, generator)
        train_head(model, parts.train, generator, cached=True)
        unfreeze(model, ".*")
        go_on_augmented(model, parts.train, generator, LONG)
    return {**values, "augmented": accuracy_on(model, parts.test)}


def scratch(parts: Split, seed: int) -> dict[str, float]:
    """Train the same layers from nothing, for as many epochs in all; without and with
    augmentation.
    """
    values, sizes = {}, [784, 100, 100, 100, 100, 5]
    ways = {
        "scratch": (False, go_on, HEAD + THAW + THAW),
        "scratch_augmented": (True, go_on_augmented, HEAD + LONG),
    }
    for name, (batch_norm, train, num_epochs) in ways.items():
        generator = seeded(seed)
        model = mlp(sizes, batch_norm=batch_norm, generator=generator)
        with stopwatch(values, f"{name}_seconds"):
            train(model, parts.train, generator, num_epochs)
        values[name] = accuracy_on(model, parts.test)
    return values


def transfer(data: MNIST, seed: int) -> dict[str, float]:
    """Reuse a plain network, frozen and thawed; and one with batch norm, with augmentation.

    On validation data frozen layers served better without batch norm, and layers that go on
    learning from augmented images better with it.
    """
    generator = seeded(seed)
    parts = few_high_digits(data, generator)
    plain = source_network(data, batch_norm=False, generator=generator)
    normalized = source_network(data, batch_norm=True, generator=generator)
    values = frozen_and_cached(plain, parts, seed) | thawed(plain, parts, seed)
    values |= augmented(normalized, parts, seed) | scratch(parts, seed)
    values["ahead"] = values["thawed"] - values["scratch"]
    values["ahead_augmented"] = values["augmented"] - values["scratch_augmented"]
    return values


# --- the table ------------------------------------------------------------------------------------

_HEAD = f"new output layer, AdamW, 1cycle, {HEAD} epochs"
_SCRATCH = "the same layers, as many epochs"

ROWS = [
    Row("transfer", transfer, [
        Line("five layers frozen, new output layer", _HEAD, "frozen", ".6402", 0.86,
             seconds="frozen_seconds"),
        Line("the same on cached outputs", _HEAD, "cached", ".6116", 0.86,
             seconds="cached_seconds"),
        Line("cached and uncached: largest difference of a loss", "the two runs above",
             "cached_differs", "", 0.0, at_most=True, form="{:g}", seconds="cached_seconds"),
        Line("cached: how many times faster an epoch is", "the two runs above",
             "speed_up", "1.45 per epoch", 3.0, form="{:.1f}", seconds="cached_seconds"),
        Line("four layers frozen", _HEAD, "four", ".6910", 0.6910, seconds="thawed_seconds"),
        Line("then the top two thawed", f"{THAW} epochs more", "two", ".7809", 0.7809,
             seconds="thawed_seconds"),
        Line("then all thawed", f"{THAW} epochs more", "thawed", ".9134", 0.93,
             seconds="thawed_seconds"),
        Line("from scratch", _SCRATCH, "scratch", ".8482", seconds="scratch_seconds"),
        Line("all thawed above from scratch, seed by seed", "difference of the two", "ahead",
             ".0652", 0.0, form="{:+.4f}", seconds="thawed_seconds"),
        Line("all thawed, augmentation", f"batch norm, rotations, scales and shifts, {LONG} epochs",
             "augmented", "", 0.975, seconds="augmented_seconds"),
        Line("from scratch, augmentation", _SCRATCH, "scratch_augmented",
             seconds="scratch_augmented_seconds"),
        Line("all thawed above from scratch, augmentation", "difference of the two",
             "ahead_augmented", "", 0.0, form="{:+.4f}", seconds="augmented_seconds"),
    ]),
]  # fmt: skip
