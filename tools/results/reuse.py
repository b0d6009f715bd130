"""Clipping, and what is reused of the network that it trained: validation accuracy, as before."""

from collections.abc import Callable
from functools import partial

from torch import nn

from deeplearn.callbacks import GradientClipping
from deeplearn.data import MNIST
from deeplearn.transfer import cache_features, freeze, load_matching
from tools.results.recipe import Line, Row, Set, seeded, split, stopwatch
from tools.results.techniques import glorot_mlp, train

train_as_here = partial(train, num_epochs=20, batch_size=200)


def clipping() -> GradientClipping:
    return GradientClipping(max_value=1.0)


def start_from(source: nn.Module, pattern: str, seed: int) -> nn.Sequential:
    """Return a new network with a hidden layer 4 of 20 units, and the source's other layers."""
    model = glorot_mlp([784, 300, 50, 50, 20, 10], nn.ReLU, generator=seeded(seed))
    load_matching(model, source.state_dict(), pattern)
    return model


def without_cache(source: nn.Module, train_set: Set, valid: Set, seed: int) -> list[float]:
    model = start_from(source, "hidden[123]", seed)
    freeze(model, "hidden[12]")
    return train_as_here(model, train_set, valid, seed=seed)


def with_cache(source: nn.Module, train_set: Set, valid: Set, seed: int) -> list[float]:
    model = start_from(source, "hidden[123]", seed)
    freeze(frozen := model[:4], ".*")  # two hidden layers, each with its activation
    (X, y), (X_valid, y_valid) = train_set, valid
    cached = (cache_features(frozen, X), y), (cache_features(frozen, X_valid), y_valid)
    return train_as_here(model[4:], *cached, seed=seed)


def clip_and_reuse(data: MNIST, seed: int) -> dict[str, float]:
    """Train once, then reuse the result in four ways; the seconds are those of each."""
    train_set, valid, _ = split(data)
    values: dict[str, float] = {}

    def measure(name: str, run: Callable[[], list[float]]) -> list[float]:
        with stopwatch(values, f"{name}_seconds"):
            accuracies = run()
        values[name] = accuracies[-1]
        return accuracies

    source = glorot_mlp([784, 300, 50, 50, 50, 50, 10], nn.ReLU, generator=seeded(seed))
    go_on = partial(train_as_here, source, train_set, valid, callbacks=[clipping()])
    values["first"], values["second"], *_ = measure("clipped", partial(go_on, seed=seed))
    new_top = start_from(source, "hidden[123]", seed)
    measure("new_top", partial(train_as_here, new_top, train_set, valid, seed=seed))
    ways = source, train_set, valid, seed
    frozen = measure("frozen", partial(without_cache, *ways))
    cached = measure("cached", partial(with_cache, *ways))
    values["cached_differs"] = max(abs(a - b) for a, b in zip(frozen, cached, strict=True))
    measure("continued", partial(go_on, seed=seed + 1000))  # last, as it changes the source
    return values


_CONFIGURATION = "784-300-50-50-50-50-10 ReLU, SGD 0.01, 20 epochs of batches of 200"
_REUSED = "784-300-50-50-20-10, hidden layers 1 to 3 from there, 20 epochs more"

ROWS = [
    Row("clip_and_reuse", clip_and_reuse, [
        Line("clipping by value ±1, first epoch", _CONFIGURATION, "first", ".288", 0.288,
             seconds="clipped_seconds"),
        Line("clipping by value ±1, second epoch", "the same run", "second", ".7936", 0.7936,
             seconds="clipped_seconds"),
        Line("clipping by value ±1", "the same run", "clipped", ".9612", 0.9612,
             seconds="clipped_seconds"),
        Line("reuse all, continue", "the same network, 20 epochs more", "continued",
             ".9708 to .9712", 0.9708, seconds="continued_seconds"),
        Line("reuse hidden 1 to 3", _REUSED, "new_top", ".9678", 0.9678,
             seconds="new_top_seconds"),
        Line("freeze hidden 1 and 2", _REUSED, "frozen", ".9602", 0.9602,
             seconds="frozen_seconds"),
        Line("freeze hidden 1 and 2, cached", _REUSED, "cached", ".958", 0.958,
             seconds="cached_seconds"),
        Line("cached and uncached: largest difference in an epoch", "the two runs above",
             "cached_differs", "0", 0.0, at_most=True, seconds="cached_seconds"),
    ]),
]  # fmt: skip
