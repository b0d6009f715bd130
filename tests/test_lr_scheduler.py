"""Schedules against their closed forms, and against torch's: chained, resumed, by groups."""

import copy
import math
import pickle
import warnings
from bisect import bisect_right

import pytest
import torch
from torch import nn

from deeplearn import lr_scheduler as ours
from deeplearn import optim
from deeplearn.data import TensorLoader
from deeplearn.trainer import Trainer

theirs = torch.optim.lr_scheduler
RATES = (0.5, 0.02)
STEPS = 25


def new_optimizer(kind=optim.SGD, **kwargs):
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in RATES]
    return kind(groups, **kwargs)


def walk(optimizer, schedulers, steps):
    """Return the rates (and momentum) of each step."""
    course = []
    for _ in range(steps):
        course.append(
            [(g["lr"], g.get("momentum"), g.get("betas")) for g in optimizer.param_groups]
        )
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return course


def rates(optimizer, schedulers, steps):
    return [[lr for lr, *_ in groups] for groups in walk(optimizer, schedulers, steps)]


CLOSED = [
    ("ExponentialLR", {"gamma": 0.9}, lambda lr, t: lr * 0.9**t),
    ("ExponentialLR", {"gamma": 10 ** (-1 / 20)}, lambda lr, t: lr * 10 ** (-t / 20)),
    ("ExponentialLR", {"gamma": 1.1}, lambda lr, t: lr * 1.1**t),
    ("PowerLR", {"r": 5}, lambda lr, t: lr / (1 + t / 5)),
    ("PowerLR", {"r": 2.5, "c": 0.5}, lambda lr, t: lr / math.sqrt(1 + t / 2.5)),
    ("PowerLR", {"r": 3, "c": 0}, lambda lr, t: lr),
    (
        "CosineAnnealingLR",
        {"T_max": 10},
        lambda lr, t: lr / 2 * (1 + math.cos(math.pi * t / 10)),
    ),
    (
        "CosineAnnealingLR",
        {"T_max": 7, "eta_min": 0.01},
        lambda lr, t: 0.01 + (lr - 0.01) / 2 * (1 + math.cos(math.pi * t / 7)),
    ),
    (
        "PiecewiseConstantLR",
        {"milestones": [3, 10], "values": [0.1, 0.01, 0.0]},
        lambda lr, t: [0.1, 0.01, 0.0][bisect_right([3, 10], t)],
    ),
    ("PiecewiseConstantLR", {"milestones": [], "values": [0.3]}, lambda lr, t: 0.3),
]
CYCLE = {"max_lr": [1.0, 0.3], "total_steps": STEPS}
TWINS = [
    *((name, kwargs) for name, kwargs, _ in CLOSED if hasattr(theirs, name)),
    ("OneCycleLR", CYCLE),
    ("OneCycleLR", {"max_lr": 1.0, "epochs": 5, "steps_per_epoch": 5, "three_phase": True}),
    ("OneCycleLR", {**CYCLE, "anneal_strategy": "linear", "pct_start": 0.55}),
    ("OneCycleLR", {**CYCLE, "cycle_momentum": False, "pct_start": 0.0}),
    ("OneCycleLR", {**CYCLE, "base_momentum": [0.7, 0.8], "max_momentum": 0.9, "pct_start": 0.9}),
    ("OneCycleLR", {**CYCLE, "div_factor": 5.0, "final_div_factor": 100.0}),
]


@pytest.mark.parametrize(
    ("name", "kwargs", "rule"), CLOSED, ids=lambda v: "rule" if callable(v) else str(v)
)
def test_schedule_is_its_closed_form(name, kwargs, rule):
    optimizer = new_optimizer()
    scheduler = getattr(ours, name)(optimizer, **kwargs)
    assert isinstance(scheduler, theirs.LRScheduler)
    expected = [[rule(lr, t) for lr in RATES] for t in range(STEPS)]
    for found, wanted in zip(rates(optimizer, [scheduler], STEPS), expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-12, abs=1e-15)
    assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    assert scheduler.last_epoch == STEPS


