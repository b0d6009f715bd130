"""Whole epochs: the trainer beside a bare loop, skorch and Lightning; cached features; memory."""

import contextlib
import io
import logging
import os
import resource
import subprocess
import sys
import warnings
from pathlib import Path

import torch
from timing import Result, compare
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from deeplearn import optim
from deeplearn.callbacks import EarlyStopping, ModelCheckpoint, Progress
from deeplearn.data import TensorLoader, load_mnist, select_classes
from deeplearn.metrics import accuracy
from deeplearn.models import mlp
from deeplearn.trainer import Trainer
from deeplearn.transfer import cache_features, freeze

SIZES, BATCH, ROWS = [784, 100, 100, 100, 100, 100, 5], 128, 30_000
cross_entropy = nn.functional.cross_entropy
Data = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def digits() -> tuple[Data, str]:
    """Return the digits 0 to 4 to train on and to validate with, and where they come from."""
    data = load_mnist("auto" if os.environ.get("DEEPLEARN_DATA") else "digits")
    X, y = select_classes(data.X_train, data.y_train, range(5))
    X_valid, y_valid = select_classes(data.X_test, data.y_test, range(5))
    times = -(-ROWS // len(y))
    return (X.repeat(times, 1), y.repeat(times), X_valid, y_valid), data.source


def new_model() -> nn.Sequential:
    return mlp(SIZES, generator=torch.Generator().manual_seed(0))


# --- the trainer and others ----------------------------------------------------------------------


class Bare:
    """A loop that does what an epoch of the trainer does, and nothing else."""

    def __init__(self, data: Data) -> None:
        self.data, self.model = data, new_model()
        self.optimizer = optim.Adam(self.model.parameters())
        self.generator = torch.Generator().manual_seed(1)
        self.history = []

    def __call__(self) -> None:
        X, y, X_valid, y_valid = self.data
        self.model.train()
        total = 0.0
        for rows in torch.randperm(len(y), generator=self.generator).split(BATCH):
            inputs, target = X.index_select(0, rows), y.index_select(0, rows)
            loss = cross_entropy(self.model(inputs), target)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(target)
        self.model.eval()
        with torch.no_grad():
            output = torch.cat([self.model(part) for part in X_valid.split(1024)])
            valid_loss = cross_entropy(output, y_valid).item()
        record = {"train_loss": total / len(y), "valid_loss": valid_loss}
        self.history.append(record | {"valid_accuracy": accuracy(output, y_valid)})


class Ours:
    """An epoch of the trainer, with the callbacks that a careful run has."""

    def __init__(self, data: Data, folder: Path | None = None) -> None:
        X, y, *self.validation = data
        model = new_model()
        callbacks = []
        if folder:
            stopping = EarlyStopping("valid_loss", patience=10**6)
            callbacks = [stopping, ModelCheckpoint(folder / "run.pt"), Progress()]
        optimizer = optim.Adam(model.parameters())
        self.trainer = Trainer(model, optimizer, cross_entropy, callbacks=callbacks)
        generator = torch.Generator().manual_seed(1)
        self.loader = TensorLoader(X, y, batch_size=BATCH, generator=generator)

    def __call__(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            epochs = self.trainer.epoch + 1
            self.trainer.fit(self.loader, epochs, validation=tuple(self.validation))


class Skorch:
    """The same epoch with skorch, its accuracy on the validation set included, as by default."""

    def __init__(self, data: Data) -> None:
        from skorch import NeuralNetClassifier
        from skorch.dataset import Dataset
        from skorch.helper import predefined_split

        X, y, X_valid, y_valid = data
        self.X, self.y = X, y
        self.net = NeuralNetClassifier(
            new_model(),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=0.001,
            batch_size=BATCH,
            iterator_train__shuffle=True,
            iterator_valid__batch_size=1024,
            train_split=predefined_split(Dataset(X_valid, y_valid)),
            max_epochs=1,
            verbose=0,
        ).initialize()

    def __call__(self) -> None:
        self.net.partial_fit(self.X, self.y)


class Lightning:
    """The same epoch with Lightning: no log, no checkpoint, no bar."""

    def __init__(self, data: Data) -> None:
        import pytorch_lightning as pl

        warnings.filterwarnings("ignore", module="pytorch_lightning")
        for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
            logging.getLogger(name).setLevel(logging.ERROR)

        class Module(pl.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.model = new_model()

            def training_step(self, batch, number):
                loss = cross_entropy(self.model(batch[0]), batch[1])
                self.log("train_loss", loss, on_epoch=True, on_step=False)
                return loss

            def validation_step(self, batch, number):
                output = self.model(batch[0])
                self.log("valid_loss", cross_entropy(output, batch[1]))
                self.log("valid_accuracy", (output.argmax(1) == batch[1]).float().mean())

            def configure_optimizers(self):
                return torch.optim.Adam(self.parameters(), lr=0.001)

        X, y, X_valid, y_valid = data
        self.loaders = (
            DataLoader(TensorDataset(X, y), batch_size=BATCH, shuffle=True),
            DataLoader(TensorDataset(X_valid, y_valid), batch_size=1024),
        )
        off = dict.fromkeys(
            ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
        )
        self.new_trainer = lambda: pl.Trainer(
            accelerator="cpu", max_epochs=1, num_sanity_val_steps=0, **off
        )
        self.module = Module()

    def __call__(self) -> None:
        self.new_trainer().fit(self.module, *self.loaders)


def trainers(folder: Path, repetitions: int) -> list[Result]:
    """Compare one epoch of training and validation."""
    data, source = digits()
    print(f"{len(data[1]):,} rows to train on, {len(data[3]):,} to validate with, from {source}")
    ours, bare = Ours(data, folder), Bare(data)
    name = "epoch: Trainer, callbacks / bare loop"
    results = [compare(name, ours, bare, repetitions=repetitions, goal=1.05)]
    # The first epochs are the same, so that both sides are known to do the same work.
    for key in ("train_loss", "valid_accuracy"):
        assert ours.trainer.history[key][0] == bare.history[0][key]
    for other in (Skorch, Lightning):
        name = f"epoch: Trainer / {other.__name__}"
        sides = Ours(data), other(data)
        results.append(compare(name, *sides, repetitions=max(3, repetitions // 4), goal=1.0))
    return results


# --- cached features -----------------------------------------------------------------------------


def transfer(repetitions: int) -> Result:
    """Compare an epoch on cached outputs of five frozen layers with one through all layers."""
    (X, y, *_), _ = digits()

    def side(cached: bool) -> tuple[Trainer, TensorLoader]:
        model = new_model()
        frozen, head = model[:-1], model[-1]
        freeze(frozen, ".*")
        inputs = cache_features(frozen, X, BATCH) if cached else X
        optimizer = optim.Adam(head.parameters())
        trainer = Trainer(head if cached else model, optimizer, cross_entropy)
        generator = torch.Generator().manual_seed(1)
        # Whole batches: a smaller last one may round its last rows differently.
        whole = {"batch_size": BATCH, "drop_last": True}
        return trainer, TensorLoader(inputs, y, **whole, generator=generator)

    sides = [side(cached=True), side(cached=False)]
    ours, theirs = (
        (lambda trainer=trainer, loader=loader: trainer.fit(loader, trainer.epoch + 1))
        for trainer, loader in sides
    )
    name = "epoch of transfer: cached / uncached"
    result = compare(name, ours, theirs, repetitions=repetitions, goal=1 / 3)
    cached, uncached = (trainer.history["train_loss"] for trainer, _ in sides)
    assert cached == uncached, "the losses of cached training must be the same to the last bit"
    return result


# --- memory --------------------------------------------------------------------------------------


def train_on_everything() -> None:
    """Load the data, train for an epoch with all callbacks, print the peak memory in MB."""
    torch.set_num_threads(1)
    data = load_mnist("auto" if os.environ.get("DEEPLEARN_DATA") else "digits")
    model = mlp([*SIZES[:-1], 10], generator=torch.Generator().manual_seed(0))
    trainer = Trainer(model, optim.Adam(model.parameters()), cross_entropy, callbacks=[Progress()])
    loader = TensorLoader(data.X_train, data.y_train, batch_size=BATCH)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.fit(loader, 1, validation=(data.X_test, data.y_test))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_memory() -> float:
    """Return the peak memory in MB of a process of its own that loads the data and trains."""
    command = [sys.executable, "-c", "import epochs; epochs.train_on_everything()"]
    run = subprocess.run(command, cwd=Path(__file__).parent, check=True, stdout=subprocess.PIPE)
    return float(run.stdout)
