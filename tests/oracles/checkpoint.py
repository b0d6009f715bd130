"""The rows of deeplearn.checkpoint."""

from tempfile import gettempdir

from deeplearn import checkpoint
from oracles.table import Bad, linear


def zoo(call, error, *words):
    def use():
        call(checkpoint.ModelZoo(gettempdir()))

    return Bad(checkpoint.ModelZoo, use, error, words)


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
    Bad(
        checkpoint.ModelZoo,
        lambda: checkpoint.ModelZoo("no/zoo"),
        FileNotFoundError,
        ("folder", "no/zoo", "mkdir"),
    ),
    *(
        zoo(lambda z, name=name: z.save(name, linear()), ValueError, "name", repr(name), "letters")
        for name in ("", "a/b", "..", "a\\b", ".hidden", "a\n", 3, None)
    ),
    zoo(lambda z: z.save("a", linear().state_dict()), TypeError, "model", "OrderedDict"),
    zoo(lambda z: z.save("a", linear(), f=zoo), TypeError, "metadata", "plain", "function"),
    zoo(lambda z: z.load("no", None), TypeError, "model", "NoneType"),
    zoo(lambda z: z.load("no such model", linear()), FileNotFoundError, "name", "'no such model'"),
]
