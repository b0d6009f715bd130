"""The techniques, one by one, as the reference has them: validation accuracy after the last epoch.

Where the reference has no initialization of its own, it is Glorot's, uniform, the default of its
library.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from deeplearn.activations import ELU, SELU, LeakyReLU
from deeplearn.callbacks import MaxNorm
from deeplearn.constraints import max_norm_
from deeplearn.data import MNIST, Preprocessing, TensorLoader, standardize
from deeplearn.init import kaiming_normal_, lecun_normal_, xavier_uniform_
from deeplearn.losses import cross_entropy
from deeplearn.lr_scheduler import ExponentialLR
from deeplearn.models import mlp
from deeplearn.normalization import BatchNorm1d
from deeplearn.optim import SGD
from deeplearn.regularization import Dropout, l1_penalty
from deeplearn.trainer import Callback, Trainer
from tools.results.recipe import Line, Row, Set, fit, seeded, split

glorot_mlp = partial(mlp, init_=xavier_uniform_)


def train(
    model: nn.Module, train_set: Set, valid: Set, num_epochs: int, batch_size: int, seed: int, *,
    lr: float = 0.01, momentum: float = 0.0, schedule: Callable | None = None, **options: object,
) -> list[float]:  # fmt: skip
    """Train by SGD; return the validation accuracy after each epoch."""
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr, momentum)
    scheduler = schedule(optimizer) if schedule else None
    loader = TensorLoader(*train_set, batch_size=batch_size, generator=seeded(seed))
    trainer = fit(model, optimizer, loader, num_epochs, valid=valid, scheduler=scheduler, **options)
    return trainer.history["valid_accuracy"]


def last(accuracies: list[float]) -> dict[str, float]:
    return {"accuracy": accuracies[-1]}


# --- activations, batch norm ----------------------------------------------------------------------


def leaky_relu(data: MNIST, seed: int) -> dict[str, float]:
    model = glorot_mlp([784, 300, 100, 10], LeakyReLU, generator=seeded(seed))
    train_set, valid, _ = split(data)
    return last(train(model, train_set, valid, 40, 50, seed))


def standardized_by_pixel(X_train: Tensor) -> Preprocessing:
    """Divide each pixel by its own deviation, 1e-10 if it is never lit, as the reference does."""
    std = X_train.std(dim=0, correction=0, keepdim=True)
    return Preprocessing(X_train.mean(dim=0, keepdim=True), 1 / (std + 1e-10))


def selu(data: MNIST, seed: int, *, faulty: bool) -> dict[str, float]:
    init_ = xavier_uniform_ if faulty else lecun_normal_
    model = mlp([784, 300, 100, 10], SELU, init_, generator=seeded(seed))
    (X, y), (X_valid, y_valid), _ = split(data)
    scale = standardized_by_pixel(X) if faulty else standardize(X, dim=(0, 1))
    return last(train(model, (scale(X), y), (scale(X_valid), y_valid), 40, 50, seed))


def batch_norm(data: MNIST, seed: int, *, init_: Callable, lr: float = 0.01) -> dict[str, float]:
    model = mlp([784, 300, 100, 10], ELU, init_, batch_norm=True, generator=seeded(seed))
    model.add_module("batch_norm3", BatchNorm1d(10))
    train_set, valid, _ = split(data)
    accuracies = train(model, train_set, valid, 20, 200, seed, lr=lr)
    return {"first": accuracies[0], **last(accuracies)}


# --- rates and regularization ---------------------------------------------------------------------


def small_mlp(seed: int, dropout: float = 0.0) -> nn.Sequential:
    return glorot_mlp([784, 300, 50, 10], nn.ReLU, dropout=dropout, generator=seeded(seed))


def exponential(data: MNIST, seed: int) -> dict[str, float]:
    schedule = partial(ExponentialLR, gamma=10 ** (-1 / 10_000))
    train_set, valid, _ = split(data)
    accuracies = train(
        small_mlp(seed), train_set, valid, 5, 50, seed, lr=0.1, momentum=0.9, schedule=schedule
    )
    return {"first": accuracies[0], **last(accuracies)}


def l1(data: MNIST, seed: int) -> dict[str, float]:
    model = small_mlp(seed)
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]

    def loss_fn(output: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(output, target) + 0.001 * l1_penalty(weights)

    train_set, valid, _ = split(data)
    return last(train(model, train_set, valid, 20, 200, seed, loss_fn=loss_fn))


def dropout(data: MNIST, seed: int) -> dict[str, float]:
    model = nn.Sequential(Dropout(0.5), small_mlp(seed, dropout=0.5))
    train_set, valid, _ = split(data)
    return last(train(model, train_set, valid, 20, 50, seed, momentum=0.9))


class MaxNormOfOutgoing(Callback):
    """Hold the weights that leave each input of a layer: the wrong axis."""

    def on_step_end(self, trainer: Trainer) -> None:
        for layer in (trainer.model.hidden1, trainer.model.hidden2):
            max_norm_(layer.weight.T, 1.0)


def max_norm(data: MNIST, seed: int, *, faulty: bool) -> dict[str, float]:
    callback = MaxNormOfOutgoing() if faulty else MaxNorm(1.0, "hidden[12]")
    train_set, valid, _ = split(data)
    options = {"momentum": 0.9, "callbacks": [callback]}
    accuracies = train(small_mlp(seed), train_set, valid, 20, 50, seed, **options)
    return {"best": max(accuracies), **last(accuracies)}


# --- the table ------------------------------------------------------------------------------------

_NORMALIZED = "784-300-100-10, batch norm also on the logits, SGD 0.01, 20 epochs of batches of 200"
_BY_50 = "784-300-100-10, SGD 0.01, 40 epochs of batches of 50"
_SMALL = "784-300-50-10 ReLU, momentum 0.9"
_MAX_NORM = f"{_SMALL}, SGD 0.01, 20 epochs of batches of 50"

ROWS = [
    Row("exponential", exponential, [
        Line("exponential decay, first epoch", f"{_SMALL}, rate 0.1 / 10 per 10,000 steps, "
             "batches of 50", "first", ".9590", 0.9590),
        Line("exponential decay, fifth epoch", "the same run", "accuracy",
             ".9688 .9726 .9804 .9820", 0.9820),
    ]),
    Row("batch_norm_scale_1", partial(batch_norm, init_=lecun_normal_), [
        Line("batch norm + ELU, first epoch, *fault:* He with scale 1", _NORMALIZED, "first",
             ".8952"),
        Line("batch norm + ELU, *fault:* He with scale 1", "the same run", "accuracy", ".9742"),
    ]),
    Row("batch_norm", partial(batch_norm, init_=kaiming_normal_), [
        Line("batch norm + ELU, first epoch, He", _NORMALIZED, "first", ".8952", 0.8952),
        Line("batch norm + ELU, He", "the same run", "accuracy", ".9742", 0.9742),
    ]),
    Row("batch_norm_rate", partial(batch_norm, init_=kaiming_normal_, lr=0.02), [
        Line("batch norm + ELU, first epoch, He, twice the rate",
             _NORMALIZED.replace("0.01", "0.02"), "first", ".8952"),
        Line("batch norm + ELU, He, twice the rate", "the same run", "accuracy", ".9742"),
    ]),
    Row("l1", l1, [
        Line("ℓ1, 0.001", "784-300-50-10 ReLU, SGD 0.01, 20 epochs of batches of 200",
             "accuracy", ".9214", 0.9214),
    ]),
    Row("dropout", dropout, [
        Line("dropout 0.5 on input and hidden layers", _MAX_NORM, "accuracy", ".9720", 0.9720),
    ]),
    Row("max_norm_outgoing", partial(max_norm, faulty=True), [
        Line("max-norm 1, *fault:* outgoing weights", _MAX_NORM, "accuracy", ".9844"),
        Line("max-norm 1, best epoch, *fault:* outgoing weights", "the same run", "best", ".9854"),
    ]),
    Row("max_norm", partial(max_norm, faulty=False), [
        Line("max-norm 1, incoming weights", _MAX_NORM, "accuracy", ".9844", 0.9844),
        Line("max-norm 1, best epoch, incoming weights", "the same run", "best", ".9854", 0.9854),
    ]),
    Row("leaky_relu", leaky_relu, [
        Line("leaky ReLU 0.01", _BY_50, "accuracy", ".9788", 0.9788),
    ]),
    Row("selu_by_pixel", partial(selu, faulty=True), [
        Line("SELU, *fault:* Glorot's weights, each pixel divided by its own deviation",
             _BY_50, "accuracy", ".970"),
    ]),
    Row("selu", partial(selu, faulty=False), [
        Line("SELU, LeCun's weights, one deviation for all pixels", _BY_50, "accuracy", ".970",
             0.970),
    ]),
]  # fmt: skip
