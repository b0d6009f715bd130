"""The rows of deeplearn.checkpoint."""

from deeplearn import checkpoint
from oracles.table import Bad

BAD = [
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
        ("path", "checkpoint.py", "earlier"),
    ),
]
