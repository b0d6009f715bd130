"""Pairs: drawn as promised, and a network that could tell them apart."""

import copy
from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import nn

from deeplearn.data import TensorLoader
from deeplearn.models import mlp
from deeplearn.optim import Adam
from deeplearn.siamese import SiameseNet, sample_pairs
from deeplearn.trainer import Trainer


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    counts=st.lists(st.integers(2, 6), min_size=2, max_size=5),
    half=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_pairs_are_balanced_labeled_rightly_and_of_different_rows(counts, half, seed):
    generator = torch.Generator().manual_seed(seed)
    classes = torch.tensor([3, -1, 7, 100, 4])[: len(counts)]
    y = classes.repeat_interleave(torch.tensor(counts))
    y = y[torch.randperm(len(y), generator=generator)]
    X = torch.arange(len(y), dtype=torch.float64).view(-1, 1, 1)  # an image is its row number
    X1, X2, different = sample_pairs(X, y, 2 * half, generator=generator)
    assert X1.shape == X2.shape == (2 * half, 1, 1)
    assert different.shape == (2 * half,)
    assert different.dtype == torch.float64
    rows1, rows2 = X1.flatten().long(), X2.flatten().long()
    assert (rows1 != rows2).all()
    assert torch.equal(y[rows1] != y[rows2], different.bool())
    assert different.sum() == half


def test_pairs_are_uniform_among_those_that_fit(generator):
    y = torch.tensor([1, 0, 2, 0, 2, 2, 1])
    X = torch.arange(7.0)
    X1, X2, different = sample_pairs(X, y, 40_000, generator=generator)
    for label in (0, 1):
        seen = (7 * X1 + X2)[different == label].long().bincount(minlength=49)
        fits = [
            (int(y[a]) != int(y[b])) == label and a != b for a, b in product(range(7), repeat=2)
        ]
        partners = torch.tensor(fits).view(7, 7).sum(1, keepdim=True).expand(7, 7).flatten()
        fits = torch.tensor(fits)
        assert seen[~fits].sum() == 0
        expected = 20_000 / 7 / partners[fits]
        assert chisquare(seen[fits], expected).pvalue > 0.001
    assert 4_700 < different[:10_000].sum() < 5_300, "the order is random"


def test_generator_makes_the_pairs_and_nothing_else_is_touched():
    X, y = torch.randn(8, 3), torch.arange(8) % 2
    copies, state = (X.clone(), y.clone()), torch.get_rng_state()
    draws = [sample_pairs(X, y, 20, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(draws[0], draws[1], strict=True))
    assert not torch.equal(draws[0][0], draws[2][0])
    assert torch.equal(X, copies[0])
    assert torch.equal(y, copies[1])
    assert torch.equal(state, torch.get_rng_state())
    sample_pairs(X, y, 20)
    assert not torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("shared", [True, False])
def test_logit_is_the_head_of_both_outputs(shared):
    first, second = nn.Linear(4, 3), nn.Linear(4, 3)
    net = SiameseNet(first, None if shared else second, num_features=3)
    assert (net.second is net.first) == shared
    X1, X2 = torch.randn(5, 4), torch.randn(5, 4)
    both = torch.cat([first(X1), (first if shared else second)(X2)], dim=1)
    hidden = nn.functional.elu(both @ net.head.hidden1.weight.T + net.head.hidden1.bias)
    expected = hidden @ net.head.output.weight.T + net.head.output.bias
    torch.testing.assert_close(net(X1, X2), expected[:, 0])
    assert hidden.shape == (5, 10)
    assert len(list(net.parameters())) == 4 + (2 if shared else 4)
    assert torch.equal(copy.deepcopy(net)(X1, X2), net(X1, X2))
    net.load_state_dict(net.state_dict())
    net(X1, X2).sum().backward()
    assert (second.weight.grad is None) == shared


def test_head_comes_from_the_generator_and_has_the_size_asked_for():
    heads = [
        SiameseNet(nn.Linear(4, 3), num_features=3, num_hidden=7, generator=g).head
        for g in (torch.Generator().manual_seed(5), torch.Generator().manual_seed(5))
    ]
    assert torch.equal(heads[0].hidden1.weight, heads[1].hidden1.weight)
    assert heads[0].hidden1.weight.shape == (7, 6)


def test_an_additive_logit_contradicts_itself_and_this_one_is_not_additive():
    X = torch.eye(2)
    additive = nn.Linear(6, 1)
    a, b = mlp([2, 8, 3]), mlp([2, 8, 3])

    def contradiction(logit):
        return logit(0, 0) + logit(1, 1) - logit(0, 1) - logit(1, 0)

    def of_sum(i, j):
        return additive(torch.cat([a(X[i : i + 1]), b(X[j : j + 1])], dim=1)).item()

    net = SiameseNet(a, b, num_features=3)
    assert contradiction(of_sum) == pytest.approx(0, abs=1e-6)
    assert abs(contradiction(lambda i, j: net(X[i : i + 1], X[j : j + 1]).item())) > 1e-3


@pytest.mark.parametrize("shared", [True, False])
def test_same_or_different_is_learned_by_a_trainer(shared):
    generator = torch.Generator().manual_seed(0)
    X, y = torch.randn(4, 6, generator=generator).repeat(10, 1), torch.arange(40) % 4
    X += 0.1 * torch.randn(40, 6, generator=generator)
    pairs = sample_pairs(X, y, 400, generator=generator)
    sides = [mlp([6, 20, 20, 1], generator=generator)[:-1] for _ in range(2 - shared)]
    net = SiameseNet(*sides, num_features=20, generator=generator)
    trainer = Trainer(
        net,
        Adam(net.parameters(), lr=0.01),
        nn.functional.binary_cross_entropy_with_logits,
        metrics={"accuracy": lambda output, target: ((output > 0) == target.bool()).float().mean()},
    )
    history = trainer.fit(TensorLoader(*pairs, batch_size=40, generator=generator), 30, pairs)
    losses = history["train_loss"]
    assert history["valid_accuracy"][-1] > 0.99, losses
    assert sum(later < earlier for earlier, later in pairwise(losses)) > 20
