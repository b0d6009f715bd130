"""The tables that hold deeplearn against independent answers.

A technique is proven by its rows here: ``Case`` rows name what it must equal, ``Bad`` rows what it
must refuse. The tests in ``test_oracles.py`` and ``test_contracts.py`` run over the tables and fail
for a public name that has no row.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from deeplearn import (
    activations,
    callbacks,
    checkpoint,
    data,
    diagnostics,
    init,
    metrics,
    models,
    normalization,
    optim,
    plots,
    regularization,
    trainer,
)

F = torch.nn.functional


@dataclass(frozen=True)
class Case:
    """``ours(…, **kwargs)`` must equal ``theirs(…, **kwargs)``."""

    ours: Callable
    theirs: Callable
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        settings = ",".join(f"{key}={value}" for key, value in self.kwargs.items())
        return f"{self.ours.__name__}({settings})"


@dataclass(frozen=True)
class Bad:
    """``call`` uses ``name`` wrongly: it must raise ``error`` with all of ``words`` in the message.

    The words are the argument, the value, and a piece of the cure.
    """

    name: Callable
    call: Callable[[], Any]
    error: type[Exception]
    words: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.name.__name__}: {' … '.join(self.words)}"


def lecun_reference_(tensor: torch.Tensor, distribution: str, generator: torch.Generator | None):
    """LeCun's variance 1/fan_in is torch's Kaiming rule for a linear unit."""
    fill_ = {"normal": nn.init.kaiming_normal_, "uniform": nn.init.kaiming_uniform_}[distribution]
    return fill_(tensor, nonlinearity="linear", generator=generator)


# Bit-equal to torch from the same generator state.
INITS = [
    *(
        Case(ours, theirs, kwargs)
        for ours, theirs in (
            (init.xavier_uniform_, nn.init.xavier_uniform_),
            (init.xavier_normal_, nn.init.xavier_normal_),
            (init.orthogonal_, nn.init.orthogonal_),
        )
        for kwargs in ({}, {"gain": 0.5}, {"gain": 5 / 3})
    ),
    *(
        Case(ours, theirs, kwargs)
        for ours, theirs in (
            (init.kaiming_uniform_, nn.init.kaiming_uniform_),
            (init.kaiming_normal_, nn.init.kaiming_normal_),
        )
        for kwargs in (
            {},
            {"a": 0.2},
            {"mode": "fan_out"},
            {"nonlinearity": "relu"},
            {"nonlinearity": "tanh", "mode": "fan_out"},
        )
    ),
    Case(init.lecun_normal_, partial(lecun_reference_, distribution="normal")),
    Case(init.lecun_uniform_, partial(lecun_reference_, distribution="uniform")),
]

# Output and gradient equal to torch's, elementwise.
ACTIVATIONS = [
    Case(activations.relu, torch.relu),
    Case(activations.leaky_relu, F.leaky_relu),
    Case(activations.leaky_relu, F.leaky_relu, {"negative_slope": 0.2}),
    Case(activations.elu, F.elu),
    Case(activations.elu, F.elu, {"alpha": 0.3}),
    Case(activations.selu, F.selu),
]

# Modules: the same output, representation and state keys as torch's.
MODULES = [
    Case(activations.ReLU, nn.ReLU),
    Case(activations.LeakyReLU, nn.LeakyReLU, {"negative_slope": 0.2}),
    Case(activations.ELU, nn.ELU, {"alpha": 0.5}),
    Case(activations.SELU, nn.SELU),
    Case(regularization.Dropout, nn.Dropout, {"p": 0.3}),
    Case(normalization.BatchNorm1d, nn.BatchNorm1d, {"num_features": 6}),
    Case(normalization.BatchNorm1d, nn.BatchNorm1d, {"num_features": 6, "momentum": None}),
    Case(normalization.BatchNorm1d, nn.BatchNorm1d, {"num_features": 6, "affine": False}),
    Case(normalization.BatchNorm1d, nn.BatchNorm1d, {"num_features": 6, "bias": False}),
    Case(
        normalization.BatchNorm1d,
        nn.BatchNorm1d,
        {"num_features": 6, "momentum": 0.3, "eps": 1e-3},
    ),
    Case(
        normalization.BatchNorm1d,
        nn.BatchNorm1d,
        {"num_features": 6, "track_running_stats": False},
    ),
]

# 100 steps in float64 within 1e-12 of torch's, and states that move either way.
OPTIMIZERS = [
    *(
        Case(optim.SGD, torch.optim.SGD, kwargs)
        for kwargs in (
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.9},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
            {"lr": 0.01, "weight_decay": 0.1, "maximize": True},
        )
    ),
    *(
        Case(optim.Adam, torch.optim.Adam, kwargs)
        for kwargs in (
            {"lr": 0.01},
            {"lr": 0.1, "betas": (0.5, 0.9)},
            {"lr": 0.01, "eps": 1e-3, "weight_decay": 0.1},
            {"lr": 0.01, "betas": (0.0, 0.999), "maximize": True},
        )
    ),
]

GAINS = [
    Case(init.calculate_gain, nn.init.calculate_gain, kwargs)
    for kwargs in (
        *({"nonlinearity": name} for name in ("linear", "conv2d", "sigmoid", "tanh", "relu")),
        {"nonlinearity": "selu"},
        {"nonlinearity": "leaky_relu"},
        {"nonlinearity": "leaky_relu", "param": 0.2},
    )
]

NAN = float("nan")
weight = partial(torch.zeros, 3, 4)
bias = partial(torch.zeros, 3)
integers = partial(torch.zeros, 3, 4, dtype=torch.int64)
labels = partial(torch.zeros, 3, dtype=torch.int64)
linear = partial(nn.Linear, 4, 3)


def parameters() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(2))]


def new_trainer(**kwargs: Any) -> trainer.Trainer:
    model = linear()
    return trainer.Trainer(model, optim.SGD(model.parameters()), F.cross_entropy, **kwargs)


def loader(X: torch.Tensor | None = None, **kwargs: Any) -> data.TensorLoader:
    X = weight() if X is None else X
    return data.TensorLoader(X, labels(), **{"batch_size": 2, **kwargs})


_FILLS = (
    init.xavier_uniform_,
    init.xavier_normal_,
    init.kaiming_uniform_,
    init.kaiming_normal_,
    init.lecun_uniform_,
    init.lecun_normal_,
    init.orthogonal_,
)
_FUNCTIONS = (activations.relu, activations.leaky_relu, activations.elu, activations.selu)

BAD = [
    *(
        Bad(fill_, partial(fill_, argument), error, words)
        for fill_ in _FILLS
        for argument, error, words in (
            (bias(), ValueError, ("tensor", "(3,)", "bias")),
            (integers(), TypeError, ("tensor", "int64", ".float()")),
            (torch.empty(0, 4), ValueError, ("tensor", "(0, 4)", "element")),
            ([[1.0]], TypeError, ("tensor", "list", "torch.as_tensor")),
        )
    ),
    *(
        Bad(fill_, partial(fill_, weight(), gain=NAN), ValueError, ("gain", "nan"))
        for fill_ in (init.xavier_uniform_, init.xavier_normal_, init.orthogonal_)
    ),
    *(
        Bad(fill_, partial(fill_, weight(), mode="fan"), ValueError, ("mode", "fan_in", "'fan'"))
        for fill_ in (init.kaiming_uniform_, init.kaiming_normal_)
    ),
    Bad(init.calculate_gain, lambda: init.calculate_gain("elu"), ValueError, ("relu", "'elu'")),
    Bad(
        init.calculate_gain,
        lambda: init.calculate_gain("leaky_relu", NAN),
        ValueError,
        ("param", "nan", "slope"),
    ),
    Bad(init.lsuv_, lambda: init.lsuv_(nn.ReLU(), weight()), ValueError, ("model", "nn.Linear")),
    Bad(init.lsuv_, lambda: init.lsuv_(linear(), weight() / 0), ValueError, ("X", "12", "repair")),
    Bad(init.lsuv_, lambda: init.lsuv_(linear(), weight()), ValueError, ("X", "0.0", "rows")),
    Bad(init.lsuv_, lambda: init.lsuv_(linear(), integers()), TypeError, ("X", "int64")),
    Bad(
        init.lsuv_,
        lambda: init.lsuv_(linear(), torch.ones(3, 4), tolerance=0.0),
        ValueError,
        ("tolerance", "0.0", "0.1"),
    ),
    *(
        Bad(function, partial(function, argument), TypeError, words)
        for function in _FUNCTIONS
        for argument, words in (
            (integers(), ("input", "int64", ".float()")),
            (1.0, ("input", "float", "torch.as_tensor")),
        )
    ),
    *(
        Bad(module, partial(module(), integers()), TypeError, ("input", "int64", ".float()"))
        for module in (
            activations.ReLU,
            activations.LeakyReLU,
            activations.ELU,
            activations.SELU,
            regularization.Dropout,
        )
    ),
    Bad(
        activations.leaky_relu,
        lambda: activations.leaky_relu(weight(), NAN),
        ValueError,
        ("negative_slope", "nan", "0.01"),
    ),
    Bad(activations.elu, lambda: activations.elu(weight(), NAN), ValueError, ("alpha", "nan")),
    Bad(activations.ELU, lambda: activations.ELU("1"), TypeError, ("alpha", "str", "smooth")),
    Bad(
        activations.LeakyReLU,
        lambda: activations.LeakyReLU(None),
        TypeError,
        ("negative_slope", "NoneType"),
    ),
    Bad(
        regularization.dropout,
        lambda: regularization.dropout(weight(), 1.0),
        ValueError,
        ("p", "1.0", "dropped, not kept"),
    ),
    Bad(
        regularization.dropout,
        lambda: regularization.dropout(integers()),
        TypeError,
        ("input", "int64"),
    ),
    Bad(regularization.Dropout, lambda: regularization.Dropout(-0.1), ValueError, ("p", "-0.1")),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(torch.ones(1, 4), None, None, training=True),
        ValueError,
        ("input", "(1, 4)", "larger batch"),
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(weight(), None, None),
        ValueError,
        ("running_mean", "training=True"),
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(bias(), None, None, training=True),
        ValueError,
        ("input", "(3,)", "unsqueeze"),
    ),
    Bad(
        normalization.batch_norm,
        lambda: normalization.batch_norm(weight(), None, None, training=True, eps=-1.0),
        ValueError,
        ("eps", "-1.0", "1e-5"),
    ),
    Bad(
        normalization.BatchNorm1d,
        lambda: normalization.BatchNorm1d(5)(weight()),
        ValueError,
        ("5 units", "(3, 4)", "num_features"),
    ),
    Bad(
        normalization.BatchNorm1d,
        lambda: normalization.BatchNorm1d(0),
        ValueError,
        ("num_features", "0"),
    ),
    Bad(
        normalization.BatchNorm1d,
        lambda: normalization.BatchNorm1d(4, momentum=1.5),
        ValueError,
        ("momentum", "1.5", "1 - decay"),
    ),
    *(
        Bad(metric, partial(metric, *arguments), ValueError, words)
        for metric in (metrics.accuracy, metrics.confusion_matrix)
        for arguments, words in (
            ((torch.empty(0, 2), labels()[:0]), ("input", "(0, 2)", "element")),
            ((weight() * NAN, labels()), ("input", "NaN", "repair")),
            ((weight(), labels()[:2]), ("input", "(3, 4)", "same rows")),
            ((weight(), weight()), ("target", "float32", "argmax")),
            ((bias(), labels()), ("input", "float32", "logits")),
        )
    ),
    Bad(
        metrics.confusion_matrix,
        lambda: metrics.confusion_matrix(labels() + 4, labels(), num_classes=3),
        ValueError,
        ("num_classes", "at least 5", "got 3"),
    ),
    Bad(
        metrics.confusion_matrix,
        lambda: metrics.confusion_matrix(labels() - 1, labels()),
        ValueError,
        ("labels", "negative", "relabel"),
    ),
    Bad(models.mlp, lambda: models.mlp([4]), ValueError, ("sizes", "[4]", "inputs and outputs")),
    Bad(models.mlp, lambda: models.mlp([4, 0, 2]), ValueError, ("sizes[1]", "0", "larger")),
    Bad(models.mlp, lambda: models.mlp([4, 2.5]), TypeError, ("sizes[1]", "float", "whole")),
    Bad(
        models.mlp,
        lambda: models.mlp([4, 3, 2], activation=nn.ReLU()),
        TypeError,
        ("activation", "ReLU()", "without calling"),
    ),
    Bad(
        models.mlp,
        lambda: models.mlp([4, 3, 2], activation=activations.elu),
        TypeError,
        ("activation", "without arguments", "input"),
    ),
    Bad(
        models.mlp,
        lambda: models.mlp([4, 3, 2], activation=lambda: None),
        TypeError,
        ("activation", "None", "class"),
    ),
    Bad(models.mlp, lambda: models.mlp([4, 2], init_=None), TypeError, ("init_", "None")),
    Bad(models.mlp, lambda: models.mlp([4, 2], dropout=1.5), ValueError, ("dropout", "1.5")),
    *(
        Bad(optimizer, partial(optimizer, *arguments, **kwargs), error, words)
        for optimizer in (optim.SGD, optim.Adam)
        for arguments, kwargs, error, words in (
            ((parameters(),), {"lr": -0.1}, ValueError, ("lr", "-0.1", "0.01")),
            ((parameters(),), {"lr": NAN}, ValueError, ("lr", "nan")),
            ((parameters(),), {"lr": "fast"}, TypeError, ("lr", "str")),
            ((parameters(),), {"weight_decay": -1}, ValueError, ("weight_decay", "-1")),
            (([],), {}, ValueError, ("params", "empty", "model.parameters()")),
        )
    ),
    Bad(
        optim.SGD,
        lambda: optim.SGD(parameters(), momentum=-1),
        ValueError,
        ("momentum", "-1", "0.9"),
    ),
    Bad(
        optim.SGD,
        lambda: optim.SGD(parameters(), nesterov=True),
        ValueError,
        ("nesterov", "momentum > 0", "got 0"),
    ),
    Bad(
        optim.Adam,
        lambda: optim.Adam(parameters(), betas=(0.9, 1.0)),
        ValueError,
        ("betas[1]", "1.0", "0.999"),
    ),
    *(
        Bad(optim.SGD, partial(optim.SGD, params), error, words)
        for params, error, words in (
            (None, TypeError, ("params", "None", "model.parameters()")),
            (linear(), TypeError, ("params", "Linear", "model.parameters()")),
            ([{"params": parameters(), "lr": -1.0}], ValueError, ("lr", "-1.0", "0.01")),
        )
    ),
    Bad(
        init.lsuv_,
        lambda: init.lsuv_(
            linear(),
            torch.randn(9, 4, generator=torch.Generator().manual_seed(0)),
            tolerance=1e-12,
            max_iterations=1,
        ),
        ValueError,
        ("max_iterations=1", "variance", "tolerance"),
    ),
    Bad(init.lsuv_, lambda: init.lsuv_(None, weight()), TypeError, ("model", "NoneType")),
    *(
        Bad(metric, partial(metric, weight(), labels() + 7), ValueError, ("target", "7", "relabel"))
        for metric in (metrics.accuracy, metrics.confusion_matrix)
    ),
    *(
        Bad(
            normalization.batch_norm,
            partial(normalization.batch_norm, weight(), *arguments, training=True),
            ValueError,
            words,
        )
        for arguments, words in (
            ((None, None, torch.ones(3)), ("weight", "(4,)", "(3,)")),
            ((torch.zeros(4), torch.ones(1)), ("running_var", "(4,)", "(1,)")),
            ((torch.zeros(4), None), ("running_mean", "running_var", "both")),
        )
    ),
    Bad(
        diagnostics.record_activations,
        lambda: diagnostics.record_activations(linear(), "(").__enter__(),
        ValueError,
        ("pattern", "'('", "regular expression"),
    ),
    Bad(
        diagnostics.record_activations,
        lambda: diagnostics.record_activations(None).__enter__(),
        TypeError,
        ("model", "NoneType"),
    ),
    Bad(
        diagnostics.gradient_norms,
        lambda: diagnostics.gradient_norms(None),
        TypeError,
        ("model", "NoneType"),
    ),
    Bad(
        callbacks.ModelCheckpoint,
        lambda: new_trainer(callbacks=[callbacks.ModelCheckpoint("/")]).fit(loader(), 1),
        IsADirectoryError,
        ("path", "/", "file"),
    ),
    Bad(models.mlp, lambda: models.mlp(5), TypeError, ("sizes", "5", "[784")),
    *(
        Bad(
            plots.lines,
            partial(plots.lines, {"a": values}, xlabel="x", ylabel="y", log=True),
            ValueError,
            ("'a'", "nothing to draw"),
        )
        for values in ([], [0.0, -1.0])
    ),
    Bad(
        optim.Adam,
        lambda: optim.Adam(parameters(), betas=0.9),
        ValueError,
        ("betas", "0.9", "two numbers"),
    ),
    Bad(
        optim.Adam,
        lambda: optim.Adam(parameters()).load_state_dict(optim.SGD(parameters()).state_dict()),
        ValueError,
        ("state_dict", "betas", "Adam"),
    ),
    Bad(optim.Adam, lambda: optim.Adam(parameters(), eps=-1), ValueError, ("eps", "-1", "1e-8")),
    Bad(
        optim.Optimizer,
        lambda: optim.Optimizer(parameters(), {"lr": -1, "weight_decay": 0}),
        ValueError,
        ("lr", "-1"),
    ),
    Bad(
        trainer.Trainer,
        lambda: trainer.Trainer("model", None, None),
        TypeError,
        ("model", "str"),
    ),
    Bad(
        trainer.Trainer,
        lambda: trainer.Trainer(linear(), optim.SGD(parameters()), F.cross_entropy),
        ValueError,
        ("optimizer", "model.parameters()"),
    ),
    Bad(
        trainer.Trainer,
        lambda: trainer.Trainer(linear(), optim.SGD(parameters()), nn.CrossEntropyLoss),
        TypeError,
        ("loss_fn", "CrossEntropyLoss", "nn.CrossEntropyLoss()"),
    ),
    Bad(
        trainer.Trainer,
        lambda: new_trainer(metrics=metrics.accuracy),
        TypeError,
        ("metrics", "accuracy", "dictionary"),
    ),
    Bad(
        trainer.Trainer,
        lambda: new_trainer(scheduler="cosine"),
        TypeError,
        ("scheduler", "'cosine'", "step"),
    ),
    Bad(
        trainer.Trainer,
        lambda: trainer.Trainer(
            model := linear(), optim.SGD(model.parameters()), nn.CrossEntropyLoss(reduction="none")
        ).fit(loader(), 1),
        TypeError,
        ("loss_fn", "(2,)", "mean"),
    ),
    Bad(
        trainer.Trainer,
        lambda: new_trainer(schedule_by="batch"),
        ValueError,
        ("schedule_by", "'batch'", "epoch"),
    ),
    Bad(
        trainer.Trainer,
        lambda: new_trainer().fit(loader(), 0),
        ValueError,
        ("num_epochs", "0"),
    ),
    Bad(
        data.TensorLoader,
        lambda: loader(weight() * NAN),
        ValueError,
        ("tensors[0]", "NaN", "repair"),
    ),
    Bad(data.TensorLoader, lambda: loader(batch_size=0), ValueError, ("batch_size", "0")),
    Bad(
        data.load_mnist,
        lambda: data.load_mnist("cifar"),
        ValueError,
        ("source", "'cifar'", "digits"),
    ),
    Bad(
        data.random_split,
        lambda: data.random_split(weight(), labels(), valid_size=3),
        ValueError,
        ("valid_size", "3"),
    ),
    Bad(
        data.stratified_split,
        lambda: data.stratified_split(weight(), labels()[:2], valid_size=1),
        ValueError,
        ("2", "3"),
    ),
    Bad(
        data.select_classes,
        lambda: data.select_classes(weight(), labels(), [7]),
        ValueError,
        ("classes", "7", "0"),
    ),
    Bad(
        trainer.Trainer,
        lambda: new_trainer().fit([], 1),
        ValueError,
        ("train_loader", "no batch", "drop_last"),
    ),
    Bad(
        trainer.Trainer,
        lambda: new_trainer().evaluate([]),
        ValueError,
        ("data", "no batch"),
    ),
    Bad(
        trainer.History,
        lambda: trainer.History([{"loss": 1.0}])["accuracy"],
        KeyError,
        ("accuracy", "loss"),
    ),
    Bad(
        trainer.History,
        lambda: trainer.History([{"loss": 1.0}]).best("loss", "smallest"),
        ValueError,
        ("mode", "smallest", "min"),
    ),
    Bad(
        callbacks.EarlyStopping,
        lambda: callbacks.EarlyStopping(patience=0),
        ValueError,
        ("patience", "0"),
    ),
    Bad(
        callbacks.EarlyStopping,
        lambda: callbacks.EarlyStopping(mode="best"),
        ValueError,
        ("mode", "'best'", "max"),
    ),
    Bad(
        callbacks.EarlyStopping,
        lambda: callbacks.EarlyStopping(min_delta=-0.1),
        ValueError,
        ("min_delta", "-0.1"),
    ),
    Bad(
        callbacks.EarlyStopping,
        lambda: new_trainer(callbacks=[callbacks.EarlyStopping()]).fit(loader(), 1),
        ValueError,
        ("monitor", "valid_loss", "validation="),
    ),
    Bad(
        callbacks.ModelCheckpoint,
        lambda: callbacks.ModelCheckpoint("run.pt", every_epochs=0),
        ValueError,
        ("every_epochs", "0"),
    ),
    Bad(
        callbacks.ModelCheckpoint,
        lambda: new_trainer(callbacks=[callbacks.ModelCheckpoint("no/run.pt")]).fit(loader(), 1),
        FileNotFoundError,
        ("path", "no/run.pt", "create no"),
    ),
    Bad(callbacks.Progress, lambda: callbacks.Progress(0), ValueError, ("every", "0")),
    Bad(
        checkpoint.save_checkpoint,
        lambda: checkpoint.save_checkpoint("run.pt"),
        ValueError,
        ("nothing", "model=model"),
    ),
    Bad(
        checkpoint.save_checkpoint,
        lambda: checkpoint.save_checkpoint("no/run.pt", epoch=1),
        FileNotFoundError,
        ("path", "no/run.pt", "create no"),
    ),
    Bad(
        checkpoint.load_checkpoint,
        lambda: checkpoint.load_checkpoint("no/run.pt"),
        FileNotFoundError,
        ("path", "no/run.pt", "no such file"),
    ),
    Bad(
        checkpoint.load_checkpoint,
        lambda: checkpoint.load_checkpoint(__file__),
        ValueError,
        ("path", "oracles.py", "earlier"),
    ),
    Bad(
        diagnostics.record_activations,
        lambda: diagnostics.record_activations(linear(), "hidden.*").__enter__(),
        ValueError,
        ("hidden.*", "the model has"),
    ),
    Bad(
        diagnostics.gradient_norms,
        lambda: diagnostics.gradient_norms(linear()),
        ValueError,
        ("model", "loss.backward()"),
    ),
    Bad(
        plots.lines,
        lambda: plots.lines({}, xlabel="x", ylabel="y"),
        ValueError,
        ("series", "empty"),
    ),
    Bad(
        plots.lines,
        lambda: plots.lines({"a": [1.0]}, x=[1, 2], xlabel="x", ylabel="y"),
        ValueError,
        ("'a'", "1 values for 2"),
    ),
    Bad(plots.histograms, lambda: plots.histograms({}, xlabel="x"), ValueError, ("values",)),
    Bad(
        plots.histograms,
        lambda: plots.histograms({"a": [1.0]}, xlabel="x"),
        TypeError,
        ("values['a']", "list"),
    ),
]
