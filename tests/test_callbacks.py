"""Callbacks on made-up courses of validation values, against answers worked out by hand."""

import math
import random
from copy import deepcopy

import pytest
import torch
from torch import nn

from deeplearn import optim
from deeplearn.callbacks import EarlyStopping, ModelCheckpoint, Progress
from deeplearn.checkpoint import load_checkpoint
from deeplearn.data import TensorLoader
from deeplearn.trainer import Callback, Trainer

NAN, INF = math.nan, math.inf
X, y = torch.eye(6, 4), torch.tensor([0, 1, 0, 1, 0, 1])
SCORE = "valid_score_loss"


def scored(values, callbacks, by="epoch"):
    """Make a trainer whose validation score is a value of the list, by epoch or by step."""
    model = nn.Linear(4, 2)
    nn.init.zeros_(model.weight)

    def score(output, target):
        return values[trainer.epoch if by == "epoch" else trainer.step - 1]

    trainer = Trainer(
        model,
        optim.SGD(model.parameters(), lr=0.1),
        nn.functional.cross_entropy,
        metrics={"score_loss": score},
        callbacks=callbacks,
    )
    return trainer


def fit(trainer, num_epochs, batch_size=6):
    loader = TensorLoader(X, y, batch_size=batch_size, shuffle=False)
    return trainer.fit(loader, num_epochs, validation=(X, y))


class Keep(Callback):
    """Keep a copy of the model of every step."""

    def __init__(self):
        self.weights = {}

    def on_step_end(self, trainer):
        self.weights[trainer.step] = deepcopy(trainer.model.state_dict())


# --- early stopping ------------------------------------------------------------------------------

# values, settings → epochs done, best epoch, whether it was stopped
COURSES = [
    ([4, 3, 2, 1], {"patience": 1}, (4, 4, False)),
    ([4, 3, 3, 2], {"patience": 1}, (3, 2, True)),  # a tie is no improvement
    ([4, 3, 3, 2], {"patience": 2}, (4, 4, False)),
    ([1, 2, 3, 4, 5], {"patience": 3}, (4, 1, True)),
    ([2, 3, 1, 3, 3, 0], {"patience": 2}, (5, 3, True)),  # an improvement starts the wait anew
    ([1, 2, 3, 4], {"patience": 1, "mode": "max"}, (4, 4, False)),
    ([1, 3, 2, 2, 9], {"patience": 2, "mode": "max"}, (4, 2, True)),
    ([-1, -2, -2], {"patience": 1}, (3, 2, True)),
    ([-3, -2, -2.5], {"patience": 1, "mode": "max"}, (3, 2, True)),
    ([4, 3.5, 3, 2.5], {"patience": 2, "min_delta": 0.5}, (4, 3, False)),  # 3 against 4, not 3.5
    ([4, 3.5, 2.75], {"patience": 2, "min_delta": 0.5}, (3, 3, False)),
    ([1, 1.5, 2], {"patience": 2, "min_delta": 1, "mode": "max"}, (3, 1, True)),
    ([NAN, NAN, NAN], {"patience": 2}, (2, 0, True)),
    ([NAN, 5, NAN, 4, NAN], {"patience": 2}, (5, 4, False)),
    ([5, NAN, NAN, 1], {"patience": 2}, (3, 1, True)),
    ([NAN, 5, NAN, 6], {"patience": 2, "mode": "max"}, (4, 4, False)),
    ([INF, 7, INF], {"patience": 3}, (3, 2, False)),
    ([-INF, 7, -INF], {"patience": 3, "mode": "max"}, (3, 2, False)),
    ([0.0, -0.0], {"patience": 1}, (2, 1, True)),
]


@pytest.mark.parametrize(("values", "settings", "answer"), COURSES, ids=str)
def test_early_stopping_by_hand(values, settings, answer):
    keep, stopping = Keep(), EarlyStopping(SCORE, **settings)
    trainer = scored(values, [keep, stopping])
    fit(trainer, len(values))
    assert (trainer.epoch, stopping.best_epoch, stopping.stopped) == answer
    assert stopping.best_step == stopping.best_epoch  # one step an epoch
    assert trainer.should_stop == stopping.stopped
    restored = keep.weights[stopping.best_epoch or trainer.epoch]  # without a best one: the last
    assert torch.equal(trainer.model.weight, restored["weight"])


