"""Runs that are interrupted anywhere, and go on as if they had not been."""

import math

import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from deeplearn import optim
from deeplearn.callbacks import EarlyStopping, ModelCheckpoint, Progress
from deeplearn.data import TensorLoader
from deeplearn.trainer import Callback, Trainer
from tests.runs import (
    BATCH,
    EPOCHS,
    ROWS,
    STEPS,
    When,
    X,
    X_valid,
    at,
    cross_entropy,
    ctrl_c,
    new_loader,
    new_model,
    new_trainer,
    same,
    save_and_die,
    seeded,
    without_seconds,
    y,
    y_valid,
)

schedulers = torch.optim.lr_scheduler
VALID = (X_valid, y_valid)


def uneventful():
    """Stand for a callback that has nothing left to do."""
    return When("on_step_end", at(-1), ctrl_c)


LOADERS = {
    "own generator": new_loader,
    "global": lambda seed: new_loader(generator=None),
    "torch, own": lambda seed: DataLoader(
        TensorDataset(X, y), BATCH, shuffle=True, generator=seeded(seed)
    ),
    "torch, global": lambda seed: DataLoader(TensorDataset(X, y), BATCH, shuffle=True),
    "torch, sampler": lambda seed: DataLoader(
        TensorDataset(X, y), BATCH, sampler=RandomSampler(X, generator=seeded(seed))
    ),
}
SCHEDULES = {
    "none": (lambda optimizer: None, "epoch"),
    "by epoch": (lambda optimizer: schedulers.MultiStepLR(optimizer, [1, 2]), "epoch"),
    "one cycle": (
        lambda optimizer: schedulers.OneCycleLR(optimizer, max_lr=0.3, total_steps=STEPS + 1),
        "step",
    ),
    "plateau": (lambda optimizer: schedulers.ReduceLROnPlateau(optimizer, patience=0), "epoch"),
}
# EarlyStopping stops some runs after its patience, in mid-epoch where it counts steps.
STOPPING = {
    "epochs": {"patience": 1},
    "steps": {"patience": 3, "every_steps": 1},
    "never": {"patience": 100, "every_steps": 2, "restore_best": False},
}
OPTIMIZERS = {
    "adam": lambda parameters: optim.Adam(parameters, lr=0.3),
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.5, momentum=0.9),
    "torch": lambda parameters: torch.optim.AdamW(parameters, lr=0.1),
}


def build(seed, loader, schedule, stopping, optimizer, path, event=None):
    """Make a whole run from nothing, as a new process would."""
    torch.manual_seed(seed)
    model = new_model(seed, dropout=0.3, batch_norm=True)
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    make_scheduler, schedule_by = SCHEDULES[schedule]
    early = EarlyStopping(**STOPPING[stopping])
    trainer = Trainer(
        model,
        optimizer,
        cross_entropy,
        scheduler=make_scheduler(optimizer),
        schedule_by=schedule_by,
        callbacks=[early, ModelCheckpoint(path), event or uneventful()],
    )
    return trainer, LOADERS[loader](seed)


def everything(trainer, loader):
    """Return all that must be equal in the end, the random numbers to come included."""
    own = getattr(loader, "generator", None)
    return {
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": trainer.scheduler and trainer.scheduler.state_dict(),
        "history": without_seconds(trainer.history),
        "counts": (trainer.epoch, trainer.batch, trainer.step, trainer.should_stop),
        "stopping": trainer.callbacks[0].state_dict(),
        "random": [torch.get_rng_state(), None if own is None else own.get_state()],
    }


def finish(trainer, loader):
    trainer.fit(loader, EPOCHS, validation=VALID)
    return everything(trainer, loader)


RUNS = [
    ("own generator", "one cycle", "steps", "adam"),
    ("own generator", "plateau", "epochs", "sgd"),
    ("global", "by epoch", "steps", "sgd"),
    ("global", "none", "never", "adam"),
    ("torch, own", "one cycle", "epochs", "torch"),
    ("torch, global", "plateau", "never", "adam"),
    ("torch, sampler", "by epoch", "never", "sgd"),
]


def killed(run, path, event):
    """Start the run, and let the event end it."""
    trainer, loader = build(0, *run, path, event)
    with pytest.raises(KeyboardInterrupt):
        finish(trainer, loader)


@pytest.mark.parametrize("run", RUNS, ids=", ".join)
def test_resume_after_a_kill_at_any_step_is_exact(run, tmp_path):
    path = tmp_path / "run.pt"
    reference, loader = build(0, *run, path)
    expected = finish(reference, loader)
    for step in range(1, reference.step + 1):
        killed(run, path, When("on_step_end", at(step), save_and_die(path)))
        resumed, loader = build(100 + step, *run, path)
        resumed.resume(path)
        assert resumed.step == step
        found = finish(resumed, loader)
        for name, value in expected.items():
            assert same(found[name], value), f"{name} after a kill at step {step}"


