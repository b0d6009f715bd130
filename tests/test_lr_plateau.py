"""ReduceLROnPlateau against torch's, metric by metric."""

import math

import pytest
import torch
from torch import nn

from deeplearn import lr_scheduler as ours
from deeplearn import optim

theirs = torch.optim.lr_scheduler


def new_optimizer():
    return optim.SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.5, 0.02)])


METRICS = [5, 4, 4, 4.1, 4, 3.99, 4, 4, 4, 3, math.nan, math.inf, 3, 2.9999, 2, 2, 2, 2, 2, 2, 2]
PLATEAUS = [
    {},
    {"patience": 0},
    {"patience": 2, "factor": 0.5},
    {"patience": 1, "cooldown": 2},
    {"patience": 1, "threshold": 0.1, "threshold_mode": "abs"},
    {"patience": 1, "threshold": 0.1},
    {"mode": "max", "patience": 2},
    {"mode": "max", "patience": 1, "threshold": 0.5, "threshold_mode": "abs"},
    {"patience": 0, "min_lr": 0.01, "factor": 0.3},
    {"patience": 0, "min_lr": [0.1, 0.001]},
    {"patience": 0, "eps": 0.005},
]


@pytest.mark.parametrize("at", [None, 6])
@pytest.mark.parametrize("first", [ours, theirs], ids=["ours", "torch"])
@pytest.mark.parametrize("kwargs", PLATEAUS, ids=str)
def test_plateau_equals_torch_and_exchanges_its_state(kwargs, first, at):
    results = []
    for module in (ours, theirs):
        optimizer = new_optimizer()
        scheduler = (first if at else module).ReduceLROnPlateau(optimizer, **kwargs)
        assert isinstance(scheduler, theirs.ReduceLROnPlateau)
        course = []
        for step, metric in enumerate(METRICS):
            if step == at:
                state, scheduler = scheduler.state_dict(), module.ReduceLROnPlateau(optimizer)
                scheduler.load_state_dict(state)
            scheduler.step(torch.tensor(metric))
            course.append(scheduler.get_last_lr())
        results.append((course, scheduler.state_dict()))
    assert repr(results[0]) == repr(results[1])
    assert len({rate for groups in results[0][0] for rate in groups}) > 2 or kwargs == {}


def test_plateau_counts_a_group_that_came_later():
    optimizer = new_optimizer()
    scheduler = ours.ReduceLROnPlateau(optimizer, patience=0)
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 1.0})
    scheduler.step(1.0)
    scheduler.step(1.0)
    assert scheduler.get_last_lr() == pytest.approx([0.05, 0.002, 0.1])


def test_an_epoch_is_taken_as_torch_takes_it():
    for module in (ours, theirs):
        scheduler = module.ReduceLROnPlateau(new_optimizer())
        with pytest.warns(UserWarning, match="epoch parameter"):
            scheduler.step(1.0, epoch=7)
        assert scheduler.last_epoch == 7
        scheduler.step(1.0, None)
        assert scheduler.last_epoch == 8
