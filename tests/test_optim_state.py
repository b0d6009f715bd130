"""What an optimizer refuses, and that it is unchanged then; old states that torch takes."""

import copy

import pytest
import torch
from torch import nn

from deeplearn import optim

STATEFUL = [optim.Adagrad, optim.RMSprop, optim.Adadelta, optim.Adam, optim.AdamW, optim.FTRL]


def trained(kind, shape=(3,), **kwargs):
    x = nn.Parameter(torch.ones(shape))
    optimizer = kind([x], lr=0.1, **kwargs)
    x.grad = torch.full(shape, 0.5)
    optimizer.step()
    return optimizer


@pytest.mark.parametrize("kind", STATEFUL)
def test_complex_parameters_are_refused(kind):
    x = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    with pytest.raises(TypeError, match=r"params\[0\] .*complex64.*view_as_real"):
        kind([x], lr=0.1)
    optimizer = kind([nn.Parameter(torch.ones(1))], lr=0.1)
    with pytest.raises(TypeError, match=r"params\[1\]"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1)), x]})
    assert len(optimizer.param_groups) == 1
    with pytest.raises(TypeError, match="wave must be real"):
        kind([("wave", x)], lr=0.1)


@pytest.mark.parametrize("kwargs", [{}, {"momentum": 0.9, "nesterov": True}])
def test_sgd_is_linear_and_takes_complex_parameters_as_torch_does(kwargs):
    ends = []
    for module in (optim, torch.optim):
        x = torch.tensor([1 + 2j, -3j], requires_grad=True)
        optimizer = module.SGD([x], lr=0.1, **kwargs)
        for _ in range(3):
            optimizer.zero_grad()
            (x.abs() ** 2).sum().backward()
            optimizer.step()
        ends.append(x.detach())
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("group", [[torch.ones(1)], {"lr": 0.1}, None])
def test_a_group_is_a_dict_with_params(group):
    with pytest.raises(TypeError, match="param_group must be a dict with params"):
        trained(optim.SGD).add_param_group(group)


def test_a_sparse_gradient_is_refused_before_anything_changes():
    dense, table = nn.Linear(2, 2), nn.Embedding(3, 2, sparse=True)
    groups = [{"params": dense.parameters()}, {"params": table.parameters()}]
    optimizer = optim.Adam(groups)
    dense(table(torch.tensor([1]))).sum().backward()
    before = copy.deepcopy((dense.state_dict(), optimizer.state_dict()))
    with pytest.raises(TypeError, match="sparse=False"):
        optimizer.step()
    assert torch.equal(dense.weight, before[0]["weight"])
    assert optimizer.state_dict() == before[1]


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


def changed(kind, **settings):
    state = trained(kind).state_dict()
    state["param_groups"][0].update(settings)
    return state


REFUSED = [
    (optim.Adam, trained(torch.optim.NAdam).state_dict(), "Adam"),
    (optim.Adam, trained(torch.optim.RAdam).state_dict(), "amsgrad: it is not from Adam"),
    (optim.Adam, trained(torch.optim.Adamax).state_dict(), "Adam"),
    (optim.Adam, torch.optim.RAdam([nn.Parameter(torch.ones(3))]).state_dict(), "not from Adam"),
    (optim.Adam, {}, "must hold state and param_groups"),
    (optim.Adam, None, "must hold state and param_groups"),
    (optim.Adam, without(changed(optim.Adam), "state"), "must hold state and param_groups"),
    (optim.Adam, without(changed(optim.Adam), "param_groups"), "must hold state"),
    (optim.Adam, changed(optim.Adam, lr=-1), "lr .*-1"),
    (optim.Adam, changed(optim.Adam, betas=(0.9, 2.0)), r"betas\[1\] .*2.0"),
    (optim.Adam, trained(optim.Adam, (2, 2)).state_dict(), r"exp_avg.* \(3,\), got \(2, 2\)"),
    (optim.SGD, trained(optim.SGD, (1,), momentum=0.9).state_dict(), "momentum_buffer must have"),
    (optim.FTRL, trained(optim.FTRL, (1,)).state_dict(), "must have shape"),
    (optim.Adam, changed(optim.Adam, params=[0, 1]), r"groups of \[2\] parameters.* has \[1\]"),
    (optim.RMSprop, changed(optim.RMSprop, centered=True), "wrong state grad_avg"),
]


@pytest.mark.parametrize(("kind", "state", "words"), REFUSED)
def test_a_refused_state_changes_nothing(kind, state, words):
    optimizer = trained(kind)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == repr(before)


def test_a_state_with_an_unknown_tensor_is_refused():
    state = trained(optim.Adam).state_dict()
    state["state"][0]["exp_inf"] = state["state"][0].pop("exp_avg_sq")
    with pytest.raises(ValueError, match="wrong state exp_avg_sq, exp_inf"):
        trained(optim.Adam).load_state_dict(state)


def test_settings_of_schedulers_and_names_of_ones_own_are_kept():
    optimizer = trained(optim.Adam)
    optimizer.load_state_dict(changed(optim.Adam, initial_lr=0.5, swa_lr=0.1, name="head"))
    assert optimizer.param_groups[0]["name"] == "head"


def test_states_of_old_torch_are_taken():
    state = trained(torch.optim.Adam).state_dict()
    state["state"][0]["step"] = 1
    del state["param_groups"][0]["maximize"]
    ends = []
    for module in (optim, torch.optim):
        optimizer = trained(module.Adam)
        optimizer.load_state_dict(copy.deepcopy(state))
        optimizer.step()
        x = optimizer.param_groups[0]["params"][0]
        assert optimizer.state[x]["step"] == torch.tensor(2.0)
        ends.append(x.detach())
    torch.testing.assert_close(*ends)
    assert state["state"][0]["step"] == 1


def test_a_momentum_buffer_of_none_is_none_yet():
    state = trained(torch.optim.SGD, momentum=0.9).state_dict()
    state["state"][0]["momentum_buffer"] = None
    ends = []
    for module in (optim, torch.optim):
        optimizer = trained(module.SGD, momentum=0.9)
        optimizer.load_state_dict(state)
        optimizer.step()
        ends.append(optimizer.param_groups[0]["params"][0].detach())
    torch.testing.assert_close(*ends)
