"""The trainer against a loop written by hand, and against itself after every interruption."""

import math
from types import SimpleNamespace

import pytest
import torch
from sklearn.metrics import f1_score
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from deeplearn import optim
from deeplearn.callbacks import EarlyStopping, ModelCheckpoint, Progress
from deeplearn.data import TensorLoader
from deeplearn.models import mlp
from deeplearn.trainer import Callback, History, Trainer

cross_entropy = nn.functional.cross_entropy
schedulers = torch.optim.lr_scheduler

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


# --- the loop ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer_class", "settings"),
    [
        (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        (optim.Adam, {"lr": 0.01}),
        (torch.optim.SGD, {"lr": 0.1}),
        (torch.optim.Adam, {"lr": 0.01}),
    ],
    ids=["our SGD", "our Adam", "torch's SGD", "torch's Adam"],
)
def test_equals_a_loop_written_by_hand(optimizer_class, settings):
    kwargs = {"dropout": 0.3, "batch_norm": True}
    model = new_model(**kwargs)
    optimizer, generator = optimizer_class(model.parameters(), **settings), seeded(5)
    torch.manual_seed(7)
    expected = []
    for epoch in range(1, EPOCHS + 1):
        model.train()
        total = 0.0
        for rows in torch.randperm(ROWS, generator=generator).split(BATCH):
            optimizer.zero_grad()
            loss = cross_entropy(model(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            output = model(X_valid)
            valid_loss = cross_entropy(output, y_valid).item() * 30 / 30
        expected.append(
            {
                "epoch": epoch,
                "train_loss": total / ROWS,
                "valid_loss": valid_loss,
                "valid_accuracy": sum(output.argmax(1) == y_valid).item() / 30,
                "lr": settings["lr"],
            }
        )

    twin = new_model(**kwargs)
    trainer = Trainer(twin, optimizer_class(twin.parameters(), **settings), cross_entropy)
    torch.manual_seed(7)
    history = trainer.fit(new_loader(5), EPOCHS, validation=(X_valid, y_valid))
    assert without_seconds(history) == expected
    assert same(twin.state_dict(), model.state_dict())
    assert all(seconds > 0 for seconds in history["seconds"])
    assert (trainer.epoch, trainer.step, trainer.batch) == (EPOCHS, STEPS, 0)


def test_evaluate_weighs_each_row_alike_whatever_the_batches():
    trainer = new_trainer(new_model(batch_norm=True))
    trainer.fit(new_loader(), 1)
    with torch.no_grad():
        expected = cross_entropy(trainer.predict(X_valid), y_valid).item()
    whole = trainer.evaluate((X_valid, y_valid))
    parts = trainer.evaluate(TensorLoader(X_valid, y_valid, batch_size=7, shuffle=False))
    assert whole["loss"] == pytest.approx(expected, rel=1e-6)
    assert parts["loss"] == pytest.approx(expected, rel=1e-6)
    assert parts["accuracy"] == whole["accuracy"]


def test_predict_keeps_the_order_of_rows_and_needs_no_gradient():
    model = new_model(dropout=0.5)
    output = new_trainer(model).predict(X, batch_size=5)
    torch.testing.assert_close(output, model.eval()(X), rtol=1e-6, atol=1e-6)
    assert not output.requires_grad


def test_several_inputs_in_a_batch():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Linear(2, 3, bias=False), nn.Linear(4, 3, bias=False)

        def forward(self, a, b):
            return self.left(a) + self.right(b)

    one, two = Sum(), nn.Linear(6, 3, bias=False)
    with torch.no_grad():
        two.weight.copy_(torch.cat([one.left.weight, one.right.weight], dim=1))
    a, b = X[:, :2], X[:, 2:]
    new_trainer(one).fit(TensorLoader(a, b, y, batch_size=BATCH, generator=seeded(0)), 2)
    trainer = new_trainer(two)
    trainer.fit(new_loader(0), 2)
    learned = torch.cat([one.left.weight, one.right.weight], dim=1)
    torch.testing.assert_close(learned, two.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(new_trainer(one).predict(a, b), trainer.predict(X))
    assert new_trainer(one).evaluate((a, b, y)) == pytest.approx(trainer.evaluate((X, y)), 1e-5)


def test_metrics_are_the_callers_and_become_plain_floats():
    assert set(new_trainer(metrics={}).evaluate((X, y))) == {"loss"}
    metrics = {
        "f1": lambda output, target: f1_score(target, output.argmax(1), average="macro"),
        "spread": lambda output, target: output.std(),
    }
    trainer = new_trainer(metrics=metrics)
    values = trainer.evaluate((X, y))
    output = trainer.predict(X)
    assert values["f1"] == f1_score(y.numpy(), output.argmax(1).numpy(), average="macro")
    assert values["spread"] == output.std().item()
    assert {type(value) for value in values.values()} == {float}


def test_history_is_one_list_for_each_name_and_knows_the_best_epoch():
    nan = math.nan
    history = History([{"a": 2.0}, {"a": nan, "b": 1.0}, {"a": 1.0}, {"a": 1.0}, {"a": 5.0}])
    assert len(history) == 5
    assert same(history["b"], [nan, 1.0, nan, nan, nan])
    assert history.best("a") is history.records[2]
    assert history.best("a", "max") is history.records[4]
    assert history.best("b", "max") is history.records[1]
    with pytest.raises(ValueError, match="'a' is NaN in every epoch"):
        History([{"a": nan}]).best("a")
    with pytest.raises(KeyError, match="no 'a'"):
        History().best("a")


# --- schedules -----------------------------------------------------------------------------------


def rates(scheduler_class, schedule_by, **kwargs):
    """Return the learning rate of every step, and of every epoch's record."""
    seen = []

    class Watch(Callback):
        def on_batch_begin(self, trainer):
            seen.append(trainer.optimizer.param_groups[0]["lr"])

    trainer = new_trainer(callbacks=[Watch()])
    trainer.scheduler = scheduler_class(trainer.optimizer, **kwargs)
    trainer.schedule_by = schedule_by
    history = trainer.fit(new_loader(), EPOCHS, validation=(X_valid, y_valid))
    return seen, history


def test_schedule_by_epoch_moves_after_each_epoch():
    seen, history = rates(schedulers.ExponentialLR, "epoch", gamma=0.5)
    assert seen == pytest.approx([0.1] * 3 + [0.05] * 3 + [0.025] * 3, rel=1e-12)
    assert history["lr"] == pytest.approx([0.1, 0.05, 0.025], rel=1e-12)


def test_schedule_by_step_moves_after_each_step():
    seen, _ = rates(schedulers.ExponentialLR, "step", gamma=0.5)
    assert seen == pytest.approx([0.1 * 0.5**i for i in range(STEPS)], rel=1e-12)


def test_plateau_watches_the_validation_loss():
    seen, _ = rates(
        schedulers.ReduceLROnPlateau, "epoch", factor=0.1, patience=0, mode="max", threshold=1e9
    )
    assert seen == pytest.approx([0.1] * 6 + [0.01] * 3)  # the first value is always an advance
    model = new_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    plateau = schedulers.ReduceLROnPlateau(optimizer)
    with pytest.raises(ValueError, match="schedule_by must be 'epoch' for ReduceLROnPlateau"):
        Trainer(model, optimizer, cross_entropy, scheduler=plateau, schedule_by="step")
    trainer = Trainer(model, optimizer, cross_entropy, scheduler=plateau)
    history = trainer.fit(new_loader(), 2)
    assert plateau.best == min(history["train_loss"])  # without validation


def test_the_history_holds_a_number_for_a_rate_that_is_a_tensor():
    model = new_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.5))
    scheduler = schedulers.StepLR(optimizer, 1, gamma=0.5)
    history = Trainer(model, optimizer, cross_entropy, scheduler=scheduler).fit(new_loader(), 3)
    assert history["lr"] == [0.5, 0.25, 0.125]


# --- interruptions -------------------------------------------------------------------------------


class Killed(Exception):
    pass


class Kill(Callback):
    """Save after a step, and die at once."""

    priority = 1

    def __init__(self, path=None, step=None):
        self.path, self.at = path, step

    def on_step_end(self, trainer):
        if trainer.step == self.at:
            trainer.save(self.path)
            raise Killed


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


def build(seed, loader, schedule, stopping, optimizer, path, kill=None):
    """Make a whole run from nothing, as a new process would."""
    torch.manual_seed(seed)
    model = new_model(seed, dropout=0.3, batch_norm=True)
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    make_scheduler, schedule_by = SCHEDULES[schedule]
    trainer = Trainer(
        model,
        optimizer,
        cross_entropy,
        scheduler=make_scheduler(optimizer),
        schedule_by=schedule_by,
        callbacks=[EarlyStopping(**STOPPING[stopping]), ModelCheckpoint(path), kill or Kill()],
    )
    return trainer, LOADERS[loader](seed)


def everything(trainer, loader):
    """Return all that must be equal in the end, the random numbers to come included."""
    sources = [g for g in (getattr(loader, "generator", None),) if g is not None]
    return {
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": trainer.scheduler and trainer.scheduler.state_dict(),
        "history": without_seconds(trainer.history),
        "counts": (trainer.epoch, trainer.batch, trainer.step, trainer.should_stop),
        "stopping": trainer.callbacks[0].state_dict(),
        "random": [torch.get_rng_state(), *(g.get_state() for g in sources)],
    }


def finish(trainer, loader):
    trainer.fit(loader, EPOCHS, validation=(X_valid, y_valid))
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


@pytest.mark.parametrize("run", RUNS, ids=", ".join)
def test_resume_after_a_kill_at_any_step_is_exact(run, tmp_path):
    path = tmp_path / "run.pt"
    reference, loader = build(0, *run, path)
    expected = finish(reference, loader)
    for step in range(1, reference.step + 1):
        killed, loader = build(0, *run, path, Kill(path, step))
        with pytest.raises(Killed):
            finish(killed, loader)
        resumed, loader = build(100 + step, *run, path)
        resumed.resume(path)
        assert resumed.step == step
        found = finish(resumed, loader)
        for name, value in expected.items():
            assert same(found[name], value), f"{name} after a kill at step {step}"


def test_the_runs_of_that_test_end_in_every_way(tmp_path):
    """Else the test above would prove less than it says."""
    ends = {}
    for run in RUNS:
        trainer, loader = build(0, *run, tmp_path / "run.pt")
        finish(trainer, loader)
        ends[run] = (trainer.should_stop, trainer.step % 3 > 0)
    assert set(ends.values()) == {(True, True), (True, False), (False, False)}


class Die(Callback):
    """Die after the checkpoint of an epoch was written."""

    priority = 2

    def __init__(self, epoch):
        self.at = epoch

    def on_epoch_end(self, trainer):
        if trainer.epoch == self.at:
            raise Killed


@pytest.mark.parametrize("run", RUNS[:3], ids=", ".join)
def test_resume_from_the_checkpoint_of_any_epoch_is_exact(run, tmp_path):
    path = tmp_path / "run.pt"
    reference, loader = build(0, *run, path)
    reference.callbacks[-1] = Die(None)
    expected = finish(reference, loader)
    for epoch in range(1, reference.epoch + 1):
        killed, loader = build(0, *run, path)
        killed.callbacks[-1] = Die(epoch)
        with pytest.raises(Killed):
            finish(killed, loader)
        resumed, loader = build(100 + epoch, *run, path)
        resumed.callbacks[-1] = Die(None)
        resumed.resume(path)
        assert same(finish(resumed, loader), expected), f"after epoch {epoch}"


@pytest.mark.parametrize("moment", ["on_epoch_end", "on_step_end"])
def test_a_run_killed_after_its_last_step_only_ends(moment, tmp_path):
    """Nothing is left to train: the best model is put back, and that is all."""

    class Last(Callback):
        priority = 1

    def at_the_end(self, trainer):
        if trainer.step == STEPS:
            trainer.save(tmp_path / "run.pt")
            raise Killed

    trainers = []
    for method in (at_the_end, lambda self, trainer: None):
        setattr(Last, moment, method)
        trainers.append(new_trainer(new_model(), callbacks=[EarlyStopping(), Last()]))
    setattr(Last, moment, at_the_end)
    with pytest.raises(Killed):
        trainers[0].fit(new_loader(), EPOCHS, validation=(X_valid, y_valid))
    setattr(Last, moment, lambda self, trainer: None)
    trainers[1].resume(tmp_path / "run.pt")
    history = trainers[1].fit(new_loader(), EPOCHS, validation=(X_valid, y_valid))
    assert len(history) == EPOCHS
    assert trainers[1].step == STEPS
    best = trainers[1].evaluate((X_valid, y_valid))["loss"]
    assert best == pytest.approx(min(history["valid_loss"]), rel=1e-6)
    with pytest.raises(ValueError, match="num_epochs must be above 3"):
        trainers[1].fit(new_loader(), EPOCHS)


def test_a_checkpoint_taken_between_resume_and_fit_is_as_good(tmp_path):
    run = RUNS[0]
    reference, loader = build(0, *run, tmp_path / "epoch.pt")
    expected = finish(reference, loader)
    killed, loader = build(0, *run, tmp_path / "epoch.pt", Kill(tmp_path / "run.pt", 5))
    with pytest.raises(Killed):
        finish(killed, loader)
    middle, _ = build(1, *run, tmp_path / "epoch.pt")
    middle.resume(tmp_path / "run.pt")
    middle.save(tmp_path / "copy.pt")
    resumed, loader = build(2, *run, tmp_path / "epoch.pt")
    resumed.resume(tmp_path / "copy.pt")
    assert same(finish(resumed, loader), expected)


def test_a_run_saved_before_its_first_step_starts_there(tmp_path):
    trainer = new_trainer()
    trainer.save(tmp_path / "run.pt")
    expected = trainer.fit(new_loader(3), 1)["train_loss"]
    other = new_trainer(new_model(9))
    other.resume(tmp_path / "run.pt")
    assert other.fit(new_loader(3), 1)["train_loss"] == expected


class Interrupt(Callback):
    """Press Ctrl-C at a moment of a step."""

    def __init__(self, moment, step):
        self.at, self.done = step, False
        setattr(self, moment, self.press)

    def press(self, trainer):
        if trainer.step == self.at and not self.done:
            self.done = True  # Ctrl-C is pressed once
            raise KeyboardInterrupt


@pytest.mark.parametrize("loader", LOADERS)
def test_fit_goes_on_after_ctrl_c_as_if_nothing_had_happened(loader):
    results = []
    for step in range(STEPS + 1):
        torch.manual_seed(1)
        callbacks = [Interrupt("on_step_end", step)]
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
    callbacks = [Interrupt(moment, step), Listen()]
    trainer = Trainer(model, optim.SGD(model.parameters()), loss_fn, callbacks=callbacks)
    if step is not None:
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(loader, EPOCHS)
    trainer.fit(loader, EPOCHS)
    return steps


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("moment", ["on_batch_begin", "on_gradients"])
def test_a_step_that_ctrl_c_broke_off_is_done_again_in_its_place(moment, loader):
    """Its random numbers are new; its rows, and those of the rest of the epoch, are not."""
    expected = rows_trained_on(loader, moment, None)
    for step in (1, 2, 4, 8):
        found = rows_trained_on(loader, moment, step)
        known = 3 * (step // 3 + 1)
        assert found[:known] == expected[:known]
        for epoch in range(EPOCHS):
            rows = [row for batch in found[3 * epoch : 3 * epoch + 3] for row in batch]
            assert sorted(rows) == list(range(ROWS))


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
    trainer = new_trainer(callbacks=[Interrupt("on_step_end", 5)])
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


def test_num_epochs_is_a_total():
    trainer, once = new_trainer(), new_trainer()
    loader = new_loader()
    trainer.fit(loader, 1)
    trainer.fit(loader, 3)
    assert without_seconds(trainer.history) == without_seconds(once.fit(new_loader(), 3))
    assert same(trainer.model.state_dict(), once.model.state_dict())
    with pytest.raises(ValueError, match="num_epochs must be above 3, the epochs done, got 3"):
        trainer.fit(loader, 3)
    assert len(trainer.history) == 3


def test_a_refused_checkpoint_changes_nothing(tmp_path):
    trainer = new_trainer(callbacks=[EarlyStopping()])
    trainer.fit(new_loader(), 1, validation=(X_valid, y_valid))
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


# --- stopping ------------------------------------------------------------------------------------


class Stop(Callback):
    def __init__(self, moment, step=0):
        self.at = step
        setattr(self, moment, self.stop)

    def stop(self, trainer):
        if trainer.step == self.at:
            trainer.should_stop = True


@pytest.mark.parametrize(
    ("stop", "steps", "epochs"),
    [
        (Stop("on_fit_begin"), 0, 0),
        (Stop("on_epoch_begin"), 0, 0),
        (Stop("on_batch_begin"), 1, 1),
        (Stop("on_gradients", 1), 2, 1),
        (Stop("on_step_end", 4), 4, 2),
        (Stop("on_epoch_end", 6), 6, 2),
    ],
    ids=lambda value: next(iter(vars(value).keys() - {"at"})) if isinstance(value, Stop) else None,
)
def test_should_stop_ends_training_after_the_present_step(stop, steps, epochs):
    ends = []

    class End(Callback):
        def on_fit_end(self, trainer):
            ends.append(trainer.step)

    trainer = new_trainer(callbacks=[stop, End()])
    history = trainer.fit(new_loader(), 5)
    assert (trainer.step, len(history), ends) == (steps, epochs, [steps])
    with pytest.raises(ValueError, match=r"set trainer.should_stop = False to go on"):
        trainer.fit(new_loader(), 5)
    trainer.should_stop, stop.at = False, None
    assert len(trainer.fit(new_loader(), epochs + 1)) == epochs + 1


def test_the_loss_of_a_stopped_epoch_is_the_mean_of_the_rows_it_saw():
    losses = []

    class Listen(Callback):
        def on_batch_begin(self, trainer):
            rows = torch.randperm(ROWS, generator=seeded(0)).split(BATCH)[trainer.batch]
            with torch.no_grad():
                losses.append(float(cross_entropy(trainer.model(X[rows]), y[rows])))

    trainer = new_trainer(callbacks=[Listen(), Stop("on_step_end", 2)])
    assert trainer.fit(new_loader(0), 1)["train_loss"] == [pytest.approx(sum(losses) / 2)]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_divergence_is_an_error_that_keeps_the_history(bad):
    calls = 0

    def loss_fn(output, target):
        nonlocal calls
        calls += 1
        return cross_entropy(output, target) * (bad if calls == 4 else 1)

    model = new_model()
    trainer = Trainer(model, optim.SGD(model.parameters(), lr=0.25), loss_fn)
    loader = TensorLoader(X, y, batch_size=ROWS)
    with pytest.raises(FloatingPointError, match=r"(nan|inf) in epoch 4, lr=0.25; lower the"):
        trainer.fit(loader, 4)
    assert trainer.history["epoch"] == [1, 2, 3, 4]
    assert all(map(math.isfinite, trainer.history["train_loss"][:3]))
    assert not math.isfinite(trainer.history["train_loss"][3])
    with pytest.raises(ValueError, match="num_epochs must be above 4"):
        trainer.fit(loader, 4)


def test_divergence_in_the_last_step_shows_as_nan_in_the_validation():
    class Break(Callback):
        def on_step_end(self, trainer):
            with torch.no_grad():
                trainer.model.output.bias.fill_(math.nan)

    trainer = new_trainer(callbacks=[Break(), EarlyStopping("valid_accuracy", mode="max")])
    with pytest.raises(FloatingPointError):
        trainer.fit(TensorLoader(X, y, batch_size=ROWS), 2, validation=(X_valid, y_valid))
    assert math.isfinite(trainer.history["train_loss"][0])
    assert math.isnan(trainer.history["valid_loss"][0])
    assert math.isnan(trainer.history["valid_accuracy"][0])
    assert trainer.callbacks[1].best_epoch == 0


# --- modes and devices ---------------------------------------------------------------------------


def modes(model):
    return {name: module.training for name, module in model.named_modules()}


@pytest.mark.parametrize("frozen", ["", "batch_norm1", "dropout1", "hidden1"])
@pytest.mark.parametrize("use", ["evaluate", "predict", "fail", "fit"])
def test_every_submodule_keeps_its_own_mode(use, frozen):
    model = new_model(dropout=0.2, batch_norm=True)
    if frozen:
        model.get_submodule(frozen).eval()
    before = modes(model)
    trainer = new_trainer(model)
    statistics = model.batch_norm1.running_mean.clone()
    if use == "evaluate":
        trainer.evaluate((X, y))
    elif use == "predict":
        trainer.predict(X)
    elif use == "fit":
        trainer.fit(new_loader(), 2, validation=(X_valid, y_valid))
    else:
        with pytest.raises(RuntimeError):
            trainer.predict(torch.ones(2, 99))
    assert modes(model) == before
    moved = not torch.equal(model.batch_norm1.running_mean, statistics)
    assert moved == (use == "fit" and frozen != "batch_norm1")


def test_fit_wakes_up_a_model_that_is_in_evaluation_mode():
    model = new_model(batch_norm=True).eval()
    new_trainer(model).fit(new_loader(), 1)
    assert all(modes(model).values())
    assert int(model.batch_norm1.num_batches_tracked) == 3


def test_model_and_batches_move_to_the_device():
    moved = []

    class Away(SimpleNamespace):
        def to(self, device):
            moved.append(device)
            return self.tensor

    cpu = torch.device("cpu")
    trainer = new_trainer(device="cpu")
    batch = (Away(tensor=X), Away(tensor=y))
    trainer.fit([batch], 1, validation=[batch])
    assert moved == [cpu] * 4
    assert trainer.device == cpu == new_trainer().device
    far = new_trainer(device="meta")
    assert far.predict(X).device.type == "meta"
    assert {p.device.type for p in far.model.parameters()} == {"meta"}


# --- wrong input ---------------------------------------------------------------------------------


def note(raised):
    return " ".join(raised.value.__notes__)


def test_a_batch_of_the_wrong_shape_says_what_it_holds():
    trainer = new_trainer()
    with pytest.raises(RuntimeError) as raised:
        trainer.fit(TensorLoader(X[:, :5], y, batch_size=4), 1)
    assert "(4, 5) torch.float32, (4,) torch.int64; model and loss_fn" in note(raised)
    with pytest.raises(IndexError) as raised:  # a label without an output
        trainer.fit(TensorLoader(X, y + 3, batch_size=4, shuffle=False), 1)
    assert "(4, 6) torch.float32" in note(raised)


@pytest.mark.parametrize("wrong", [(X, y), [X, y], X], ids=["tuple", "list", "tensor"])
def test_tensors_in_place_of_a_loader_are_refused(wrong):
    with pytest.raises(TypeError, match=r"a batch must be a tuple .* pass TensorLoader\(X, y"):
        new_trainer().fit(wrong, 1)
    if not isinstance(wrong, tuple):
        with pytest.raises(TypeError, match="a batch must be a tuple"):
            new_trainer().evaluate(wrong)


def test_wrong_parts_of_a_trainer_are_refused():
    model = new_model()
    optimizer = optim.SGD(model.parameters())
    with pytest.raises(TypeError, match=r"optimizer must be .* class Optimizer, got NoneType"):
        Trainer(model, None, cross_entropy)
    with pytest.raises(TypeError, match=r"loss_fn must be a function .* got 'cross_entropy'"):
        Trainer(model, optimizer, "cross_entropy")
    with pytest.raises(TypeError, match=r"callbacks\[1\] .* Callback, got the class Progress"):
        Trainer(model, optimizer, cross_entropy, callbacks=[Progress(), Progress])
    with pytest.raises(ValueError, match="optimizer holds no parameter of model"):
        Trainer(nn.ReLU(), optimizer, cross_entropy)


def test_callbacks_run_by_priority_then_in_the_order_given():
    calls = []

    class Named(Callback):
        def __init__(self, name, priority):
            self.name, self.priority = name, priority

        def __getattribute__(self, attribute):
            if attribute.startswith("on_"):
                return lambda trainer: calls.append((attribute, self.name))
            return super().__getattribute__(attribute)

    given = [Named("d", 1), Named("b", 0), Named("e", 1), Named("a", -1), Named("c", 0)]
    new_trainer(callbacks=iter(given)).fit(TensorLoader(X, y, batch_size=ROWS), 1)
    moments = [
        "on_fit_begin",
        "on_epoch_begin",
        "on_batch_begin",
        "on_gradients",
        "on_step_end",
        "on_epoch_end",
        "on_fit_end",
    ]
    assert calls == [(moment, name) for moment in moments for name in "abcde"]


def test_gradients_are_there_before_the_step_and_the_weights_after_it():
    class Watch(Callback):
        def on_batch_begin(self, trainer):
            self.before = trainer.model.weight.detach().clone()

        def on_gradients(self, trainer):
            assert torch.equal(trainer.model.weight, self.before)
            trainer.model.weight.grad.fill_(2.0)

        def on_step_end(self, trainer):
            torch.testing.assert_close(trainer.model.weight, self.before - 0.1 * 2.0)

    trainer = new_trainer(nn.Linear(6, 3), callbacks=[Watch()])
    trainer.fit(new_loader(), 2)
    assert trainer.step == 6
