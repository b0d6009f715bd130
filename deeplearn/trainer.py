"""The training loop, written once. Everything that is not the loop is a callback."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deeplearn._check import check_choice, check_count
from deeplearn._history import History
from deeplearn._modules import evaluating
from deeplearn._order import EpochOrder
from deeplearn.checkpoint import load_checkpoint, save_checkpoint
from deeplearn.data import TensorLoader
from deeplearn.metrics import accuracy

__all__ = ["Callback", "History", "Trainer"]


class Callback:
    """Something to do at set moments of training; override the moments that you need.

    Each method gets the trainer. ``trainer.should_stop = True`` ends training after the current
    step. ``state_dict`` and ``load_state_dict`` carry what must survive an interruption. Callbacks
    run in the order given, those with a larger ``priority`` later.
    """

    priority = 0

    def on_fit_begin(self, trainer: "Trainer") -> None:
        """Before the first step of a call of ``fit``."""

    def on_epoch_begin(self, trainer: "Trainer") -> None:
        """Before the first step of an epoch."""

    def on_batch_begin(self, trainer: "Trainer") -> None:
        """Before each forward pass: the place to set the learning rate."""

    def on_gradients(self, trainer: "Trainer") -> None:
        """After the backward pass, before the optimizer's step: the place to clip."""

    def on_step_end(self, trainer: "Trainer") -> None:
        """After the optimizer's step: the place to constrain weights."""

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """After the epoch's record was added to ``trainer.history``."""

    def on_fit_end(self, trainer: "Trainer") -> None:
        """After the last step of a call of ``fit``."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold; nothing by default."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what ``state_dict`` returned."""