def reference(values, patience, min_delta, mode):
    """Return (epochs done, best epoch) by looking back over all values each time."""
    sign = {"min": 1, "max": -1}[mode]
    best = 0
    for epoch in range(1, len(values) + 1):
        value = sign * values[epoch - 1]
        if not math.isnan(value) and (
            best == 0 or sign * values[best - 1] - value > min_delta  # exact: quarters
        ):
            best = epoch
        if epoch - best >= patience:
            return epoch, best
    return len(values), best


def test_early_stopping_on_random_courses():
    draw = random.Random(0)
    stops = 0
    for _ in range(60):
        values = [draw.choice([NAN, *range(-4, 5)]) / 4 for _ in range(6)]
        settings = {
            "patience": draw.randint(1, 7),
            "min_delta": draw.choice([0, 0.25, 0.5]),
            "mode": draw.choice(["min", "max"]),
        }
        stopping = EarlyStopping(SCORE, **settings)
        trainer = scored(values, [stopping])
        fit(trainer, len(values))
        assert (trainer.epoch, stopping.best_epoch) == reference(values, **settings)
        stops += stopping.stopped
    assert 15 < stops < 45


@pytest.mark.parametrize("restore_best", [True, False])
@pytest.mark.parametrize(("num_epochs", "stopped"), [(3, False), (9, True)])
def test_best_model_comes_back_however_training_ends(restore_best, num_epochs, stopped):
    keep = Keep()
    stopping = EarlyStopping(SCORE, patience=3, restore_best=restore_best)
    trainer = scored([5, 1, 2, 2, 2, 2, 2, 2, 2], [keep, stopping])
    fit(trainer, num_epochs)
    assert stopping.stopped == stopped
    last = 5 if stopped else num_epochs
    assert trainer.epoch == last
    assert torch.equal(trainer.model.weight, keep.weights[2 if restore_best else last]["weight"])
    assert not torch.equal(keep.weights[2]["weight"], keep.weights[last]["weight"])


def test_batch_norm_statistics_come_back_too():
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    keep = Keep()
    trainer = Trainer(
        model,
        optim.SGD(model.parameters(), lr=0.1),
        nn.functional.cross_entropy,
        metrics={"score_loss": lambda output, target: [3, 1, 2][trainer.epoch]},
        callbacks=[keep, EarlyStopping(SCORE)],
    )
    fit(trainer, 3)
    for name, value in model.state_dict().items():
        assert torch.equal(value, keep.weights[2][name]), name


