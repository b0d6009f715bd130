"""Small runs, and what can befall them: shared by the tests of the trainer and of resuming."""

from collections.abc import Callable

import torch
from torch import nn

from deeplearn import optim
from deeplearn.data import TensorLoader
from deeplearn.models import mlp
from deeplearn.trainer import Callback, History, Trainer

cross_entropy = nn.functional.cross_entropy

ROWS, BATCH, EPOCHS = 23, 8, 3
STEPS = 3 * EPOCHS  # a full batch, a full batch, a smaller one


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


DRAW = seeded(11)
X, y = torch.randn(ROWS, 6, generator=DRAW), torch.randint(3, (ROWS,), generator=DRAW)
X_valid, y_valid = torch.randn(30, 6, generator=DRAW), torch.randint(3, (30,), generator=DRAW)


def new_model(seed: int = 0, **kwargs) -> nn.Sequential:
    return mlp([6, 8, 3], **kwargs, generator=seeded(seed))


def new_trainer(model: nn.Module | None = None, **kwargs) -> Trainer:
    model = new_model() if model is None else model
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return Trainer(model, optimizer, cross_entropy, **kwargs)


def new_loader(seed: int = 0, **kwargs) -> TensorLoader:
    return TensorLoader(X, y, **{"batch_size": BATCH, "generator": seeded(seed), **kwargs})


def same(left, right) -> bool:
    """Compare nested states to the last bit; NaN equals NaN."""
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right or (left != left and right != right)


def without_seconds(history: History) -> list[dict[str, float]]:
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history.records]


class When(Callback):
    """Act once: at the first such moment when the condition holds."""

    priority = 1

    def __init__(self, moment: str, condition: Callable, action: Callable) -> None:
        self.condition, self.action, self.done = condition, action, False
        setattr(self, moment, self.look)

    def look(self, trainer: Trainer) -> None:
        if not self.done and self.condition(trainer):
            self.done = True
            self.action(trainer)


def at(step: int) -> Callable:
    """Return a condition: so many steps are done."""
    return lambda trainer: trainer.step == step


def ctrl_c(trainer: Trainer) -> None:
    raise KeyboardInterrupt


def save_and_die(path) -> Callable:
    def act(trainer: Trainer) -> None:
        trainer.save(path)
        raise KeyboardInterrupt

    return act
