"""What deeplearn costs: times of ours and of the alternative, taken in turns in one run.

Run ``make bench``, or ``python tests/bench.py --strict`` to fail where a goal is missed. One
thread; MNIST where ``DEEPLEARN_DATA`` is set, else the digits of scikit-learn, repeated.

A repetition times both sides, one right after the other and in changing order. Printed are the
medians of the times on the wall, and the medians of the ratios on the wall and on the processor. A
goal is held against the latter: other work on the machine, however much, hardly moves it. It leaves
out the wait for the disk; the row of ``save_checkpoint`` tells how long that is.
"""

import argparse
import contextlib
import io
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from deeplearn import activations, normalization, optim
from deeplearn.callbacks import EarlyStopping, ModelCheckpoint, Progress
from deeplearn.checkpoint import save_checkpoint
from deeplearn.data import TensorLoader, load_mnist, select_classes
from deeplearn.metrics import accuracy
from deeplearn.models import mlp
from deeplearn.trainer import Trainer

SIZES, BATCH, ROWS = [784, 100, 100, 100, 100, 100, 5], 128, 30_000
cross_entropy = nn.functional.cross_entropy


CLOCKS = (time.perf_counter, time.process_time)  # on the wall, on the processor


@dataclass
class Result:
    """The times of both sides, one row (wall, processor) in seconds for each repetition."""

    name: str
    goal: float | None
    ours: list[tuple[float, float]]
    theirs: list[tuple[float, float]]

    def ratio(self, clock: int) -> float:
        pairs = zip(self.ours, self.theirs, strict=True)
        return statistics.median(a[clock] / b[clock] for a, b in pairs)

    @property
    def met(self) -> bool:
        return self.goal is None or self.ratio(1) <= self.goal

    def __str__(self) -> str:
        sides = (self.ours, self.theirs)
        times = "".join(f"{1e3 * statistics.median(t[0] for t in side):12.3f}" for side in sides)
        goal = "     –" if self.goal is None else f"≤ {self.goal:.2f}"
        verdict = "" if self.goal is None else "met" if self.met else "MISSED"
        ratios = f"{self.ratio(0):8.3f}{self.ratio(1):8.3f}"
        return f"{self.name:42}{times}{ratios}  {goal}  {verdict}".rstrip()


HEADER = f"{'':42}{'ours, ms':>12}{'theirs, ms':>12}{'wall':>8}{'CPU':>8}  {'goal':>6}"


def timed(run: Callable[[], object]) -> tuple[float, float]:
    start = [clock() for clock in CLOCKS]
    run()
    wall, processor = (clock() - begin for clock, begin in zip(CLOCKS, start, strict=True))
    return wall, processor


def compare(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    repetitions: int,
    goal: float | None = None,
) -> Result:
    """Time both sides in turns, after one repetition that does not count."""
    result = Result(name, goal, [], [])
    ours()
    theirs()
    for number in range(repetitions):
        sides = [(ours, result.ours), (theirs, result.theirs)]
        for run, times in sides if number % 2 else reversed(sides):
            times.append(timed(run))
    print(result, flush=True)
    return result


# --- an epoch ------------------------------------------------------------------------------------


