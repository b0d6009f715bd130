"""Parts of a step: optimizers, layers, augmentation, a checkpoint."""

from collections.abc import Callable
from pathlib import Path

import torch
from epochs import BATCH, new_model
from timing import Result, compare, timed
from torch import nn

from deeplearn import activations, augment, normalization, optim
from deeplearn.checkpoint import save_checkpoint

AUGMENTATIONS = (
    augment.random_shift,
    augment.random_rotation,
    augment.random_scale,
    augment.elastic,
    augment.adjust_contrast,
)
MOST_MS = 2.0  # for augmenting a batch of 128


def stepping(optimizer_class: type[torch.optim.Optimizer], **kwargs) -> Callable[[], None]:
    """Return a function that takes 100 steps on the parameters of the model, gradients fixed."""
    generator = torch.Generator().manual_seed(0)
    parameters = list(new_model().parameters())
    for parameter in parameters:
        parameter.grad = 1e-3 * torch.randn(parameter.shape, generator=generator)
    optimizer = optimizer_class(parameters, **kwargs)

    def run() -> None:
        for _ in range(100):
            optimizer.step()

    return run


def passing(layer: Callable, rows: int = BATCH, units: int = 100) -> Callable[[], None]:
    """Return a function that runs a layer forward and backward 100 times on one batch."""
    X = torch.randn(rows, units, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = torch.ones(rows, units)

    def run() -> None:
        for _ in range(100):
            layer(X).backward(upstream)

    return run


def saving(folder: Path) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return a function that saves the model with its checks, and one with torch alone."""
    model = new_model()
    objects = {"model": model, "optimizer": optim.Adam(model.parameters())}
    return (
        lambda: save_checkpoint(folder / "ours.pt", **objects),
        lambda: torch.save({n: p.state_dict() for n, p in objects.items()}, folder / "theirs.pt"),
    )


def augmenting(repetitions: int) -> list[Result]:
    """Time each augmentation of a batch against the goal, which is a time of its own."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(128, 784, generator=generator)
    results = []
    for function in AUGMENTATIONS:
        function(images, generator=generator)
        times = [
            timed(lambda f=function: f(images, generator=generator)) for _ in range(repetitions)
        ]
        goal = [(MOST_MS / 1e3,) * 2] * repetitions
        results.append(Result(f"{function.__name__}, 128 images / 2 ms", 1.0, times, goal))
        print(results[-1], flush=True)
    return results


def parts(folder: Path, repetitions: int) -> list[Result]:
    """Compare every part with its twin."""
    slow = {"foreach": False}
    rows = [
        (f"100 × {ours.__name__}.step{note} / torch's", stepping(ours, **kwargs),
         stepping(getattr(torch.optim, ours.__name__), **kwargs, **slow), 1.15)
        for ours, note, kwargs in (
            (optim.SGD, "", {"lr": 0.01}),
            (optim.SGD, ", momentum", {"lr": 0.01, "momentum": 0.9}),
            (optim.Adagrad, "", {"lr": 0.01}),
            (optim.RMSprop, "", {"lr": 0.001}),
            (optim.Adadelta, "", {"lr": 1.0}),
            (optim.Adam, "", {"lr": 0.001}),
            (optim.AdamW, "", {"lr": 0.001}),
        )
    ]  # fmt: skip
    rows += [
        (f"100 × {ours.__name__}, both ways / torch's", passing(ours()), passing(theirs()), None)
        for ours, theirs in ((activations.ELU, nn.ELU), (activations.ReLU, nn.ReLU))
    ]
    # At 128 × 100 the way into a backward pass in Python alone takes 0.4 of torch's whole time.
    for shape, goal in (((BATCH, 100), None), ((512, 300), 1.5), ((1024, 500), 1.5)):
        name = f"100 × BatchNorm1d, {shape[0]} × {shape[1]} / torch's"
        sides = normalization.BatchNorm1d(shape[1]), nn.BatchNorm1d(shape[1])
        rows.append((name, *(passing(side, *shape) for side in sides), goal))
    rows.append(("save_checkpoint / torch.save", *saving(folder), None))
    compared = [
        compare(name, *sides, repetitions=repetitions, goal=goal) for name, *sides, goal in rows
    ]
    return compared + augmenting(repetitions)