def test_the_runs_of_that_test_end_in_every_way(tmp_path):
    """Else the test above would prove less than it says."""
    ends = set()
    for run in RUNS:
        trainer, loader = build(0, *run, tmp_path / "run.pt")
        finish(trainer, loader)
        ends.add((trainer.should_stop, trainer.step % 3 > 0))
    assert ends == {(True, True), (True, False), (False, False)}


@pytest.mark.parametrize("run", RUNS[:3], ids=", ".join)
def test_resume_from_the_checkpoint_of_any_epoch_is_exact(run, tmp_path):
    path = tmp_path / "run.pt"
    reference, loader = build(0, *run, path)
    expected = finish(reference, loader)
    for epoch in range(1, reference.epoch + 1):
        after = When("on_epoch_end", lambda trainer, epoch=epoch: trainer.epoch == epoch, ctrl_c)
        killed(run, path, after)  # it stands after the checkpoint of that epoch
        resumed, loader = build(100 + epoch, *run, path)
        resumed.resume(path)
        assert resumed.epoch == epoch
        assert same(finish(resumed, loader), expected), f"after epoch {epoch}"


@pytest.mark.parametrize("moment", ["on_epoch_end", "on_step_end"])
def test_a_run_killed_after_its_last_step_only_ends(moment, tmp_path):
    """Nothing is left to train: the best model is put back, and that is all."""
    path = tmp_path / "run.pt"
    first, second = (
        new_trainer(callbacks=[EarlyStopping(), event])
        for event in (When(moment, at(STEPS), save_and_die(path)), uneventful())
    )
    with pytest.raises(KeyboardInterrupt):
        first.fit(new_loader(), EPOCHS, validation=VALID)
    second.resume(path)
    history = second.fit(new_loader(), EPOCHS, validation=VALID)
    assert (len(history), second.step) == (EPOCHS, STEPS)
    best = second.evaluate(VALID)["loss"]
    assert best == pytest.approx(min(history["valid_loss"]), rel=1e-6)
    with pytest.raises(ValueError, match="num_epochs must be above 3"):
        second.fit(new_loader(), EPOCHS)


def test_a_checkpoint_taken_between_resume_and_fit_is_as_good(tmp_path):
    run, path, copy = RUNS[0], tmp_path / "run.pt", tmp_path / "copy.pt"
    reference, loader = build(0, *run, tmp_path / "epoch.pt")
    expected = finish(reference, loader)
    killed(run, tmp_path / "epoch.pt", When("on_step_end", at(5), save_and_die(path)))
    middle, loader = build(1, *run, tmp_path / "epoch.pt")
    middle.fit(loader, 1, validation=VALID)  # the state of this loader must not be saved
    middle.resume(path)
    middle.save(copy)
    resumed, loader = build(2, *run, tmp_path / "epoch.pt")
    resumed.resume(copy)
    assert same(finish(resumed, loader), expected)


def test_a_run_saved_before_its_first_step_starts_there(tmp_path):
    trainer = new_trainer()
    trainer.save(tmp_path / "run.pt")
    expected = trainer.fit(new_loader(3), 1)["train_loss"]
    other = new_trainer(new_model(9))
    other.resume(tmp_path / "run.pt")
    assert other.fit(new_loader(3), 1)["train_loss"] == expected


@pytest.mark.parametrize("loader", LOADERS)
def test_fit_goes_on_after_ctrl_c_as_if_nothing_had_happened(loader):
    results = []
    for step in range(STEPS + 1):
        torch.manual_seed(1)
        callbacks = [When("on_step_end", at(step), ctrl_c)]
        trainer = new_trainer(new_model(dropout=0.4), callbacks=callbacks)
        train_loader = LOADERS[loader](1)
        if step > 0:
            with pytest.raises(KeyboardInterrupt):
                trainer.fit(train_loader, EPOCHS)
            assert trainer.step == step
        trainer.fit(train_loader, EPOCHS)
        results.append((trainer.model.state_dict(), without_seconds(trainer.history)))
    assert all(same(result, results[0]) for result in results)