def digits() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, str]:
    """Return the digits 0 to 4 to train on and to validate with, and where they come from."""
    data = load_mnist("auto" if os.environ.get("DEEPLEARN_DATA") else "digits")
    X, y = select_classes(data.X_train, data.y_train, range(5))
    X_valid, y_valid = select_classes(data.X_test, data.y_test, range(5))
    times = -(-ROWS // len(y))
    return X.repeat(times, 1), y.repeat(times), X_valid, y_valid, data.source


def bare_epoch(model, optimizer, X, y, X_valid, y_valid, generator) -> dict[str, float]:
    """Do what an epoch of the trainer does, and nothing else."""
    model.train()
    total = 0.0
    for rows in torch.randperm(len(y), generator=generator).split(BATCH):
        inputs, target = X.index_select(0, rows), y.index_select(0, rows)
        loss = cross_entropy(model(inputs), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(target)
    model.eval()
    with torch.no_grad():
        output = torch.cat([model(part) for part in X_valid.split(1024)])
        valid_loss = cross_entropy(output, y_valid).item()
    return {
        "train_loss": total / len(y),
        "valid_loss": valid_loss,
        "valid_accuracy": accuracy(output, y_valid),
    }


def epoch(folder: Path, repetitions: int) -> Result:
    X, y, X_valid, y_valid, source = digits()
    print(f"{len(y):,} rows to train on, {len(y_valid):,} to validate with, from {source}\n")
    print(HEADER)

    def start() -> tuple[nn.Module, torch.optim.Optimizer, torch.Generator]:
        model = mlp(SIZES, generator=torch.Generator().manual_seed(0))
        return model, optim.Adam(model.parameters()), torch.Generator().manual_seed(1)

    model, optimizer, generator = start()
    stopping = EarlyStopping(patience=10**6)
    callbacks = [stopping, ModelCheckpoint(folder / "run.pt"), Progress()]
    trainer = Trainer(model, optimizer, cross_entropy, callbacks=callbacks)
    loader = TensorLoader(X, y, batch_size=BATCH, generator=generator)

    def train() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.fit(loader, trainer.epoch + 1, validation=(X_valid, y_valid))

    model, optimizer, generator = start()
    history = []

    def loop() -> None:
        history.append(bare_epoch(model, optimizer, X, y, X_valid, y_valid, generator))

    result = compare(
        "epoch: Trainer, callbacks / bare loop", train, loop, repetitions=repetitions, goal=1.05
    )
    # The first epochs are the same, so that both sides are known to do the same work.
    assert trainer.history["train_loss"][0] == history[0]["train_loss"]
    assert trainer.history["valid_accuracy"][0] == history[0]["valid_accuracy"]
    return result


# --- parts ---------------------------------------------------------------------------------------


def stepping(optimizer_class: type[torch.optim.Optimizer], **kwargs) -> Callable[[], None]:
    """Return a function that takes 100 steps on the parameters of the model, gradients fixed."""
    generator = torch.Generator().manual_seed(0)
    parameters = list(mlp(SIZES, generator=generator).parameters())
    for parameter in parameters:
        parameter.grad = 1e-3 * torch.randn(parameter.shape, generator=generator)
    optimizer = optimizer_class(parameters, **kwargs)

    def run() -> None:
        for _ in range(100):
            optimizer.step()

    return run


def passing(layer: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], None]:
    """Return a function that runs a layer forward and backward 100 times on one batch."""
    X = torch.randn(BATCH, 100, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = torch.ones(BATCH, 100)

    def run() -> None:
        for _ in range(100):
            layer(X).backward(upstream)

    return run


def saving(folder: Path) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return a function that saves the model with its checks, and one with torch alone."""
    model = mlp(SIZES, generator=torch.Generator().manual_seed(0))
    optimizer = optim.Adam(model.parameters())
    parts = {"model": model, "optimizer": optimizer}
    return (
        lambda: save_checkpoint(folder / "ours.pt", **parts),
        lambda: torch.save({n: p.state_dict() for n, p in parts.items()}, folder / "theirs.pt"),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--strict", action="store_true", help="fail where a goal is missed")
    parser.add_argument(
        "--repetitions", type=int, default=21, help="of an epoch; twice of the rest"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    adam, sgd = {"lr": 0.001}, {"lr": 0.01, "momentum": 0.9}
    with tempfile.TemporaryDirectory() as folder:
        results = [epoch(Path(folder), options.repetitions)]
        rows = [
            (
                "100 × Adam.step / torch's, foreach=False",
                (stepping(optim.Adam, **adam), stepping(torch.optim.Adam, **adam, foreach=False)),
                1.15,
            ),
            (
                "100 × SGD.step, momentum / torch's",
                (stepping(optim.SGD, **sgd), stepping(torch.optim.SGD, **sgd, foreach=False)),
                1.15,
            ),
            (
                "100 × ELU, both ways / torch's",
                (passing(activations.ELU()), passing(nn.ELU())),
                None,
            ),
            (
                "100 × ReLU, both ways / torch's",
                (passing(activations.ReLU()), passing(nn.ReLU())),
                None,
            ),
            (
                "100 × BatchNorm1d, both ways / torch's",
                (passing(normalization.BatchNorm1d(100)), passing(nn.BatchNorm1d(100))),
                None,
            ),
            ("save_checkpoint / torch.save", saving(Path(folder)), None),
        ]
        for name, sides, goal in rows:
            results.append(compare(name, *sides, repetitions=2 * options.repetitions, goal=goal))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory {peak:,.0f} MB, one thread, torch {torch.__version__}")
    missed = [result.name for result in results if not result.met]
    print(f"goals missed: {', '.join(missed)}" if missed else "all goals met")
    return int(options.strict and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
