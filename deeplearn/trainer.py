"""The training loop, written once. Everything that is not the loop is a callback."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from deeplearn._callback import Callback
from deeplearn._check import check_choice, check_count, check_type
from deeplearn._history import History
from deeplearn._modules import evaluating
from deeplearn._order import EpochOrder, unpack
from deeplearn.checkpoint import load_checkpoint, save_checkpoint
from deeplearn.data import TensorLoader
from deeplearn.metrics import accuracy

__all__ = ["Callback", "History", "Trainer"]

_PROGRESS = ("epoch", "batch", "step", "loss", "should_stop", "_unfinished", "_loss_sum", "_rows")


class Trainer:
    """Train ``model`` with ``optimizer`` on ``loss_fn``; measure, and let callbacks do the rest.

    ``loss_fn(output, target)`` returns the mean loss of a batch. ``metrics`` map a name to a
    function of (output, target); without them the accuracy is measured. ``scheduler`` is any of
    torch's. It moves on once an epoch, or once a step with ``schedule_by="step"``. ``device`` is
    the model's own unless given. A layer that you put in evaluation mode yourself stays in it,
    unless the whole model is in evaluation mode.

    Shapes: a batch is a tuple ``(*inputs, target)`` of tensors (batch_size, …), and the model is
    called with the inputs.

    Attributes:
        history: a :class:`History` with ``epoch, train_loss, valid_loss, valid_<metric>, lr,
            seconds``. ``train_loss`` is the mean over the epoch's batches, in training mode.
        epoch, step: epochs and steps done; ``batch``: steps done in the present epoch.
        loss: the loss of the last batch, before its step; NaN before the first.
        should_stop: set it to end training after the present step.

    Raises:
        TypeError: if an argument is of another type.
        ValueError: if the optimizer holds none of the model's parameters, or if ``schedule_by`` is
            unknown or does not suit the scheduler.

    >>> from deeplearn.models import mlp
    >>> from deeplearn.optim import SGD
    >>> model = mlp([2, 2], generator=torch.Generator().manual_seed(0))
    >>> X, y = torch.eye(2), torch.tensor([1, 0])
    >>> trainer = Trainer(model, SGD(model.parameters(), lr=1.0), nn.functional.cross_entropy)
    >>> history = trainer.fit(TensorLoader(X, y, batch_size=2), 20)
    >>> trainer.evaluate((X, y))["accuracy"]
    1.0
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss_fn: Callable[[Tensor, Tensor], Tensor],
        *,
        scheduler: Any = None,
        schedule_by: str = "epoch",
        metrics: Mapping[str, Callable[[Tensor, Tensor], float]] | None = None,
        callbacks: Iterable[Callback] = (),
        device: torch.device | str | None = None,
    ) -> None:
        check_type("model", model, nn.Module)
        check_type("optimizer", optimizer, torch.optim.Optimizer)
        if not callable(loss_fn) or isinstance(loss_fn, type):
            cure = "create a loss that is a class: nn.CrossEntropyLoss()"
            raise TypeError(
                f"loss_fn must be a function of (output, target), got {loss_fn!r}; {cure}"
            )
        metrics = {"accuracy": accuracy} if metrics is None else metrics
        if not isinstance(metrics, Mapping):
            raise TypeError(f'metrics must be a dictionary {{"name": function}}, got {metrics!r}')
        if scheduler is not None and not hasattr(scheduler, "step"):
            raise TypeError(
                f"scheduler must have a step method, as torch's have, got {scheduler!r}"
            )
        if getattr(scheduler, "optimizer", optimizer) is not optimizer:
            raise ValueError("scheduler was made with another optimizer; make it with this one")
        if "loss" in metrics:
            raise ValueError("metrics must not hold 'loss', which is measured always; rename it")
        check_choice("schedule_by", schedule_by, ("epoch", "step"))
        if schedule_by == "step" and isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError("schedule_by must be 'epoch' for ReduceLROnPlateau, got 'step'")
        if getattr(scheduler, "mode", "min") == "max":
            raise ValueError("scheduler must have mode='min', as it watches the loss, got 'max'")
        own = {id(parameter) for parameter in model.parameters()}
        if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
            raise ValueError("optimizer holds no parameter of model; pass it model.parameters()")
        self.device = torch.device(device) if device else next(model.parameters()).device
        self.model = model.to(self.device)
        self.optimizer, self.loss_fn = optimizer, loss_fn
        self.scheduler, self.schedule_by = scheduler, schedule_by
        self.metrics = dict(metrics)
        callbacks = [callbacks] if isinstance(callbacks, Callback) else list(callbacks)
        for i, callback in enumerate(callbacks):
            check_type(f"callbacks[{i}]", callback, Callback)
        self.callbacks = sorted(callbacks, key=lambda callback: callback.priority)
        self.history = History()
        self.epoch = self.batch = self.step = 0
        self.loss, self.should_stop, self._unfinished = math.nan, False, False
        self.validation: Iterable | None = None
        self._loss_sum, self._rows, self._order = 0.0, 0, EpochOrder()

    def fit(
        self, train_loader: Iterable, num_epochs: int, validation: Iterable | None = None
    ) -> History:
        """Train until ``num_epochs`` epochs are done in all, or until a callback stops.

        ``validation`` is a loader, or a tuple of tensors, measured after each epoch. After an
        interruption, or after :meth:`resume`, the same call does what was left to do. The history
        is returned.

        Raises:
            TypeError: if the loader gives something else than tuples, or if ``loss_fn`` does not
                return one number.
            ValueError: if ``num_epochs`` is below 1; if that many are done already, or training was
                stopped, without an interruption; or if the loader gives no batch, or others than
                before it.
            FloatingPointError: if the training loss is no longer finite.
        """
        check_count("num_epochs", num_epochs)
        begun = self.epoch + (self.batch > 0)
        if begun > num_epochs or (begun == num_epochs == self.epoch and not self._unfinished):
            found = f"must be above {self.epoch}, the epochs done, got {num_epochs}"
            raise ValueError(f"num_epochs {found}; it counts all epochs of this trainer")
        if self.should_stop and not self._unfinished:
            cure = "set trainer.should_stop = False to go on"
            raise ValueError(f"training was stopped after epoch {self.epoch}; {cure}")
        self.validation, self.num_epochs = validation, num_epochs
        self._order.attach(train_loader)
        self._call("on_fit_begin")
        self._unfinished = True
        while self.batch > 0 or (self.epoch < num_epochs and not self.should_stop):
            self._run_epoch()
        self._call("on_fit_end")
        self._unfinished = False
        return self.history

    def _call(self, moment: str) -> None:
        for callback in self.callbacks:
            getattr(callback, moment)(self)

    def _run_epoch(self) -> None:
        start = time.perf_counter()
        # Not always: train() would wake up a layer that is in evaluation mode on purpose.
        if not self.model.training:
            self.model.train()
        if self.batch == 0:
            self._call("on_epoch_begin")
        batches = self._order.batches(done=self.batch)
        while not self.should_stop and (batch := next(batches, None)) is not None:
            self._run_step(batch)
        if self._rows > 0:
            self._finish_epoch(start)
        elif not self.should_stop:
            raise ValueError("train_loader gave no batch; check its length and drop_last")

    def _finish_epoch(self, start: float) -> None:
        loss, lr = self._loss_sum / self._rows, float(self.optimizer.param_groups[0]["lr"])
        record = {"epoch": self.epoch + 1, "train_loss": loss, **self.validate(), "lr": lr}
        self.history.records.append(record | {"seconds": time.perf_counter() - start})
        self.epoch += 1
        self.batch, self._loss_sum, self._rows = 0, 0.0, 0
        if not math.isfinite(loss):
            self._unfinished = False
            self._call("on_fit_end")
            cure = "lower the learning rate, clip the gradients, or look for NaN in the data"
            raise FloatingPointError(
                f"the training loss is {loss} in epoch {self.epoch}, lr={lr}; {cure}"
            )
        if self.scheduler is not None and self.schedule_by == "epoch":
            watched = (record.get("valid_loss", loss),)
            self.scheduler.step(*watched if isinstance(self.scheduler, ReduceLROnPlateau) else ())
        self._call("on_epoch_end")

    def _forward(self, inputs: Sequence[Tensor], target: Tensor) -> tuple[Tensor, Tensor]:
        try:
            output = self.model(*inputs)
            loss = self.loss_fn(output, target)
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            shapes = ", ".join(f"{tuple(t.shape)} {t.dtype}" for t in (*inputs, target))
            error.add_note(f"the batch holds {shapes}; model and loss_fn must take these")
            raise
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            found = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            cure = "take the mean over the batch: reduction='mean'"
            raise TypeError(f"loss_fn must return one number as a tensor, got {found}; {cure}")
        return output, loss

    def _run_step(self, batch: Sequence[Tensor]) -> None:
        self._call("on_batch_begin")
        *inputs, target = unpack(batch, self.device)

        def closure() -> Tensor:  # most optimizers call it once, LBFGS several times
            self.model.zero_grad()  # also what the optimizer does not hold, and clipping counts
            self.optimizer.zero_grad()
            _, loss = self._forward(inputs, target)
            loss.backward()
            self._call("on_gradients")
            return loss

        loss = self.optimizer.step(closure)
        if self.scheduler is not None and self.schedule_by == "step":
            self.scheduler.step()
        self.loss = loss.item()
        self._loss_sum += self.loss * len(target)
        self._rows += len(target)
        self.batch += 1
        self.step += 1
        self._call("on_step_end")

    def validate(self) -> dict[str, float]:
        """Measure ``valid_loss`` and ``valid_<metric>`` now; nothing without validation data."""
        if self.validation is None:
            return {}
        return {f"valid_{name}": value for name, value in self.evaluate(self.validation).items()}

    @torch.no_grad()
    def evaluate(self, data: Iterable) -> dict[str, float]:
        """Return the loss and the metrics on ``data``, a loader or a tuple of tensors, by name.

        The model is in evaluation mode meanwhile. The metrics are NaN if the loss is not finite.

        Raises:
            ValueError: if ``data`` gives no batch.
        """
        if isinstance(data, tuple):
            data = TensorLoader(*data, batch_size=1024, shuffle=False)
        outputs, targets, loss_sum, rows = [], [], 0.0, 0
        with evaluating(self.model):
            for batch in data:
                *inputs, target = unpack(batch, self.device)
                output, loss = self._forward(inputs, target)
                outputs.append(output)
                targets.append(target)
                loss_sum += float(loss) * len(target)
                rows += len(target)
        if rows == 0:
            raise ValueError("data gave no batch; evaluate needs at least one row")
        loss, scores = loss_sum / rows, dict.fromkeys(self.metrics, math.nan)
        if math.isfinite(loss):
            output, target = torch.cat(outputs), torch.cat(targets)
            scores = {name: float(metric(output, target)) for name, metric in self.metrics.items()}
        return {"loss": loss, **scores}

    @torch.no_grad()
    def predict(self, *inputs: Tensor, batch_size: int = 1024) -> Tensor:
        """Return the model's outputs in evaluation mode, in the order of the rows.

        Shapes: ``inputs`` are (N, …), and the result is (N, …); ``batch_size`` rows are computed at
        a time.
        """
        loader = TensorLoader(*inputs, batch_size=batch_size, shuffle=False)
        with evaluating(self.model):
            return torch.cat([self.model(*(x.to(self.device) for x in batch)) for batch in loader])

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint from which :meth:`resume` goes on exactly, after any step; return its
        path.

        Raises:
            FileNotFoundError: if the folder of ``path`` does not exist.
        """
        return save_checkpoint(path, **self._parts())

    def resume(self, path: str | Path) -> None:
        """Take up the run that :meth:`save` wrote; then call :meth:`fit` as it was called then.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file is damaged, or if it does not fit this trainer: its model,
                optimizer, scheduler and callbacks must be made in the same way.
        """
        waiting = self._order.waiting
        try:
            load_checkpoint(path, **self._parts())
        except BaseException:
            self._order.waiting = waiting  # the next fit is not that of an interrupted run
            raise

    def _parts(self) -> dict[str, Any]:
        scheduler = {} if self.scheduler is None else {"scheduler": self.scheduler}
        return {"model": self.model, "optimizer": self.optimizer, "trainer": self, **scheduler}

    def state_dict(self) -> dict[str, Any]:
        """Return the trainer's own progress; model, optimizer and scheduler are saved beside it."""
        return {
            **{name: getattr(self, name) for name in _PROGRESS},
            "scheduler": type(self.scheduler).__name__,
            "order": self._order.state_dict(),
            "history": [dict(record) for record in self.history.records],
            "callbacks": [(type(c).__name__, c.state_dict()) for c in self.callbacks],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` returned.

        Raises:
            ValueError: if the run was saved with other callbacks.
        """
        saved = [name for name, _ in state_dict["callbacks"]]
        own = [type(callback).__name__ for callback in self.callbacks]
        if saved != own:
            raise ValueError(f"the run was saved with callbacks {saved}, this trainer has {own}")
        if (saved := state_dict["scheduler"]) != (own := type(self.scheduler).__name__):
            raise ValueError(f"the run was saved with scheduler {saved}, this trainer has {own}")
        for callback, (_, state) in zip(self.callbacks, state_dict["callbacks"], strict=True):
            callback.load_state_dict(state)
        for name in _PROGRESS:
            setattr(self, name, state_dict[name])
        self.optimizer._opt_called = self.step > 0  # no state holds it, and torch's schedulers ask
        self._order.load_state_dict(state_dict["order"])
        self.history.records = [dict(record) for record in state_dict["history"]]