def rows_trained_on(name, moment, step):
    """Return the rows of each step that was done; Ctrl-C falls into the step after ``step``."""
    torch.manual_seed(2)
    loader = LOADERS[name](1)
    holder = loader if isinstance(loader, TensorLoader) else loader.dataset
    holder.tensors = (X, torch.arange(ROWS))  # the numbers of the rows in place of their labels
    steps, present = [], []

    def loss_fn(output, rows):
        present[:] = rows.tolist()
        return cross_entropy(output, y[rows])

    class Listen(Callback):
        def on_step_end(self, trainer):
            steps.append(list(present))

    model = new_model()
    callbacks = [When(moment, at(step), ctrl_c), Listen()]
    trainer = Trainer(model, optim.SGD(model.parameters()), loss_fn, callbacks=callbacks)
    if step >= 0:
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(loader, EPOCHS)
    trainer.fit(loader, EPOCHS)
    return steps


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("moment", ["on_batch_begin", "on_gradients"])
def test_a_step_that_ctrl_c_broke_off_is_done_again_in_its_place(moment, loader):
    """Its random numbers are new; its rows, and those of the rest of the epoch, are not."""
    expected = rows_trained_on(loader, moment, -1)
    for step in (1, 2, 4, 8):
        found = rows_trained_on(loader, moment, step)
        known = 3 * (step // 3 + 1)
        assert found[:known] == expected[:known]
        for epoch in range(EPOCHS):
            rows = [row for batch in found[3 * epoch : 3 * epoch + 3] for row in batch]
            assert sorted(rows) == list(range(ROWS))


def test_an_epoch_begins_once_also_when_it_is_interrupted():
    begun = []

    class Begin(Callback):
        def on_epoch_begin(self, trainer):
            begun.append((trainer.epoch, trainer.step))

    trainer = new_trainer(callbacks=[Begin(), When("on_step_end", at(4), ctrl_c)])
    loader = new_loader()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(loader, 3)
    trainer.fit(loader, 3)
    assert begun == [(0, 0), (1, 3), (2, 6)]


def test_ctrl_c_while_validating_leaves_one_record_an_epoch():
    class Valid(list):
        presses = 1

        def __iter__(self):
            if self.presses:
                self.presses -= 1
                raise KeyboardInterrupt
            return super().__iter__()

    trainer = new_trainer()
    validation, loader = Valid([(X_valid, y_valid)]), new_loader()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(loader, 2, validation)
    assert len(trainer.history) == 0
    assert trainer.fit(loader, 2, validation)["epoch"] == [1, 2]
    assert trainer.step == 6
    assert all(map(math.isfinite, trainer.history["valid_loss"]))


def interrupted():
    trainer = new_trainer(callbacks=[When("on_step_end", at(5), ctrl_c)])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(new_loader(), 2)
    return trainer


@pytest.mark.parametrize(
    ("loader", "words"),
    [
        (new_loader(generator=None), "draws from 0 generators of its own.*interrupted run from 1"),
        (new_loader(batch_size=23), "train_loader gives 1 batches, but 2 of this epoch were done"),
        ([], "draws from 0 generators"),
    ],
    ids=["no generator", "fewer batches", "empty"],
)
def test_another_loader_in_mid_epoch_is_refused(loader, words):
    with pytest.raises(ValueError, match=words):
        interrupted().fit(loader, 2)


def test_another_kind_of_loader_after_resume_is_refused(tmp_path):
    trainer = new_trainer()
    trainer.fit(new_loader(), 1)
    trainer.save(tmp_path / "run.pt")
    other = new_trainer()
    other.resume(tmp_path / "run.pt")
    with pytest.raises(ValueError, match=r"draws from 0 generators .* run from 1; pass one"):
        other.fit([(X, y)], 2)
    assert other.fit(new_loader(), 2)["epoch"] == [1, 2]


def test_fewer_epochs_than_begun_are_refused():
    with pytest.raises(ValueError, match=r"num_epochs must be above 1.* got 1"):
        interrupted().fit(new_loader(), 1)


def test_a_refused_checkpoint_changes_nothing(tmp_path):
    trainer = new_trainer(callbacks=[EarlyStopping()])
    trainer.fit(new_loader(), 1, validation=VALID)
    trainer.save(tmp_path / "run.pt")
    other = new_trainer(new_model(3), callbacks=[Progress()])
    before = same_parts(other)
    with pytest.raises(ValueError, match=r"callbacks \['EarlyStopping'\], this trainer has"):
        other.resume(tmp_path / "run.pt")
    assert same(same_parts(other), before)
    expected = new_trainer(new_model(3)).fit(new_loader(8), 1)["train_loss"]
    assert other.fit(new_loader(8), 1)["train_loss"] == expected


def same_parts(trainer):
    parts = (trainer.model.state_dict(), trainer.optimizer.state_dict(), trainer.state_dict())
    return [*parts[:2], {k: v for k, v in parts[2].items() if k != "order"}, torch.get_rng_state()]
