"""Callbacks: what can be added to training without touching the loop."""

import math
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from deeplearn._check import check_choice, check_count, check_range
from deeplearn._modules import matching_names
from deeplearn.constraints import clip_grad_norm_, clip_grad_value_, max_norm_
from deeplearn.diagnostics import gradient_norms
from deeplearn.trainer import Callback, Trainer

__all__ = ["EarlyStopping", "GradientClipping", "LearningRateScheduler", "MaxNorm",
           "ModelCheckpoint", "Progress", "SummaryWriter"]  # fmt: skip


class _Best:
    """The best value so far of what is monitored; NaN is never the best."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode == "auto":
            if not monitor.endswith(("loss", "accuracy")):
                raise ValueError(f"mode must be 'min' or 'max': {monitor!r} does not tell which")
            mode = "min" if monitor.endswith("loss") else "max"
        check_choice("mode", mode, ("min", "max"))
        self.monitor, self.sign, self.min_delta = monitor, 1 if mode == "min" else -1, min_delta
        self.value = math.inf

    def improved_by(self, values: dict[str, float]) -> bool:
        if self.monitor not in values:
            found = f"{self.monitor!r} was not measured; there are {sorted(values)}"
            raise ValueError(f"monitor {found}; valid_… needs fit(..., validation=...)")
        value = self.sign * values[self.monitor]
        if not value < self.value - self.min_delta:
            return False
        self.value = value
        return True


class EarlyStopping(Callback):
    """Stop when ``monitor`` has not improved for ``patience`` measurements; restore the best model.

    A measurement is an epoch, or every ``every_steps`` steps: then the validation data is measured
    anew each time. An improvement is more than ``min_delta``, and NaN never is one. ``mode`` says
    whether ``"min"`` or ``"max"`` is better; ``"auto"`` takes less of a loss and more of an
    accuracy. With ``restore_best`` the model of the best measurement is put back when training
    ends, stopped or not; another ``fit`` goes on from there. Report your result on the test set,
    not on the data that chose when to stop.

    Attributes:
        best_epoch, best_step: where the best measurement was taken.
        stopped: whether the patience ran out.

    Raises:
        TypeError: if a setting is of another type.
        ValueError: if ``patience`` or ``every_steps`` is below 1, if ``min_delta`` is negative, or
            if ``mode`` is unknown; during training, if ``monitor`` was not measured.

    Source: Prechelt (1998).

    >>> EarlyStopping("valid_accuracy", patience=5).patience
    5
    """

    def __init__(self, monitor: str = "valid_loss", *, patience: int = 10, min_delta: float = 0.0,
                 mode: str = "auto", restore_best: bool = True,
                 every_steps: int | None = None) -> None:  # fmt: skip
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
        elif self.stopped and not trainer.should_stop:  # told to go on: with new patience
            self.wait, self.stopped = 0, False

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
        own = {name: getattr(self, name) for name in names}
        return {"monitor": self._best.monitor, "best": self._best.value, **own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if (saved := state_dict["monitor"]) != self._best.monitor:
            raise ValueError(
                f"the run was saved with monitor {saved!r}, not {self._best.monitor!r}"
            )
        self._best.value = state_dict["best"]
        for name in state_dict.keys() - {"best", "monitor"}:
            setattr(self, name, state_dict[name])


class ModelCheckpoint(Callback):
    """Save the whole run to ``path`` every ``every_epochs`` epochs, or only when it improved.

    With ``monitor`` a checkpoint is written when that value is the best so far; ``mode`` is as for
    :class:`EarlyStopping`. ``trainer.resume(path)`` goes on from it, and ``load_checkpoint(path,
    model=model)`` takes the model alone. The file is replaced in one move, so it is always whole.
    This callback runs after the others: the checkpoint holds what they changed.

    Raises:
        TypeError: if ``every_epochs`` is not an int.
        ValueError: if ``every_epochs`` is below 1, or if ``mode`` is unknown; during training, if
            ``monitor`` was not measured.
        FileNotFoundError: when training begins, if the folder of ``path`` does not exist.
        IsADirectoryError: when training begins, if ``path`` is a folder.

    >>> ModelCheckpoint("run.pt", monitor="valid_loss").path.name
    'run.pt'
    """

    priority = 1

    def __init__(self, path: str | Path, *, monitor: str | None = None, mode: str = "auto",
                 every_epochs: int = 1) -> None:  # fmt: skip
        check_count("every_epochs", every_epochs)
        _Best("loss" if monitor is None else monitor, mode)
        self.path, self.every_epochs = Path(path), every_epochs
        self.monitor, self.mode = monitor, mode

    def on_fit_begin(self, trainer: Trainer) -> None:
        path, folder = self.path, self.path.parent
        if path.is_dir():
            raise IsADirectoryError(f"path must name a file, got the folder {path}")
        if not folder.is_dir():
            raise FileNotFoundError(f"path needs an existing folder, got {path}; create {folder}")

    def on_epoch_end(self, trainer: Trainer) -> None:
        if trainer.epoch % self.every_epochs == 0 and self._is_best(trainer.history.records):
            trainer.save(self.path)

    def _is_best(self, records: list[dict[str, float]]) -> bool:
        if self.monitor is None:
            return True
        # From the history: a value of its own would be stale in what a callback saved before it.
        best = _Best(self.monitor, self.mode)
        due = records[self.every_epochs - 1 :: self.every_epochs]
        measured = [r for r in due if self.monitor in r or r is records[-1]]
        return [best.improved_by(record) for record in measured][-1]


class Progress(Callback):
    """Print losses, metrics and seconds every ``every`` epochs, and after the last one.

    Raises:
        TypeError: if ``every`` is not an int.
        ValueError: if ``every`` is below 1.

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
        shown = [f"{k} {v:.4f}" for k, v in record.items() if "loss" in k or "valid" in k]
        width = len(str(trainer.num_epochs))
        epoch = f"epoch {trainer.epoch:{width}}/{trainer.num_epochs}"
        print(epoch, *shown, f"{record['seconds']:.1f} s", sep="  ")


