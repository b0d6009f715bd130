"""Penalties and dropped weights: masks, expectations and gradients."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deeplearn.regularization import (
    DropConnectLinear,
    Dropout,
    dropout,
    l1_penalty,
    l2_penalty,
)

F = nn.functional


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("p", [0.0, 1e-6, 0.3, 0.5, 0.999999])
@pytest.mark.parametrize("shape", [(5,), (40, 30), (0, 3)], ids=str)
def test_mask_is_torchs_from_the_same_seed(shape, p, dtype):
    X = torch.randn(shape, generator=seeded(), dtype=dtype)
    torch.manual_seed(3)
    mine = dropout(X, p)
    torch.manual_seed(3)
    torch.testing.assert_close(mine, F.dropout(X, p))


def test_generator_decides_and_the_global_one_is_left_alone():
    X, state = torch.ones(1000), torch.get_rng_state()
    first, again = (dropout(X, generator=seeded(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, dropout(X, generator=seeded(2)))
    assert torch.equal(torch.get_rng_state(), state)


@given(p=st.floats(0, 0.95), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_expectation_is_kept(p, seed):
    n = 20_000
    output = dropout(torch.ones(n, dtype=torch.float64), p, generator=seeded(seed))
    kept = output[output != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)))
    error = (p / (1 - p) / n) ** 0.5
    assert abs(output.mean().item() - 1) <= 6 * error


@pytest.mark.parametrize("training", [True, False])
def test_nothing_to_drop_returns_the_input_itself(training):
    X = torch.randn(4)
    assert dropout(X, 0.0, training) is X
    assert dropout(X, 0.9, False) is X
    assert Dropout(0.9).eval()(X) is X


def test_gradient_goes_through_what_was_kept():
    X = torch.ones(500, requires_grad=True)
    output = dropout(X, 0.4, generator=seeded())
    output.sum().backward()
    assert torch.equal(X.grad, output.detach())
    assert output.unique().tolist() == pytest.approx([0, 1 / 0.6])


def test_default_fraction_is_half():
    assert Dropout().p == 0.5
    assert DropConnectLinear(2, 3).p == 0.5
    assert dropout(torch.ones(50), generator=seeded()).unique().tolist() == [0.0, 2.0]


# --- penalties -------------------------------------------------------------------------------


def test_penalties_by_hand_and_their_gradients():
    w = torch.tensor([3.0, -4.0, 0.0], requires_grad=True)
    v = torch.tensor([[2.0]], requires_grad=True)
    assert l1_penalty([w, v]).item() == 9
    l1_penalty([w, v]).backward()
    assert (w.grad.tolist(), v.grad.item()) == ([1, -1, 0], 1)
    w.grad = v.grad = None
    assert l2_penalty([w, v]).item() == 29
    l2_penalty([w, v]).backward()
    assert (w.grad.tolist(), v.grad.item()) == ([6, -8, 0], 4)
    assert l1_penalty([w]).shape == l2_penalty([w]).shape == ()


def test_penalties_of_the_weights_of_a_model():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    named = ((n, p) for n, p in model.named_parameters())
    penalty = l2_penalty(p for n, p in named if n.endswith("weight"))
    expected = model[0].weight.pow(2).sum() + model[1].weight.pow(2).sum()
    torch.testing.assert_close(penalty, expected)


def test_l2_penalty_is_weight_decay_of_sgd():
    """Half the decay times the penalty: the docstring's relation, one step of each."""
    results = []
    for decay in (0.0, 0.2):
        w = nn.Parameter(torch.tensor([1.0, -2.0]))
        loss = (w * torch.tensor([3.0, 4.0])).sum() + (0.1 * l2_penalty([w]) if not decay else 0)
        loss.backward()
        torch.optim.SGD([w], lr=0.1, weight_decay=decay).step()
        results.append(w.detach())
    torch.testing.assert_close(*results)


def test_a_used_up_generator_is_an_error():
    parameters = nn.Linear(3, 2).parameters()
    assert l1_penalty(parameters) > 0
    with pytest.raises(ValueError, match="parameters is empty; a generator that was used up"):
        l1_penalty(parameters)


# --- DropConnect -----------------------------------------------------------------------------


def test_drop_connect_is_a_linear_layer_in_evaluation():
    torch.manual_seed(2)
    ours = DropConnectLinear(5, 3).eval()
    torch.manual_seed(2)
    theirs = nn.Linear(5, 3)
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight", "bias"]
    X = torch.randn(4, 5, generator=seeded())
    assert torch.equal(ours(X), theirs(X))
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    assert list(DropConnectLinear(5, 3, bias=False).state_dict()) == ["weight"]


def test_drop_connect_drops_weights_not_biases_or_inputs():
    layer = DropConnectLinear(50, 40, p=0.25)
    X = torch.eye(50)
    torch.manual_seed(1)
    output = layer(X)
    torch.manual_seed(1)
    masked = dropout(layer.weight, 0.25)
    torch.testing.assert_close(output, masked.T + layer.bias)
    ratio = ((output - layer.bias) / layer.weight.T).detach()
    kept = ratio > 0.5
    torch.testing.assert_close(
        ratio[kept], torch.full_like(ratio[kept], 1 / 0.75), rtol=1e-2, atol=0
    )
    assert (ratio[~kept].abs() < 1e-2).all()
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert not torch.equal(layer(X), output)  # a new mask at each call


def test_drop_connect_keeps_the_expectation_and_passes_gradients():
    layer = DropConnectLinear(6, 2, p=0.5).double()
    X = torch.randn(3, 6, generator=seeded(), dtype=torch.float64)
    torch.manual_seed(0)
    with torch.no_grad():
        mean = torch.stack([layer(X) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, F.linear(X, layer.weight, layer.bias), rtol=0, atol=0.1)
    torch.manual_seed(0)
    layer(X).sum().backward()
    dropped = layer.weight.grad == 0
    assert dropped.any()
    assert not dropped.all()
    assert layer.bias.grad.tolist() == [3.0, 3.0]


def test_drop_connect_with_p_0_drops_nothing_and_draws_nothing():
    layer, X = DropConnectLinear(4, 2, p=0.0), torch.randn(3, 4)
    state = torch.get_rng_state()
    assert torch.equal(layer(X), layer.eval()(X))
    assert torch.equal(torch.get_rng_state(), state)


def test_drop_connect_shows_copies_and_pickles():
    layer = DropConnectLinear(4, 2, False, 0.3).eval()
    assert repr(layer) == "DropConnectLinear(in_features=4, out_features=2, bias=False, p=0.3)"
    X = torch.randn(3, 4)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(X), layer(X))
        assert repr(twin) == repr(layer)