class Trainer:
    """Train ``model`` with ``optimizer`` on ``loss_fn``; measure, and let callbacks do the rest.

    ``loss_fn(output, target)`` returns the mean loss of a batch. ``metrics`` map a name to a
    function of (output, target). ``scheduler`` is any of torch's; it moves on once an epoch, or
    once a step with ``schedule_by="step"``. ``device`` is the model's own unless given.

    A batch is a tuple ``(*inputs, target)``: the model is called with the inputs.

    Attributes:
        history: a :class:`History` with ``epoch, train_loss, valid_loss, valid_<metric>, lr,
            seconds``. ``train_loss`` is the mean over the epoch's batches, in training mode.
        epoch, step: epochs and steps done; ``batch``: steps done in the present epoch.
        should_stop: set it to end training after the present step.

    Raises:
        TypeError: if ``model`` is not a module or ``loss_fn`` cannot be called.
        ValueError: if the optimizer holds none of the model's parameters.

    >>> from deeplearn.models import mlp
    >>> from deeplearn.optim import SGD
    >>> generator = torch.Generator().manual_seed(0)
    >>> model = mlp([2, 2], generator=generator)
    >>> X = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    >>> y = torch.tensor([0, 1])
    >>> trainer = Trainer(model, SGD(model.parameters(), lr=1.0), nn.functional.cross_entropy)
    >>> history = trainer.fit(TensorLoader(X, y, batch_size=2, generator=generator), 20)
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
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be an nn.Module, got {type(model).__name__}")
        if not callable(loss_fn):
            raise TypeError(f"loss_fn must be a function of (output, target), got {loss_fn!r}")
        check_choice("schedule_by", schedule_by, ("epoch", "step"))
        own = {id(parameter) for parameter in model.parameters()}
        if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
            raise ValueError(
                "optimizer holds no parameter of model, so nothing would be trained; "
                "make it from model.parameters() of this very model"
            )
        self.device = torch.device(device) if device else next(model.parameters()).device
        self.model = model.to(self.device)
        self.optimizer, self.loss_fn = optimizer, loss_fn
        self.scheduler, self.schedule_by = scheduler, schedule_by
        self.metrics = {"accuracy": accuracy} if metrics is None else dict(metrics)
        self.callbacks = sorted(callbacks, key=lambda callback: callback.priority)
        self.history = History()
        self.epoch = self.batch = self.step = 0
        self.should_stop = False
        self.validation: Iterable | tuple[Tensor, ...] | None = None
        self._loss_sum, self._rows = 0.0, 0
        self._order = EpochOrder()

    def fit(
        self,
        train_loader: Iterable,
        num_epochs: int,
        validation: Iterable | tuple[Tensor, ...] | None = None,
    ) -> History:
        """Train until ``num_epochs`` epochs are done in all, or until a callback stops.

        ``validation`` is a loader, or a tuple of tensors, measured after each epoch.

        Raises:
            ValueError: if that many epochs are done already, if training was stopped before, or
                if the loader gives no batch.
            FloatingPointError: if the training loss is no longer finite.
        """
        check_count("num_epochs", num_epochs)
        if self.epoch >= num_epochs:
            raise ValueError(
                f"num_epochs must be above {self.epoch}, the epochs done, got {num_epochs}; "
                "it counts all epochs of this trainer"
            )
        if self.should_stop:
            raise ValueError(
                f"training was stopped after epoch {self.epoch}; "
                "set trainer.should_stop = False to go on"
            )
        self.validation, self.num_epochs = validation, num_epochs
        self._order.attach(train_loader)
        self._call("on_fit_begin")
        while self.epoch < num_epochs and not self.should_stop:
            self._run_epoch()
        self._call("on_fit_end")
        return self.history

    def _call(self, moment: str) -> None:
        for callback in self.callbacks:
            getattr(callback, moment)(self)

    def _run_epoch(self) -> None:
        start = time.perf_counter()
        self.model.train()
        if self.batch == 0:
            self._call("on_epoch_begin")
        for batch in self._order.batches(done=self.batch):
            self._run_step(batch)
            if self.should_stop:
                break
        if self._rows == 0:
            raise ValueError("train_loader gave no batch; check its length and drop_last")
        record = {"epoch": self.epoch + 1, "train_loss": self._loss_sum / self._rows}
        self.history.records.append(record)
        lr = self.optimizer.param_groups[0]["lr"]
        if not math.isfinite(record["train_loss"]):
            raise FloatingPointError(
                f"the training loss is {record['train_loss']} in epoch {self.epoch + 1}, lr={lr}; "
                "lower the learning rate, clip the gradients, or look for NaN in the data"
            )
        record |= self.validate()
        record |= {"lr": lr, "seconds": time.perf_counter() - start}
        if self.scheduler is not None and self.schedule_by == "epoch":
            self._move_scheduler(record)
        self.epoch += 1
        self.batch, self._loss_sum, self._rows = 0, 0.0, 0
        self._call("on_epoch_end")

    def _run_step(self, batch: Sequence[Tensor]) -> None:
        self._call("on_batch_begin")
        *inputs, target = (tensor.to(self.device) for tensor in batch)
        try:
            loss = self.loss_fn(self.model(*inputs), target)
        except (RuntimeError, IndexError) as error:
            shapes = ", ".join(f"{tuple(t.shape)} {t.dtype}" for t in (*inputs, target))
            error.add_note(f"the batch holds {shapes}; model and loss_fn must take these")
            raise
        self.optimizer.zero_grad()
        loss.backward()
        self._call("on_gradients")
        self.optimizer.step()
        if self.scheduler is not None and self.schedule_by == "step":
            self.scheduler.step()
        self._loss_sum += loss.item() * len(target)
        self._rows += len(target)
        self.batch += 1
        self.step += 1
        self._call("on_step_end")

    def _move_scheduler(self, record: dict[str, float]) -> None:
        if isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(record.get("valid_loss", record["train_loss"]))
        else:
            self.scheduler.step()

    def validate(self) -> dict[str, float]:
        """Measure ``valid_loss`` and ``valid_<metric>`` now; nothing without validation data."""
        if self.validation is None:
            return {}
        return {f"valid_{name}": value for name, value in self.evaluate(self.validation).items()}

    @torch.no_grad()
    def evaluate(self, data: Iterable | tuple[Tensor, ...]) -> dict[str, float]:
        """Return ``loss`` and the metrics on a loader or a tuple of tensors, in evaluation mode."""
        outputs, targets, loss_sum, rows = [], [], 0.0, 0
        with evaluating(self.model):
            for batch in _as_loader(data):
                *inputs, target = (tensor.to(self.device) for tensor in batch)
                outputs.append(self.model(*inputs))
                targets.append(target)
                loss_sum += float(self.loss_fn(outputs[-1], target)) * len(target)
                rows += len(target)
        if rows == 0:
            raise ValueError("data gave no batch; evaluate needs at least one row")
        output, target = torch.cat(outputs), torch.cat(targets)
        values = {name: metric(output, target) for name, metric in self.metrics.items()}
        return {"loss": loss_sum / rows, **values}

    @torch.no_grad()
    def predict(self, *inputs: Tensor, batch_size: int = 1024) -> Tensor:
        """Return the model's outputs in evaluation mode, in the order of the rows."""
        loader = TensorLoader(*inputs, batch_size=batch_size, shuffle=False)
        with evaluating(self.model):
            return torch.cat([self.model(*(x.to(self.device) for x in batch)) for batch in loader])

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint from which :meth:`resume` goes on exactly, even in mid-epoch."""
        return save_checkpoint(path, **self._parts())

    def resume(self, path: str | Path) -> None:
        """Take up the run that :meth:`save` wrote; call :meth:`fit` with the same loader next.

        Raises:
            FileNotFoundError, ValueError: as :func:`deeplearn.checkpoint.load_checkpoint`.
        """
        load_checkpoint(path, **self._parts())

    def _parts(self) -> dict[str, Any]:
        parts = {"model": self.model, "optimizer": self.optimizer, "trainer": self}
        return parts if self.scheduler is None else {**parts, "scheduler": self.scheduler}

    def state_dict(self) -> dict[str, Any]:
        """Return the trainer's own progress; model, optimizer and scheduler are saved beside it."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "should_stop": self.should_stop,
            "loss_sum": self._loss_sum,
            "rows": self._rows,
            "order": self._order.state_dict(),
            "history": [dict(record) for record in self.history.records],
            "callbacks": [(type(c).__name__, c.state_dict()) for c in self.callbacks],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` returned."""
        saved = [name for name, _ in state_dict["callbacks"]]
        own = [type(callback).__name__ for callback in self.callbacks]
        if saved != own:
            raise ValueError(f"the run was saved with callbacks {saved}, this trainer has {own}")
        for callback, (_, state) in zip(self.callbacks, state_dict["callbacks"], strict=True):
            callback.load_state_dict(state)
        self.epoch, self.batch = state_dict["epoch"], state_dict["batch"]
        self.step, self.should_stop = state_dict["step"], state_dict["should_stop"]
        self._loss_sum, self._rows = state_dict["loss_sum"], state_dict["rows"]
        self._order.load_state_dict(state_dict["order"])
        self.history.records = [dict(record) for record in state_dict["history"]]


def _as_loader(data: Iterable | tuple[Tensor, ...]) -> Iterable:
    if isinstance(data, tuple) and all(isinstance(item, Tensor) for item in data):
        return TensorLoader(*data, batch_size=1024, shuffle=False)
    return data