class LearningRateScheduler(Callback):
    r"""Set the rate of all groups before each step to ``schedule(step)``; steps count from 0.

    .. math::
        \eta_t = \text{schedule}(t)

    A step is one batch, and steps go on counting from epoch to epoch.

    Raises:
        TypeError: if ``schedule`` is not a function, or returns something else than a number.
        ValueError: during training, if the rate is negative, or if the trainer has a scheduler,
            too.

    >>> LearningRateScheduler(lambda step: 0.1 / (1 + step / 100)).schedule(100)
    0.05
    """

    def __init__(self, schedule: Callable[[int], float]) -> None:
        if not callable(schedule) or isinstance(schedule, type):
            raise TypeError(f"schedule must be a function of the step, got {schedule!r}")
        self.schedule = schedule

    def on_fit_begin(self, trainer: Trainer) -> None:
        if trainer.scheduler is not None:
            raise ValueError("the rate has two masters: leave out scheduler=, or this callback")

    def on_batch_begin(self, trainer: Trainer) -> None:
        lr = self.schedule(trainer.step)
        check_range(f"schedule({trainer.step})", lr, 0, cure="it must return the learning rate")
        for group in trainer.optimizer.param_groups:
            group["lr"] = lr


class GradientClipping(Callback):
    """Clip the gradients before each step: together by ``max_norm``, or each number by
    ``max_value``.

    It calls :func:`deeplearn.constraints.clip_grad_norm_` or
    :func:`deeplearn.constraints.clip_grad_value_`. The attribute ``last_norm`` is the norm of all
    gradients before that.

    Raises:
        TypeError: if the limit is not a number.
        ValueError: if not exactly one of the two limits is given, or if it is not above 0.

    Source: Pascanu et al. (2013), section 3.2.

    >>> GradientClipping(max_norm=1.0).max_norm
    1.0
    """

    def __init__(self, max_norm: float | None = None, max_value: float | None = None) -> None:
        if (max_norm is None) == (max_value is None):
            raise ValueError(f"give one of max_norm and max_value, got {max_norm} and {max_value}")
        name, limit = ("max_value", max_value) if max_norm is None else ("max_norm", max_norm)
        check_range(name, limit, 0, closed="()", cure="1.0 is a first try")
        self.max_norm, self.max_value, self.last_norm = max_norm, max_value, math.nan

    def on_gradients(self, trainer: Trainer) -> None:
        parameters = list(trainer.model.parameters())
        if self.max_value is None:
            self.last_norm = float(clip_grad_norm_(parameters, self.max_norm))
        else:
            self.last_norm = math.hypot(*gradient_norms(trainer.model).values())
            clip_grad_value_(parameters, self.max_value)