@pytest.mark.parametrize(
    ("values", "settings", "answer"),
    [  # three steps an epoch → steps done, best step, best epoch, epochs in the history
        ([9, 8, 9, 9, 7, 9], {"every_steps": 1, "patience": 3}, (6, 5, 2, 2)),
        ([9, 8, 9, 9, 9, 1], {"every_steps": 1, "patience": 3}, (5, 2, 1, 2)),
        ([0, 8, 0, 9, 0, 9, 0, 7, 0], {"every_steps": 2, "patience": 2}, (6, 2, 1, 2)),
        ([1, 1, 5, 1, 1, 4, 1, 1, 6], {"every_steps": 3, "patience": 5}, (9, 6, 2, 3)),
        ([1, 2, 3, 4, 9, 6], {"every_steps": 5, "patience": 1}, (6, 5, 2, 2)),
    ],
    ids=str,
)
def test_early_stopping_by_steps(values, settings, answer):
    keep, stopping = Keep(), EarlyStopping(SCORE, **settings)
    trainer = scored(values, [keep, stopping], by="step")
    history = fit(trainer, len(values) // 3, batch_size=2)
    found = (trainer.step, stopping.best_step, stopping.best_epoch, len(history))
    assert found == answer
    assert torch.equal(trainer.model.weight, keep.weights[stopping.best_step]["weight"])


def test_every_steps_measures_what_evaluate_measures():
    seen = []

    class Listen(Callback):
        def on_step_end(self, trainer):
            seen.append(trainer.evaluate((X, y))["loss"])

    stopping = EarlyStopping(every_steps=1, patience=99)
    trainer = scored([0] * 9, [Listen(), stopping])
    fit(trainer, 3, batch_size=2)
    assert trainer.evaluate((X, y))["loss"] == min(seen)
    assert stopping.best_step == 1 + seen.index(min(seen))


def test_early_stopping_can_watch_the_training_loss():
    trainer = scored([0] * 4, [EarlyStopping("train_loss", patience=1)])
    loader = TensorLoader(X, y, batch_size=6)
    history = trainer.fit(loader, 4)
    assert trainer.callbacks[0].best_epoch == history.best("train_loss")["epoch"] == 4
    with pytest.raises(ValueError, match=r"monitor 'train_loss' was not measured"):
        fit(scored([0], [EarlyStopping("train_loss", every_steps=1)]), 1)
    with pytest.raises(ValueError, match=r"'val_loss' .* \['epoch', 'lr', .*'valid_loss'"):
        fit(scored([0], [EarlyStopping("val_loss")]), 1)


def test_a_used_callback_starts_anew_with_a_new_trainer():
    stopping = EarlyStopping(SCORE, patience=2)
    first = scored([1, 2, 3], [stopping])
    fit(first, 3)
    assert (stopping.stopped, stopping.best_epoch) == (True, 1)
    second = scored([9, 8, 7], [stopping])
    fit(second, 3)
    assert (stopping.stopped, stopping.best_epoch, second.epoch) == (False, 3, 3)


def test_another_fit_goes_on_from_the_best_model():
    keep, stopping = Keep(), EarlyStopping(SCORE, patience=2)
    trainer = scored([3, 1, 2, 2, 0, 5], [keep, stopping])
    fit(trainer, 6)
    assert trainer.epoch == 4
    begun = []

    class Begin(Callback):
        def on_batch_begin(self, trainer):
            begun.append(trainer.model.weight.detach().clone())

    trainer.callbacks.append(Begin())
    trainer.should_stop = False
    fit(trainer, 5)
    assert torch.equal(begun[0], keep.weights[2]["weight"])
    assert stopping.best_epoch == 5


# --- checkpoints ---------------------------------------------------------------------------------


class Saved(Callback):
    """Note after each epoch which one the file holds."""

    priority = 2

    def __init__(self, path):
        self.path, self.epochs = path, []

    def on_epoch_end(self, trainer):
        content = load_checkpoint(self.path) if self.path.exists() else {"trainer": {"epoch": 0}}
        self.epochs.append(content["trainer"]["epoch"])


@pytest.mark.parametrize(
    ("values", "settings", "epochs"),
    [
        ([1, 2, 3], {}, [1, 2, 3]),
        ([1, 2, 3, 4, 5], {"every_epochs": 2}, [0, 2, 2, 4, 4]),
        ([3, 4, 2, 2, 1], {"monitor": SCORE}, [1, 1, 3, 3, 5]),
        ([3, 4, 2, 5, 1], {"monitor": SCORE, "mode": "max"}, [1, 2, 2, 4, 4]),
        ([NAN, 4, NAN, 5, 3], {"monitor": SCORE}, [0, 2, 2, 2, 5]),
        ([1, 4, 2, 5, 9, 3], {"monitor": SCORE, "every_epochs": 2}, [0, 2, 2, 2, 2, 6]),
    ],
    ids=str,
)
def test_model_checkpoint_writes_at_these_epochs(values, settings, epochs, tmp_path):
    path = tmp_path / "run.pt"
    saved = Saved(path)
    fit(scored(values, [saved, ModelCheckpoint(path, **settings)]), len(values))
    assert saved.epochs == epochs


def test_model_checkpoint_holds_the_run_of_that_epoch(tmp_path):
    class Late(Callback):
        """Listed after the checkpoint, it changes the model before it."""

        def on_epoch_end(self, trainer):
            with torch.no_grad():
                trainer.model.bias.fill_(trainer.epoch)

    path = tmp_path / "best.pt"
    trainer = scored([2, 1, 3], [ModelCheckpoint(path, monitor=SCORE), Late()])
    history = fit(trainer, 3)
    model = nn.Linear(4, 2)
    content = load_checkpoint(path, model=model)
    assert model.bias.tolist() == [2, 2]
    assert content["trainer"]["history"] == history.records[:2]
    assert content["optimizer"]["param_groups"][0]["lr"] == 0.1


def test_a_worse_model_never_replaces_the_best_one_after_resume(tmp_path):
    """The run stops between two checkpoints of an epoch, when only the first has been written."""
    last, best = tmp_path / "last.pt", tmp_path / "best.pt"

    def build():
        values = [3, 1, 2, 2]
        callbacks = [ModelCheckpoint(last), ModelCheckpoint(best, monitor=SCORE), Power(None)]
        return scored(values, callbacks)

    class Power(Callback):
        priority = 2

        def __init__(self, at):
            self.at = at

        def on_epoch_end(self, trainer):
            if trainer.epoch == self.at:
                raise KeyboardInterrupt

    first = build()
    first.callbacks[-1].at = 2
    with pytest.raises(KeyboardInterrupt):
        fit(first, 4)
    second = build()
    second.resume(last)
    fit(second, 4)
    assert load_checkpoint(best)["trainer"]["epoch"] == 2
    assert load_checkpoint(last)["trainer"]["epoch"] == 4


def test_monitor_must_be_measured_in_the_epoch_that_is_saved(tmp_path):
    path = tmp_path / "best.pt"
    trainer = scored([1, 2, 3], [])
    trainer.fit(TensorLoader(X, y, batch_size=6), 1)
    trainer.callbacks = [ModelCheckpoint(path, monitor=SCORE)]
    fit(trainer, 2)  # the first epoch was not validated, and does not count
    assert load_checkpoint(path)["trainer"]["epoch"] == 2
    with pytest.raises(ValueError, match=f"monitor '{SCORE}' was not measured"):
        trainer.fit(TensorLoader(X, y, batch_size=6), 3)
    with pytest.raises(ValueError, match="mode must be one of min, max; got 'least'"):
        ModelCheckpoint(path, mode="least")


# --- progress ------------------------------------------------------------------------------------


def test_progress_prints_what_was_measured(capsys):
    trainer = scored([0.25, 0.5], [Progress()])
    history = fit(trainer, 2)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"epoch {r['epoch']}/2  train_loss {r['train_loss']:.4f}  valid_loss {r['valid_loss']:.4f}"
        f"  {SCORE} {r[SCORE]:.4f}  {r['seconds']:.1f} s"
        for r in history.records
    ]


@pytest.mark.parametrize(
    ("every", "num_epochs", "patience", "printed"),
    [
        (1, 3, 99, ["1/3", "2/3", "3/3"]),
        (2, 5, 99, ["2/5", "4/5", "5/5"]),
        (5, 10, 99, [" 5/10", "10/10"]),
        (7, 3, 99, ["3/3"]),
        (4, 9, 6, ["4/9", "7/9"]),  # stopped in the seventh epoch
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_progress_prints_every_so_often_and_at_the_end(
    every, num_epochs, patience, printed, first, capsys
):
    callbacks = [Progress(every), EarlyStopping(SCORE, patience=patience)]
    fit(scored([1] * 10, callbacks if first else callbacks[::-1]), num_epochs)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  train_loss")[0] for line in lines] == [f"epoch {p}" for p in printed]


def test_progress_shows_no_validation_where_there_is_none(capsys):
    trainer = scored([0], [Progress()])
    trainer.fit(TensorLoader(X, y, batch_size=6), 1)
    assert "valid" not in capsys.readouterr().out
