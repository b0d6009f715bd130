"""SummaryWriter's event files, read back as TensorBoard reads them; runs that die and go on."""

import warnings
from collections import Counter

import pytest
import torch

from deeplearn import optim
from deeplearn.callbacks import (
    EarlyStopping,
    GradientClipping,
    LearningRateScheduler,
    MaxNorm,
    ModelCheckpoint,
    SummaryWriter,
)
from deeplearn.trainer import Trainer
from tests.runs import (
    EPOCHS,
    STEPS,
    When,
    X_valid,
    at,
    cross_entropy,
    ctrl_c,
    new_loader,
    new_model,
    new_trainer,
    same,
    without_seconds,
    y_valid,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.summary.writer import event_file_writer

VALID = (X_valid, y_valid)


@pytest.fixture(autouse=True)
def numbers_of_equal_length(monkeypatch):
    """Event files are read in the order of their names: second, machine, process, number."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(1000))


def read(folder):
    """Return the scalars of all event files, as TensorBoard shows them: tag → [(step, value)]."""
    events = accumulators.EventAccumulator(
        str(folder), size_guidance={"scalars": 0, "histograms": 0}
    )
    events.Reload()
    tags = events.Tags()
    scalars = {t: [(e.step, e.value) for e in events.Scalars(t)] for t in tags["scalars"]}
    return scalars, {t: [e.step for e in events.Histograms(t)] for t in tags["histograms"]}


def close(found, expected):
    assert [step for step, _ in found] == [step for step, _ in expected]
    assert [v for _, v in found] == pytest.approx([v for _, v in expected], rel=1e-6)


@pytest.mark.parametrize("every_steps", [1, 2])
def test_event_files_hold_steps_epochs_and_histograms(every_steps, tmp_path):
    losses = []

    def loss_fn(output, target):
        loss = cross_entropy(output, target)
        if loss.requires_grad:
            losses.append(loss.item())
        return loss

    model = new_model()
    trainer = Trainer(
        model,
        optim.SGD(model.parameters(), lr=0.1),
        loss_fn,
        callbacks=[
            SummaryWriter(tmp_path, every_steps, histograms=every_steps == 1),
            LearningRateScheduler(lambda step: 0.1 / (1 + step)),
        ],
    )
    history = trainer.fit(new_loader(), EPOCHS, validation=VALID)
    scalars, histograms = read(tmp_path)
    steps = range(every_steps, STEPS + 1, every_steps)
    close(scalars.pop("train_loss"), [(step, losses[step - 1]) for step in steps])
    close(scalars.pop("lr"), [(step, 0.1 / step) for step in steps])
    assert scalars.keys() == {f"epoch/{name}" for name in history.records[0]}
    for name, found in scalars.items():
        wanted = history[name.removeprefix("epoch/")]
        close(found, list(zip((3, 6, 9), wanted, strict=True)))
    names = [name for name, _ in model.named_parameters()] if every_steps == 1 else []
    assert histograms == {name: [3, 6, 9] for name in names}


def never():
    return When("on_step_end", at(-1), ctrl_c)


def build(seed, folder, save=None, die=None):
    """Make a whole run from nothing, as a new process would."""
    torch.manual_seed(seed)
    model = new_model(seed, dropout=0.3)
    return Trainer(
        model,
        optim.Adagrad(model.parameters(), lr=0.1),
        cross_entropy,
        callbacks=[
            LearningRateScheduler(lambda step: 0.3 * 0.8**step),
            GradientClipping(max_norm=0.5),
            MaxNorm(0.8),
            SummaryWriter(folder / "events"),
            EarlyStopping(patience=99),
            ModelCheckpoint(folder / "epoch.pt"),
            save or never(),
            die or never(),
        ],
    )


def finish(trainer, seed):
    trainer.fit(new_loader(seed), EPOCHS, validation=VALID)
    return [
        trainer.model.state_dict(),
        trainer.optimizer.state_dict(),
        without_seconds(trainer.history),
        *(c.state_dict() for c in trainer.callbacks if isinstance(c, EarlyStopping)),
        torch.get_rng_state(),
    ]


@pytest.mark.parametrize("moment", ["on_step_end", "on_epoch_end"])
@pytest.mark.parametrize("later", [0, 1, 2])
def test_resume_is_exact_and_no_step_is_written_twice(later, moment, tmp_path):
    """The run is saved after a step, goes on for a while, and dies; another one takes it up."""
    (tmp_path / "0").mkdir()
    expected = finish(build(0, tmp_path / "0"), 0)
    scalars, _ = read(tmp_path / "0" / "events")
    starts = [step for step in range(1, STEPS + 1) if moment == "on_step_end" or step % 3 == 0]
    for step in starts:
        folder = tmp_path / str(step)
        folder.mkdir()
        save = When(moment, at(step), lambda trainer, to=folder / "step.pt": trainer.save(to))
        death = moment if later == 0 else "on_fit_end" if step + later > STEPS else "on_step_end"
        die = When(death, at(min(step + later, STEPS)), ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            finish(build(0, folder, save, die), 0)
        resumed = build(50 + step, folder)
        resumed.resume(folder / "step.pt")
        assert resumed.step == step
        if death != "on_fit_end" or moment == "on_step_end":
            assert same(finish(resumed, 50 + step), expected), step
        again, _ = read(folder / "events")
        assert again.keys() == scalars.keys()
        for tag in scalars.keys() - {"epoch/seconds"}:
            assert again[tag] == scalars[tag], (tag, step)


@pytest.mark.parametrize("moment", ["on_batch_begin", "on_gradients", "on_step_end"])
def test_an_interrupted_fit_that_goes_on_writes_each_step_once(moment, tmp_path):
    for step in range(1, STEPS):
        folder = tmp_path / str(step)
        events = [SummaryWriter(folder), When(moment, at(step), ctrl_c)]
        trainer, loader = new_trainer(callbacks=events), new_loader()
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(loader, EPOCHS)
        history = trainer.fit(loader, EPOCHS)
        scalars, _ = read(folder)
        assert [at for at, _ in scalars["train_loss"]] == list(range(1, STEPS + 1))
        close(scalars["epoch/train_loss"], list(zip((3, 6, 9), history["train_loss"], strict=True)))


def test_a_new_run_in_an_old_folder_hides_the_old_one(tmp_path):
    writer = SummaryWriter(tmp_path)
    for num_epochs in (3, 1):
        new_trainer(callbacks=[writer]).fit(new_loader(), num_epochs)
    scalars, _ = read(tmp_path)
    assert Counter(step for step, _ in scalars["train_loss"]) == Counter([1, 2, 3])
    assert [step for step, _ in scalars["epoch/train_loss"]] == [3]


def test_another_fit_goes_on_in_the_same_files(tmp_path):
    trainer = new_trainer(callbacks=[SummaryWriter(tmp_path)])
    for num_epochs in (1, 2):
        trainer.fit(new_loader(), num_epochs)
    scalars, _ = read(tmp_path)
    assert [step for step, _ in scalars["train_loss"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in scalars["epoch/lr"]] == [3, 6]