def test_one_cycle_is_its_closed_form():
    """20 steps up (0 to 19), 80 down (19 to 99); the momentum goes the other way."""
    optimizer = new_optimizer(momentum=0.5)
    scheduler = ours.OneCycleLR(optimizer, 1.0, total_steps=100, pct_start=0.2)
    for t, groups in enumerate(walk(optimizer, [scheduler], 100)):
        a, b, p = (0.04, 1.0, t / 19) if t <= 19 else (1.0, 4e-6, (t - 19) / 80)
        m, n = (0.95, 0.85) if t <= 19 else (0.85, 0.95)
        for lr, momentum, _ in groups:
            assert lr == pytest.approx(b + (a - b) / 2 * (1 + math.cos(math.pi * p)), rel=1e-10)
            assert momentum == pytest.approx(n + (m - n) / 2 * (1 + math.cos(math.pi * p)))
    with pytest.raises(ValueError, match="total_steps is 100, got step 101; plan more"):
        scheduler.step()


def test_a_cycle_whose_first_phase_has_no_length_starts_at_the_top():
    optimizer = new_optimizer()
    scheduler = ours.OneCycleLR(optimizer, 1.0, total_steps=10, pct_start=0.1, cycle_momentum=False)
    assert scheduler.get_last_lr() == [1.0, 1.0]  # where torch divides by zero


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(("name", "kwargs"), TWINS, ids=str)
def test_schedule_equals_torch(name, kwargs, kind):
    settings = {"momentum": 0.9} if kind is optim.SGD else {}
    courses = []
    for module in (ours, theirs):
        optimizer = new_optimizer(kind, **settings)
        scheduler = getattr(module, name)(optimizer, **kwargs)
        courses.append((walk(optimizer, [scheduler], STEPS), scheduler.state_dict()))
    (course, state), (expected, reference) = courses
    assert state.keys() == reference.keys()
    flat = [v for t in course for g in t for v in (g[0], g[1] or 0, *(g[2] or ()))]
    wanted = [v for t in expected for g in t for v in (g[0], g[1] or 0, *(g[2] or ()))]
    assert flat == pytest.approx(wanted, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("direction", ["ours to torch", "torch to ours", "ours to ours"])
@pytest.mark.parametrize(("name", "kwargs"), TWINS, ids=str)
def test_schedule_is_resumed_in_the_middle(name, kwargs, direction):
    first, second = (ours if side == "ours" else theirs for side in direction.split(" to "))
    reference = new_optimizer(momentum=0.9)
    expected = walk(reference, [getattr(theirs, name)(reference, **kwargs)], STEPS)
    optimizer = new_optimizer(momentum=0.9)
    scheduler = getattr(first, name)(optimizer, **kwargs)
    course = walk(optimizer, [scheduler], 11)
    other = new_optimizer(momentum=0.9)
    resumed = getattr(second, name)(other, **kwargs)
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(pickle.loads(pickle.dumps(scheduler.state_dict())))
    course += walk(other, [resumed], STEPS - 11)
    for found, wanted in zip(course, expected, strict=True):
        for mine, theirs_ in zip(found, wanted, strict=True):
            assert mine[:2] == pytest.approx(theirs_[:2], rel=1e-12, abs=1e-15)


OWN = [case[:2] for case in CLOSED if not hasattr(theirs, case[0])]


@pytest.mark.parametrize(("name", "kwargs"), OWN + TWINS, ids=str)
def test_last_epoch_goes_on_from_the_groups(name, kwargs):
    """As torch's: the constructor takes the rates as they are, and counts on from there."""
    results = []
    for module in (ours, theirs if hasattr(theirs, name) else ours):
        optimizer = new_optimizer(momentum=0.9)
        walk(optimizer, [getattr(module, name)(optimizer, **kwargs)], 7)
        again = copy.deepcopy(optimizer)
        scheduler = getattr(module, name)(again, **kwargs, last_epoch=6)
        results.append(rates(again, [scheduler], 9))
        assert scheduler.last_epoch == 16
    for mine, reference in zip(*results, strict=True):
        assert mine == pytest.approx(reference, rel=1e-12, abs=1e-15)
    with pytest.raises(KeyError, match="initial_lr"):
        getattr(ours, name)(new_optimizer(momentum=0.9), **kwargs, last_epoch=3)


@pytest.mark.parametrize(("name", "kwargs"), TWINS[:5], ids=str)
def test_schedules_can_be_chained_and_put_in_sequence(name, kwargs):
    results = []
    for module in (ours, theirs):
        optimizer = new_optimizer()
        made = [
            getattr(module, name)(optimizer, **kwargs),
            module.ExponentialLR(optimizer, gamma=0.95),
            theirs.LinearLR(optimizer, start_factor=0.1, total_iters=5),
        ]
        course = rates(optimizer, [theirs.ChainedScheduler(made, optimizer)], STEPS)
        optimizer = new_optimizer()
        made = [
            theirs.LinearLR(optimizer, start_factor=0.1, total_iters=5),
            getattr(module, name)(optimizer, **kwargs),
            module.ExponentialLR(optimizer, gamma=0.9),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SequentialLR uses what torch itself deprecates
            sequence = theirs.SequentialLR(optimizer, made, milestones=[5, 18])
            course += rates(optimizer, [sequence], STEPS)
        results.append(course)
    for mine, reference in zip(*results, strict=True):
        assert mine == pytest.approx(reference, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("by", ["epoch", "step"])
def test_the_trainer_takes_these_schedules(by):
    X, y = torch.eye(4), torch.tensor([0, 1, 0, 1])
    made = {
        "epoch": (lambda o: ours.ReduceLROnPlateau(o, patience=0, min_lr=0.01, factor=0.5), 4),
        "step": (lambda o: ours.PowerLR(o, r=2), 2),
    }
    make, _ = made[by]
    model = nn.Linear(4, 2)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    trainer = Trainer(
        model,
        optimizer,
        nn.functional.cross_entropy,
        scheduler=make(optimizer),
        schedule_by=by,
        metrics={},
    )
    trainer.evaluate = lambda data: {"loss": 1.0}  # never better
    history = trainer.fit(TensorLoader(X, y, batch_size=2), 3, validation=(X, y))
    lr = {"epoch": [0.5, 0.5, 0.25], "step": [0.5 / (1 + t / 2) for t in (2, 4, 6)]}
    assert history["lr"] == pytest.approx(lr[by])


@pytest.mark.parametrize(
    ("kind", "kwargs", "words"),
    [
        (optim.Adagrad, {}, "momentum"),
        (optim.SGD, {"base_momentum": -0.1}, "base_momentum .*-0.1.*usual"),
        (optim.SGD, {"base_momentum": [0.8, 1.0]}, "base_momentum .*1.0"),
        (optim.Adam, {"max_momentum": 1.5}, "max_momentum .*1.5"),
        (optim.SGD, {"max_momentum": [0.9] * 3}, "max_momentum"),
        (optim.SGD, {"total_steps": 0}, "total_steps"),
    ],
)
def test_a_refused_cycle_leaves_the_groups_as_they_were(kind, kwargs, words):
    optimizer = new_optimizer(kind)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=words):
        ours.OneCycleLR(optimizer, **{"max_lr": 1.0, "total_steps": 9, **kwargs})
    assert optimizer.state_dict() == before


@pytest.mark.parametrize("pct_start", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_a_cycle_of_one_step(pct_start, three_phase, strategy):
    optimizer = new_optimizer(momentum=0.9)
    scheduler = ours.OneCycleLR(optimizer, 1.0, 1, pct_start=pct_start, three_phase=three_phase,
                                anneal_strategy=strategy)  # fmt: skip
    optimizer.step()
    scheduler.step()  # torch allows one more
    assert all(math.isfinite(lr) for lr in scheduler.get_last_lr())


@pytest.mark.parametrize(
    ("milestones", "values", "words"), [(5, [1, 2], "milestones"), ([5], 1.0, "values")]
)
def test_milestones_and_values_are_lists(milestones, values, words):
    with pytest.raises(TypeError, match=words + " must be"):
        ours.PiecewiseConstantLR(new_optimizer(), milestones, values)
    optimizer = new_optimizer()
    scheduler = ours.PiecewiseConstantLR(optimizer, iter([5]), iter([0.1, 0.2]))
    assert (scheduler.milestones, scheduler.values) == ([5], [0.1, 0.2])