class MaxNorm(Callback):
    """Hold the incoming weights of each unit at a norm of ``max_norm`` or less, after each step.

    It calls :func:`deeplearn.constraints.max_norm_` on the parameters, or the layers, whose whole
    name matches ``pattern``, a regular expression. Biases are left alone.

    Raises:
        TypeError: if ``max_norm`` is not a number.
        ValueError: if ``max_norm`` is not above 0; when training begins, if no weight matches.

    Source: Srivastava et al. (2014), section 5.1.

    >>> MaxNorm(3.0, pattern="hidden.*").pattern
    'hidden.*'
    """

    priority = -1  # before those that measure

    def __init__(self, max_norm: float, pattern: str = ".*") -> None:
        check_range("max_norm", max_norm, 0, closed="()", cure="2 to 4 are usual")
        self.max_norm, self.pattern = max_norm, pattern

    def on_fit_begin(self, trainer: Trainer) -> None:
        weights = {name: p for name, p in trainer.model.named_parameters() if p.ndim >= 2}
        self._held = [weights[name] for name in matching_names(weights, self.pattern, "weight")]

    def on_step_end(self, trainer: Trainer) -> None:
        for weight in self._held:
            max_norm_(weight, self.max_norm)


class SummaryWriter(Callback):
    """Write event files for TensorBoard to a folder: ``tensorboard --logdir <log_dir>`` shows them.

    It writes ``train_loss`` and ``lr`` every ``every_steps`` steps. After each epoch it writes what
    the history holds, as ``epoch/…``, and with ``histograms`` the parameters. All are drawn over
    the number of steps done. A run that is resumed hides what it wrote after its checkpoint.

    Raises:
        TypeError: if ``every_steps`` is not an int.
        ValueError: if ``every_steps`` is below 1.
        NotADirectoryError: if ``log_dir`` is a file.
        ImportError: if the package tensorboard is not installed.

    >>> SummaryWriter("runs/1", every_steps=10).every_steps
    10
    """

    def __init__(self, log_dir: str | Path, every_steps: int = 1, histograms: bool = False) -> None:
        check_count("every_steps", every_steps)
        if Path(log_dir).is_file():
            raise NotADirectoryError(f"log_dir must be a folder, got the file {log_dir}")
        try:
            from torch.utils.tensorboard import SummaryWriter as Writer
        except ImportError as error:
            raise ImportError("SummaryWriter needs tensorboard: pip install tensorboard") from error
        self.log_dir, self.every_steps, self.histograms = log_dir, every_steps, histograms
        self._open, self._writer, self._last = Writer, None, {}

    def _write(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def on_fit_begin(self, trainer: Trainer) -> None:
        self.on_fit_end(trainer)  # of a fit that was interrupted
        # In mid-epoch the last step is hidden, too, and written anew: if it was the epoch's last,
        # values of the epoch may stand beside it, and they will come again.
        done = trainer.step + (trainer.batch == 0)
        self._writer = self._open(str(self.log_dir), purge_step=done)
        self._write(self._last if trainer.batch > 0 else {}, trainer.step)

    def on_step_end(self, trainer: Trainer) -> None:
        values = {"train_loss": trainer.loss, "lr": float(trainer.optimizer.param_groups[0]["lr"])}
        self._last = values if trainer.step % self.every_steps == 0 else {}
        self._write(self._last, trainer.step)

    def on_epoch_end(self, trainer: Trainer) -> None:
        values = trainer.history.records[-1].items()
        self._write({f"epoch/{name}": value for name, value in values}, trainer.step)
        for name, parameter in trainer.model.named_parameters() if self.histograms else ():
            self._writer.add_histogram(name, parameter.detach(), trainer.step)

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def state_dict(self) -> dict[str, Any]:
        if self._writer is not None:
            self._writer.flush()  # what a checkpoint counts as done must be on the disk before it
        return {"last": self._last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._last = state_dict["last"]
