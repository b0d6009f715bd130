"""Recurrent cells against torch's, over several steps."""

import copy
import pickle

import pytest
import torch
from oracles.recurrent import CELLS

from deeplearn.recurrent import LSTMCell, RNNCell

by_id = {"ids": lambda case: case.id}


def flat(state):
    return list(state) if isinstance(state, tuple) else [state]


def unroll(cell, X, state=None):
    """Return every state of a sequence and the gradients of their sum of squares."""
    states = []
    for x in X:
        state = cell(x, state)
        states += flat(state)
    gradients = torch.autograd.grad(sum((s**2).sum() for s in states), [X, *cell.parameters()])
    return [s.detach() for s in states], gradients


def twins(case, dtype=torch.float64):
    torch.manual_seed(3)
    ours = case.ours(4, 3, **case.kwargs)
    numbers = torch.get_rng_state()
    torch.manual_seed(3)
    theirs = case.theirs(4, 3, **case.kwargs)
    assert torch.equal(torch.get_rng_state(), numbers)
    return ours.to(dtype), theirs.to(dtype)


@pytest.mark.parametrize("case", CELLS, **by_id)
def test_start_and_state_keys_are_torchs(case):
    ours, theirs = twins(case, torch.float32)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    for name in ("input_size", "hidden_size", "bias", "bias_ih", "bias_hh"):
        if not isinstance(getattr(theirs, name), torch.Tensor):
            assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("batch", [(5,), (1,), ()], ids=str)
@pytest.mark.parametrize("case", CELLS, **by_id)
def test_states_and_gradients_over_ten_steps(case, batch):
    X = torch.randn(10, *batch, 4, dtype=torch.float64).requires_grad_()
    results = [unroll(cell, X) for cell in twins(case)]
    for mine, reference in zip(*(r[0] for r in results), strict=True):
        assert mine.shape == (*batch, 3)
        torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-12)
    for mine, reference in zip(*(r[1] for r in results), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("case", CELLS, **by_id)
def test_given_state_is_used_and_left_alone(case):
    ours, theirs = twins(case)
    X = torch.randn(1, 5, 4, dtype=torch.float64).requires_grad_()
    state = tuple(torch.randn(5, 3, dtype=torch.float64) for _ in range(2))
    state = state if case.ours is LSTMCell else state[0]
    before = [s.clone() for s in flat(state)]
    (mine, _), (reference, _) = unroll(ours, X, state), unroll(theirs, X, state)
    for a, b in zip(mine, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    assert all(torch.equal(s, b) for s, b in zip(flat(state), before, strict=True))
    assert not torch.allclose(mine[0], unroll(ours, X)[0][0])


@pytest.mark.parametrize("case", CELLS, **by_id)
def test_missing_state_is_zeros_of_the_inputs_type(case):
    cell = twins(case)[0]
    output = flat(cell(torch.zeros(2, 4, dtype=torch.float64)))
    assert all(s.dtype == torch.float64 for s in output)
    zeros = torch.zeros(2, 3, dtype=torch.float64)
    again = flat(cell(torch.zeros(2, 4, dtype=torch.float64), (zeros,) * len(output)))
    assert all(torch.equal(a, b) for a, b in zip(output, again, strict=True))


@pytest.mark.parametrize("case", CELLS, **by_id)
def test_copies_pickles_and_shows(case):
    cell, X = twins(case)[0], torch.randn(2, 4, dtype=torch.float64)
    for twin in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert all(torch.equal(a, b) for a, b in zip(flat(twin(X)), flat(cell(X)), strict=True))
        assert repr(twin) == repr(cell)
    assert repr(cell).startswith(f"{case.ours.__name__}(4, 3")
    assert ("bias=False" in repr(cell)) == (case.kwargs.get("bias") is False)


def test_layout_and_empty_batch():
    for cell in (RNNCell(4, 3), LSTMCell(4, 3)):
        X = torch.randn(4, 6).T
        for a, b in zip(flat(cell(X)), flat(cell(X.contiguous())), strict=True):
            torch.testing.assert_close(a, b)
        assert flat(cell(torch.empty(0, 4)))[0].shape == (0, 3)


def test_an_open_gate_keeps_the_state_and_its_gradient_for_a_hundred_steps():
    """What the gates are for: a forget gate near 1 passes everything, a plain cell forgets."""
    lstm, rnn = LSTMCell(1, 1), RNNCell(1, 1)
    with torch.no_grad():
        for parameter in (*lstm.parameters(), *rnn.parameters()):
            parameter.zero_()
        lstm.bias_ih[1] = 12.0  # i, f, g, o: the forget gate
        rnn.weight_hh.fill_(0.9)
    start = torch.ones(1, requires_grad=True)
    state, h = (torch.zeros(1), start), start
    for _ in range(100):
        state, h = lstm(torch.zeros(1), state), rnn(torch.zeros(1), h)
    assert torch.autograd.grad(state[1], start)[0].item() > 0.99
    assert abs(torch.autograd.grad(h, start)[0].item()) < 1e-4
