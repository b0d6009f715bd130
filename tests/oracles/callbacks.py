"""The rows of deeplearn.callbacks."""

import sys
from functools import partial
from pathlib import Path
from unittest import mock

import torch

from deeplearn import callbacks
from oracles.table import NAN, Bad, loader, new_trainer


def fit(callback, **kwargs):
    return new_trainer(callbacks=[callback], **kwargs).fit(loader(), 1)


def scheduled(callback):
    trainer = new_trainer(callbacks=[callback])
    trainer.scheduler = torch.optim.lr_scheduler.ConstantLR(trainer.optimizer)
    return trainer.fit(loader(), 1)


def without_tensorboard():
    with mock.patch.dict(sys.modules, {"torch.utils.tensorboard": None}):
        callbacks.SummaryWriter("runs")


C = callbacks
BAD = [
    Bad(
        C.ModelCheckpoint,
        lambda: fit(C.ModelCheckpoint("/")),
        IsADirectoryError,
        ("path", "/", "file"),
    ),
    Bad(
        C.ModelCheckpoint,
        lambda: fit(C.ModelCheckpoint("no/run.pt")),
        FileNotFoundError,
        ("path", "no/run.pt", "create no"),
    ),
    Bad(
        C.EarlyStopping,
        lambda: fit(C.EarlyStopping()),
        ValueError,
        ("monitor", "valid_loss", "validation="),
    ),
    Bad(
        C.LearningRateScheduler,
        lambda: fit(C.LearningRateScheduler(lambda step: -0.5)),
        ValueError,
        ("schedule(0)", "-0.5", "return the learning rate"),
    ),
    Bad(
        C.LearningRateScheduler,
        lambda: fit(C.LearningRateScheduler(lambda step: None)),
        TypeError,
        ("schedule(0)", "NoneType", "return the learning rate"),
    ),
    Bad(
        C.LearningRateScheduler,
        lambda: scheduled(C.LearningRateScheduler(lambda step: 0.1)),
        ValueError,
        ("rate", "two", "leave out scheduler="),
    ),
    Bad(
        C.MaxNorm,
        lambda: fit(C.MaxNorm(1.0, "hidden.*")),
        ValueError,
        ("hidden.*", "no weight", "['weight']"),
    ),
    Bad(
        C.MaxNorm,
        lambda: fit(C.MaxNorm(1.0, "bias")),
        ValueError,
        ("'bias'", "no weight", "['weight']"),
    ),
    Bad(
        C.MaxNorm,
        lambda: fit(C.MaxNorm(1.0, "(")),
        ValueError,
        ("pattern", "'('", "regular expression"),
    ),
    Bad(C.SummaryWriter, without_tensorboard, ImportError, ("tensorboard", "pip install")),
    Bad(
        C.SummaryWriter,
        lambda: C.SummaryWriter(Path(__file__)),
        NotADirectoryError,
        ("log_dir", "callbacks.py", "folder"),
    ),
    *(
        Bad(kind, partial(kind, *args, **kwargs), error, words)
        for kind, args, kwargs, error, words in (
            (C.EarlyStopping, (), {"patience": 0}, ValueError, ("patience", "0")),
            (C.EarlyStopping, (), {"mode": "best"}, ValueError, ("mode", "'best'", "max")),
            (C.EarlyStopping, (), {"min_delta": -0.1}, ValueError, ("min_delta", "-0.1")),
            (C.EarlyStopping, (), {"every_steps": 0}, ValueError, ("every_steps", "0")),
            (C.EarlyStopping, ("valid_f1",), {}, ValueError, ("mode", "'valid_f1'", "'max'")),
            (C.ModelCheckpoint, ("a",), {"monitor": "lr"}, ValueError, ("mode", "'lr'", "'min'")),
            (C.ModelCheckpoint, ("a",), {"every_epochs": 0}, ValueError, ("every_epochs", "0")),
            (C.Progress, (0,), {}, ValueError, ("every", "0")),
            (C.LearningRateScheduler, (0.1,), {}, TypeError, ("schedule", "0.1", "function")),
            (C.LearningRateScheduler, (float,), {}, TypeError, ("schedule", "float", "function")),
            (C.GradientClipping, (), {}, ValueError, ("max_norm", "max_value", "None and None")),
            (C.GradientClipping, (1, 2), {}, ValueError, ("one of", "max_norm", "1 and 2")),
            (C.GradientClipping, (0.0,), {}, ValueError, ("max_norm", "0.0", "first try")),
            (C.GradientClipping, (None, NAN), {}, ValueError, ("max_value", "nan", "first try")),
            (C.MaxNorm, (0,), {}, ValueError, ("max_norm", "0", "2 to 4")),
            (C.SummaryWriter, ("a",), {"every_steps": 0}, ValueError, ("every_steps", "0")),
        )
    ),
]
