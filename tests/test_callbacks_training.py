"""The callbacks that act on training: on the rate, the gradients, the weights."""

import math

import pytest
import torch
from torch import nn

from deeplearn import optim
from deeplearn.callbacks import (
    EarlyStopping,
    GradientClipping,
    LearningRateScheduler,
    MaxNorm,
    ModelCheckpoint,
)
from deeplearn.trainer import Callback, Trainer
from tests.runs import EPOCHS, STEPS, cross_entropy, new_loader, new_model, new_trainer


class Listen(Callback):
    """Note something after the others, at a moment."""

    priority = 1

    def __init__(self, moment, look):
        self.seen = []
        setattr(self, moment, lambda trainer: self.seen.append(look(trainer)))


# --- mode ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("monitor", "mode", "sign"),
    [
        ("valid_loss", "auto", 1),
        ("train_loss", "auto", 1),
        ("valid_accuracy", "auto", -1),
        ("valid_loss", "max", -1),
        ("valid_accuracy", "min", 1),
        ("lr", "min", 1),
    ],
)
def test_the_better_direction_follows_from_the_name(monitor, mode, sign):
    assert EarlyStopping(monitor, mode=mode)._best.sign == sign


def test_accuracy_is_watched_upwards(tmp_path):
    """The accuracy rises from a half to one: it does not stop, and the last is the best."""
    model = nn.Linear(2, 2, bias=False)
    nn.init.zeros_(model.weight)
    batch = (torch.eye(2), torch.tensor([0, 1]))
    stopping = EarlyStopping("valid_accuracy", patience=1)
    saving = ModelCheckpoint(tmp_path / "best.pt", monitor="valid_accuracy")
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    trainer = Trainer(model, optimizer, cross_entropy, callbacks=[stopping, saving])
    history = trainer.fit([batch], 5, validation=[batch])
    best = history.best("valid_accuracy", "max")["epoch"]
    assert stopping.best_epoch == best
    assert torch.load(tmp_path / "best.pt", weights_only=True)["trainer"]["epoch"] == best


# --- learning rate -------------------------------------------------------------------------------


def test_the_rate_of_every_group_is_set_before_each_step():
    model = new_model()
    groups = [
        {"params": model.hidden1.parameters()},
        {"params": model.output.parameters(), "lr": 9},
    ]
    used = Listen("on_gradients", lambda t: [g["lr"] for g in t.optimizer.param_groups])
    trainer = Trainer(
        model,
        optim.SGD(groups, lr=5.0),
        cross_entropy,
        callbacks=[used, LearningRateScheduler(lambda step: 0.1 / (1 + step))],
    )
    history = trainer.fit(new_loader(), EPOCHS)
    assert used.seen == [[0.1 / (1 + step)] * 2 for step in range(STEPS)]
    assert history["lr"] == [0.1 / 3, 0.1 / 6, 0.1 / 9]


# --- clipping ------------------------------------------------------------------------------------


def gradients(trainer):
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters()])


@pytest.mark.parametrize("settings", [{"max_norm": 0.05}, {"max_value": 0.01}, {"max_norm": 1e6}])
def test_gradients_are_clipped_between_the_backward_pass_and_the_step(settings):
    before = Listen("on_gradients", gradients)
    after = Listen("on_gradients", gradients)
    before.priority = -1
    clipping = GradientClipping(**settings)
    norms = Listen("on_step_end", lambda trainer: clipping.last_norm)
    assert math.isnan(clipping.last_norm)
    trainer = new_trainer(callbacks=[after, clipping, before, norms])
    trainer.fit(new_loader(), 1)
    assert norms.seen == pytest.approx([g.norm().item() for g in before.seen])
    for raw, clipped in zip(before.seen, after.seen, strict=True):
        if "max_value" in settings:
            assert torch.equal(clipped, raw.clamp(-0.01, 0.01))
        else:
            factor = min(1, settings["max_norm"] / raw.norm().item())
            torch.testing.assert_close(clipped, raw * factor, rtol=1e-4, atol=1e-7)
        assert (clipped.norm() < raw.norm()) == (settings != {"max_norm": 1e6})


# --- max-norm ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "held"),
    [(".*", ["hidden1", "output"]), ("hidden.*", ["hidden1"]), ("output", ["output"])],
)
def test_incoming_weights_are_held_after_each_step(pattern, held):
    def longest(trainer):
        return {
            name: trainer.model.get_submodule(name).weight.norm(dim=1).max().item()
            for name in ("hidden1", "output")
        }

    seen = Listen("on_step_end", longest)
    seen.priority = 0  # listed before it, and yet after it
    trainer = new_trainer(callbacks=[seen, MaxNorm(0.3, pattern)])
    trainer.fit(new_loader(), 1)
    for norms in seen.seen:
        for name, norm in norms.items():
            assert (norm <= 0.3) == (name in held)
