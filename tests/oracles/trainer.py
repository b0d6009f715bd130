"""The rows of deeplearn.trainer."""

from torch import nn

from deeplearn import metrics, optim, trainer
from oracles.table import Bad, F, linear, loader, new_trainer, parameters

BAD = [
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
]
