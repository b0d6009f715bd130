"""Callbacks: what can be added to training without touching the loop."""

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

from deeplearn._check import check_choice, check_count, check_range
from deeplearn.trainer import Callback, Trainer

__all__ = ["EarlyStopping", "ModelCheckpoint", "Progress"]


class _Best:
    """The best value so far of what is monitored; NaN is never the best."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        check_choice("mode", mode, ("min", "max"))
        self.monitor, self.sign, self.min_delta = monitor, 1 if mode == "min" else -1, min_delta
        self.value = math.inf

    def improved_by(self, values: dict[str, float]) -> bool:
        if self.monitor not in values:
            raise ValueError(
                f"monitor {self.monitor!r} was not measured; there are {sorted(values)}; "
                "valid_… needs fit(..., validation=...)"
            )
        value = self.sign * values[self.monitor]
        if not value < self.value - self.min_delta:
            return False
        self.value = value
        return True


class EarlyStopping(Callback):
    """Stop when ``monitor`` has not improved for ``patience`` measurements; restore the best model.

    A measurement is an epoch, or every ``every_steps`` steps: then the validation data is measured
    anew each time. An improvement is more than ``min_delta``; ``mode`` says whether ``"min"`` or
    ``"max"`` is better; NaN is never an improvement. With ``restore_best`` the model of the best
    measurement is put back when training ends, whether it was stopped or not; another ``fit`` goes
    on from there. The test set has no part in this: report your result on it, not on the data that
    chose when to stop.

    Attributes:
        best_epoch, best_step: where the best measurement was taken; ``stopped``: whether the
            patience ran out.

    Source: Prechelt (1998), section 2.

    >>> EarlyStopping("valid_accuracy", mode="max", patience=5).patience
    5
    """

    def __init__(
        self,
        monitor: str = "valid_loss",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "min",
        restore_best: bool = True,
        every_steps: int | None = None,
    ) -> None:
        check_count("patience", patience)
        check_range("min_delta", min_delta, 0, cure="it is the smallest change that counts")
        if every_steps is not None:
            check_count("every_steps", every_steps)
        self.patience, self.restore_best, self.every_steps = patience, restore_best, every_steps
        self._settings = (monitor, mode, min_delta)
        self._forget()

    def _forget(self) -> None:
        self._best = _Best(*self._settings)
        self.wait = self.best_epoch = self.best_step = 0
        self.stopped = False
        self._best_model: dict[str, Any] | None = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        if trainer.step == 0:
            self._forget()

    def on_step_end(self, trainer: Trainer) -> None:
        if self.every_steps and trainer.step % self.every_steps == 0:
            self._measure(trainer, trainer.validate())

    def on_epoch_end(self, trainer: Trainer) -> None:
        if not self.every_steps:
            self._measure(trainer, trainer.history.records[-1])

    def _measure(self, trainer: Trainer, values: dict[str, float]) -> None:
        if self._best.improved_by(values):
            self.wait, self.best_step = 0, trainer.step
            self.best_epoch = trainer.epoch + (trainer.batch > 0)  # in mid-epoch, its number
            if self.restore_best:
                self._best_model = deepcopy(trainer.model.state_dict())
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped = trainer.should_stop = True

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._best_model is not None:
            trainer.model.load_state_dict(self._best_model)

    def state_dict(self) -> dict[str, Any]:
        names = ("wait", "best_epoch", "best_step", "stopped", "_best_model")
        return {"best": self._best.value, **{name: getattr(self, name) for name in names}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best.value = state_dict["best"]
        for name in state_dict.keys() - {"best"}:
            setattr(self, name, state_dict[name])


class ModelCheckpoint(Callback):
    """Save the whole run to ``path`` every ``every_epochs`` epochs, or only when it improved.

    With ``monitor`` a checkpoint is written when that value is the best so far, as ``mode`` says.
    ``trainer.resume(path)`` goes on from it; ``load_checkpoint(path, model=model)`` takes the model
    alone. The file is replaced in one move, so it is always whole. It runs after the other
    callbacks: the checkpoint holds what they changed.

    >>> ModelCheckpoint("run.pt", monitor="valid_loss").path.name
    'run.pt'
    """

    priority = 1

    def __init__(
        self,
        path: str | Path,
        *,
        monitor: str | None = None,
        mode: str = "min",
        every_epochs: int = 1,
    ) -> None:
        check_count("every_epochs", every_epochs)
        check_choice("mode", mode, ("min", "max"))
        self.path, self.every_epochs = Path(path), every_epochs
        self.monitor, self.mode = monitor, mode

    def on_fit_begin(self, trainer: Trainer) -> None:
        if self.path.is_dir():
            raise IsADirectoryError(f"path must name a file, got the folder {self.path}")
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"path needs an existing folder, got {self.path}; create {self.path.parent}"
            )

    def on_epoch_end(self, trainer: Trainer) -> None:
        if trainer.epoch % self.every_epochs == 0 and self._is_best(trainer.history.records):
            trainer.save(self.path)

    def _is_best(self, records: list[dict[str, float]]) -> bool:
        if self.monitor is None:
            return True
        # From the history: a value of its own would be stale in what a callback saved before it.
        best = _Best(self.monitor, self.mode)
        candidates = [
            record
            for record in records[self.every_epochs - 1 :: self.every_epochs]
            if self.monitor in record or record is records[-1]
        ]
        return [best.improved_by(record) for record in candidates][-1]


class Progress(Callback):
    """Print a line every ``every`` epochs: losses and metrics, and the seconds of that epoch.

    The last epoch has its line, too.

    >>> Progress(every=5).every
    5
    """

    priority = 1  # after those that may stop training

    def __init__(self, every: int = 1) -> None:
        check_count("every", every)
        self.every = every

    def on_epoch_end(self, trainer: Trainer) -> None:
        is_last = trainer.should_stop or trainer.epoch == trainer.num_epochs
        if trainer.epoch % self.every and not is_last:
            return
        record = trainer.history.records[-1]
        shown = [
            f"{name} {record[name]:.4f}" for name in record if "loss" in name or "valid" in name
        ]
        width = len(str(trainer.num_epochs))
        print(
            f"epoch {trainer.epoch:{width}}/{trainer.num_epochs}",
            *shown,
            f"{record['seconds']:.1f} s",
            sep="  ",
        )
