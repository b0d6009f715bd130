"""Two checks beside the tables: signals through ten layers, and the price of the trainer."""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from deeplearn.callbacks import EarlyStopping, ModelCheckpoint
from deeplearn.data import MNIST, TensorLoader
from deeplearn.init import kaiming_normal_, lecun_normal_, normal_
from deeplearn.losses import cross_entropy
from deeplearn.metrics import accuracy
from deeplearn.models import mlp
from deeplearn.optim import Adam
from deeplearn.trainer import Trainer
from tools.results.digits import SIZES, low_digits
from tools.results.recipe import Line, Row, Set, seeded

XAVIER_TANH = [0.628, 0.487, 0.408, 0.358, 0.320, 0.293, 0.271, 0.253, 0.239, 0.226]
SMALL_TANH = [0.213, 0.0476, 0.0106, 0.00238, 0.000532]  # below, the reference has few digits


def stds(activation: Callable, init_: Callable, seed: int) -> list[float]:
    """Return the deviation after each of ten layers of 500 units, for inputs from N(0, 1)."""
    generator = seeded(seed)
    signal, deviations = torch.randn(1000, 500, generator=generator), []
    for _ in range(10):
        weight: Tensor = init_(torch.empty(500, 500), generator=generator)
        signal = activation(signal @ weight.T)
        deviations.append(signal.std().item())
    return deviations


def initialization(data: MNIST, seed: int) -> dict[str, float]:
    small = stds(torch.tanh, partial(normal_, std=0.01), seed)
    xavier = stds(torch.tanh, lecun_normal_, seed)  # 1/√fan_in, as the layers are square
    he = stds(torch.relu, kaiming_normal_, seed)
    return {
        "tanh_large": stds(torch.tanh, normal_, seed)[-1],
        "tanh_small": _largest_deviation(small, SMALL_TANH),
        "tanh_xavier": _largest_deviation(xavier, XAVIER_TANH),
        "relu_xavier": stds(torch.relu, lecun_normal_, seed)[-1],
        "he_lowest": min(he),
        "he_highest": max(he),
    }


def _largest_deviation(found: list[float], reference: list[float]) -> float:
    return max(abs(a / b - 1) for a, b in zip(found, reference, strict=False))


# --- speed ----------------------------------------------------------------------------------------


def bare_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: TensorLoader, valid: Set
) -> None:
    """Do what an epoch of the trainer does, and nothing else."""
    model.train()
    total = 0.0
    for X, y in loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    model.eval()
    with torch.no_grad():
        output = torch.cat([model(rows) for rows in valid[0].split(1024)])
        cross_entropy(output, valid[1]).item()
        accuracy(output, valid[1])


def speed(data: MNIST, seed: int) -> dict[str, float]:
    """Time epochs of the trainer with callbacks and of a bare loop in turns."""
    train_set, valid, _ = low_digits(data)
    models = [mlp(SIZES, generator=seeded(seed)) for _ in range(2)]
    optimizers = [Adam(model.parameters()) for model in models]
    loaders = [TensorLoader(*train_set, batch_size=128, generator=seeded(seed)) for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [EarlyStopping(patience=1000), ModelCheckpoint(Path(folder) / "run.pt")]
        trainer = Trainer(models[0], optimizers[0], cross_entropy, callbacks=callbacks)
        times: list[list[float]] = [[], []]
        for epoch in range(1, 8):
            for side in ((0, 1), (1, 0))[epoch % 2]:
                start = time.process_time()
                if side == 0:
                    trainer.fit(loaders[0], epoch, validation=valid)
                else:
                    bare_epoch(models[1], optimizers[1], loaders[1], valid)
                times[side].append(time.process_time() - start)
    ratios = [ours / bare for ours, bare in zip(*times, strict=True)]
    return {"ratio": median(ratios), "epoch_seconds": median(times[0])}


_SIGNAL = "10 layers of 500 units, 1,000 inputs from N(0, 1), no bias"
_SHARE = "{:.1%}"

ROWS = [
    Row("initialization", initialization, [
        Line("tanh, weights 0.01 · N(0, 1): largest deviation from the reference", _SIGNAL,
             "tanh_small", "layers 1 to 5", 0.04, at_most=True, form=_SHARE),
        Line("tanh, weights N(0, 1): deviation of the signal in layer 10", _SIGNAL,
             "tanh_large", ".982", 0.95, form="{:.3f}"),
        Line("tanh, 1/√fan_in: largest deviation from the reference", _SIGNAL,
             "tanh_xavier", "layers 1 to 10", 0.04, at_most=True, form=_SHARE),
        Line("ReLU, 1/√fan_in: deviation of the signal in layer 10", _SIGNAL,
             "relu_xavier", ".029", 0.05, at_most=True, form="{:.3f}"),
        Line("ReLU, √(2/fan_in): lowest of the ten deviations", _SIGNAL,
             "he_lowest", ".814", 0.6, form="{:.3f}"),
        Line("ReLU, √(2/fan_in): highest of the ten deviations", _SIGNAL,
             "he_highest", ".889", 1.1, at_most=True, form="{:.3f}"),
    ]),
    Row("speed", speed, [
        Line("time of an epoch: trainer with callbacks over bare loop",
             "digits 0 to 4, 5 × 100 ELU, Adam, batches of 128", "ratio", "",
             1.05, at_most=True, form="{:.3f}", seconds="epoch_seconds"),
    ]),
]  # fmt: skip
