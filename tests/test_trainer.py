"""The trainer against a loop written by hand; what befalls it in mid-run is in test_order.py."""

import math
from types import SimpleNamespace

import pytest
import torch
from sklearn.metrics import f1_score
from torch import nn

from deeplearn import optim
from deeplearn.callbacks import EarlyStopping, Progress
from deeplearn.data import TensorLoader
from deeplearn.trainer import Callback, History, Trainer
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
    new_loader,
    new_model,
    new_trainer,
    same,
    seeded,
    without_seconds,
    y,
    y_valid,
)

schedulers = torch.optim.lr_scheduler

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


def test_an_optimizer_may_measure_several_times_in_a_step():
    """LBFGS calls the closure again and again; its loss is the one before the step."""
    settings = {"lr": 0.5, "max_iter": 3}
    model, twin = new_model(), new_model()
    optimizer = torch.optim.LBFGS(model.parameters(), **settings)
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = cross_entropy(model(X), y)
        loss.backward()
        calls.append(loss.item())
        return loss

    losses = [optimizer.step(closure).item() for _ in range(EPOCHS)]
    assert len(calls) > EPOCHS
    trainer = Trainer(twin, torch.optim.LBFGS(twin.parameters(), **settings), cross_entropy)
    loader = TensorLoader(X, y, batch_size=ROWS, shuffle=False)
    assert trainer.fit(loader, EPOCHS)["train_loss"] == losses
    assert trainer.step == EPOCHS
    assert same(model.state_dict(), twin.state_dict())


@pytest.mark.parametrize("name", ["AdamW", "Adagrad", "Adadelta", "RMSprop", "NAdam", "Rprop"])
def test_takes_any_optimizer_schedule_and_loss_of_torch(name):
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 3))
    optimizer = getattr(torch.optim, name)(model.parameters())
    schedule = schedulers.CosineAnnealingLR(optimizer, T_max=STEPS)
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
    trainer = Trainer(model, optimizer, loss_fn, scheduler=schedule, schedule_by="step")
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=BATCH)
    history = trainer.fit(loader, EPOCHS, validation=(X_valid, y_valid))
    assert len(history) == EPOCHS
    assert history["lr"][-1] == pytest.approx(0, abs=1e-8)
    assert history["train_loss"][-1] < history["train_loss"][0]


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
    plateau.best = math.inf
    history = trainer.fit(new_loader(), 4, validation=(X_valid, y_valid))
    assert plateau.best == min(history["valid_loss"][2:])


def test_the_history_holds_a_number_for_a_rate_that_is_a_tensor():
    model = new_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(0.5))
    scheduler = schedulers.StepLR(optimizer, 1, gamma=0.5)
    history = Trainer(model, optimizer, cross_entropy, scheduler=scheduler).fit(new_loader(), 3)
    assert history["lr"] == [0.5, 0.25, 0.125]


# --- stopping ------------------------------------------------------------------------------------


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


def stop(trainer):
    trainer.should_stop = True


@pytest.mark.parametrize(
    ("moment", "step", "steps", "epochs"),
    [
        ("on_fit_begin", 0, 0, 0),
        ("on_epoch_begin", 0, 0, 0),
        ("on_batch_begin", 0, 1, 1),
        ("on_gradients", 1, 2, 1),
        ("on_step_end", 4, 4, 2),
        ("on_epoch_end", 6, 6, 2),
    ],
)
def test_should_stop_ends_training_after_the_present_step(moment, step, steps, epochs):
    ends = []

    class End(Callback):
        def on_fit_end(self, trainer):
            ends.append(trainer.step)

    trainer = new_trainer(callbacks=[When(moment, at(step), stop), End()])
    history = trainer.fit(new_loader(), 5)
    assert (trainer.step, len(history), ends) == (steps, epochs, [steps])
    with pytest.raises(ValueError, match=r"set trainer.should_stop = False to go on"):
        trainer.fit(new_loader(), 5)
    trainer.should_stop = False
    assert len(trainer.fit(new_loader(), epochs + 1)) == epochs + 1


def test_the_loss_of_a_stopped_epoch_is_the_mean_of_the_rows_it_saw():
    losses = []

    class Listen(Callback):
        def on_batch_begin(self, trainer):
            rows = torch.randperm(ROWS, generator=seeded(0)).split(BATCH)[trainer.batch]
            with torch.no_grad():
                losses.append(float(cross_entropy(trainer.model(X[rows]), y[rows])))

    trainer = new_trainer(callbacks=[Listen(), When("on_step_end", at(2), stop)])
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
