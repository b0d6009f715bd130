"""The rows of deeplearn.callbacks."""

from deeplearn import callbacks
from oracles.table import Bad, loader, new_trainer

BAD = [
    Bad(
        callbacks.ModelCheckpoint,
        lambda: new_trainer(callbacks=[callbacks.ModelCheckpoint("/")]).fit(loader(), 1),
        IsADirectoryError,
        ("path", "/", "file"),
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
]
