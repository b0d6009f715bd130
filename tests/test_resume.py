"""What a resumed run must find again, and what it must refuse."""

import math

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from deeplearn.callbacks import EarlyStopping, GradientClipping
from deeplearn.trainer import Callback, Trainer
from tests.runs import (
    BATCH,
    When,
    X,
    X_valid,
    at,
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


class Noisy:
    """A loader around another, with randomness of its own under a name of its own."""

    def __init__(self):
        self.inner, self.noise = new_loader(3), seeded(4)

    def __iter__(self):
        for inputs, target in self.inner:
            yield inputs + 0.1 * torch.randn(inputs.shape, generator=self.noise), target


def by_batch_sampler():
    rows = RandomSampler(X, generator=seeded(6))
    return DataLoader(TensorDataset(X, y), batch_sampler=BatchSampler(rows, BATCH, drop_last=False))


@pytest.mark.parametrize("step", [2, 3, 4])
@pytest.mark.parametrize("make_loader", [Noisy, by_batch_sampler])
def test_every_generator_of_a_loader_is_found(tmp_path, make_loader, step):
    whole = new_trainer()
    whole.fit(make_loader(), 3)
    path = tmp_path / "run.pt"
    broken = new_trainer(callbacks=[When("on_step_end", at(step), save_and_die(path))])
    with pytest.raises(KeyboardInterrupt):
        broken.fit(make_loader(), 3)
    resumed = new_trainer(new_model(9), callbacks=[When("on_step_end", at(99), print)])
    resumed.resume(path)
    resumed.fit(make_loader(), 3)
    assert same(resumed.model.state_dict(), whole.model.state_dict())
    assert without_seconds(resumed.history) == without_seconds(whole.history)


def test_after_a_refused_resume_the_next_fit_is_as_if_nothing_had_been(tmp_path):
    other = new_trainer(callbacks=[EarlyStopping("train_loss")])
    other.fit(new_loader(), 1)
    other.save(tmp_path / "other.pt")
    trainer, twin = new_trainer(), new_trainer()
    for each in (trainer, twin):
        each.fit(new_loader(1), 1)
    with pytest.raises(ValueError, match="callbacks"):
        trainer.resume(tmp_path / "other.pt")
    for each in (trainer, twin):
        each.fit(new_loader(2), 2)
    assert same(trainer.model.state_dict(), twin.model.state_dict())
    with pytest.raises(ValueError, match="callbacks"):
        trainer.resume(tmp_path / "other.pt")
    trainer.fit([(X, y)], 3)  # a loader of another kind is welcome, too


def test_a_run_is_resumed_with_the_monitor_and_the_scheduler_that_it_had(tmp_path):
    def trainer(monitor="valid_loss", scheduled=True):
        made = new_trainer(callbacks=[EarlyStopping(monitor)])
        made.scheduler = schedulers.ExponentialLR(made.optimizer, 0.9) if scheduled else None
        return made

    first = trainer()
    first.fit(new_loader(), 1, VALID)
    first.save(tmp_path / "run.pt")
    with pytest.raises(ValueError, match="monitor 'valid_loss', not 'valid_accuracy'"):
        trainer("valid_accuracy").resume(tmp_path / "run.pt")
    with pytest.raises(ValueError, match="scheduler ExponentialLR, this trainer has NoneType"):
        trainer(scheduled=False).resume(tmp_path / "run.pt")


# What befalls the callbacks of a run


class Spoil(Callback):
    """Make the gradients infinite from a step on."""

    def __init__(self, step):
        self.step = step

    def on_gradients(self, trainer):
        if trainer.step >= self.step:
            for parameter in trainer.model.parameters():
                parameter.grad.fill_(math.inf)


def test_clipping_by_value_tames_an_infinite_gradient():
    clipping = GradientClipping(max_value=1.0)
    trainer = new_trainer(callbacks=[Spoil(0), clipping])
    before = [p.detach().clone() for p in trainer.model.parameters()]
    trainer.fit([(X, y)], 1)
    assert clipping.last_norm == math.inf
    for old, new in zip(before, trainer.model.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old - 0.1)  # the rate times 1


def test_the_best_model_is_put_back_after_divergence():
    stopping = EarlyStopping()
    trainer = new_trainer(callbacks=[Spoil(6), stopping])
    with pytest.raises(FloatingPointError):
        trainer.fit(new_loader(), 9, VALID)
    assert stopping.best_epoch in (1, 2)
    assert all(p.isfinite().all() for p in trainer.model.parameters())
    found = trainer.evaluate(VALID)["loss"]
    assert found == pytest.approx(min(trainer.history["valid_loss"][:2]))


def test_who_goes_on_after_a_stop_is_patient_again():
    stopping = EarlyStopping(patience=2, min_delta=1e9, restore_best=False)
    trainer = new_trainer(callbacks=[stopping])
    trainer.fit(new_loader(), 20, VALID)
    assert (trainer.epoch, stopping.stopped) == (3, True)
    trainer.should_stop = False
    trainer.fit(new_loader(), 20, VALID)
    assert (trainer.epoch, stopping.stopped) == (5, True)


def test_gradients_that_the_optimizer_does_not_hold_do_not_add_up():
    trainer = new_trainer()
    trainer.optimizer.param_groups[0]["params"] = list(trainer.model.output.parameters())
    norms = []
    record = When("on_gradients", lambda t: norms.append(t.model.hidden1.weight.grad.norm()), None)
    trainer.callbacks = [record]
    trainer.optimizer.param_groups[0]["lr"] = 0.0  # the same gradient in every step
    trainer.fit([(X, y)], 5)
    assert len(norms) == 5
    assert max(norms) == pytest.approx(min(norms))


def test_settings_that_cannot_be_meant_are_refused():
    model = new_model()
    optimizer, other = (torch.optim.SGD(model.parameters()) for _ in range(2))
    for settings, words in (
        ({"scheduler": schedulers.ReduceLROnPlateau(optimizer, mode="max")}, "mode='min'"),
        ({"scheduler": schedulers.ExponentialLR(other, 0.9)}, "another optimizer"),
        ({"metrics": {"loss": lambda output, target: 7.0}}, "must not hold 'loss'"),
    ):
        with pytest.raises(ValueError, match=words):
            Trainer(model, optimizer, torch.nn.functional.cross_entropy, **settings)
