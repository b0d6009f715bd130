"""Folds and cross-validation, against scikit-learn's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import model_selection
from sklearn.linear_model import Ridge

from deeplearn.search import KFold, cross_validate


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


SHUFFLED = [{"shuffle": True, "random_state": seed} for seed in (0, 2**32 - 1)]


@pytest.mark.parametrize("kwargs", [{}, *SHUFFLED], ids=str)
@pytest.mark.parametrize(("n", "n_splits"), [(5, 5), (7, 3), (100, 7), (20, 2), (23, 5)])
def test_folds_are_those_of_scikit_learn(n, n_splits, kwargs):
    X = torch.zeros(n, 2)
    ours = list(KFold(n_splits, **kwargs).split(X))
    theirs = list(model_selection.KFold(n_splits, **kwargs).split(X))
    assert len(ours) == n_splits
    for mine, reference in zip(ours, theirs, strict=True):
        for part, expected in zip(mine, reference, strict=True):
            assert part.dtype == torch.int64
            assert part.tolist() == expected.tolist()


@given(n=st.integers(2, 60), n_splits=st.integers(2, 60), shuffle=st.booleans())
@settings(max_examples=50, deadline=None, derandomize=True)
def test_folds_partition_the_rows(n, n_splits, shuffle):
    n_splits = min(n, n_splits)
    folds = list(KFold(n_splits, shuffle=shuffle).split(range(n)))
    validated = torch.cat([valid for _, valid in folds])
    assert validated.sort().values.tolist() == list(range(n))
    sizes = [len(valid) for _, valid in folds]
    assert max(sizes) - min(sizes) <= 1
    for train, valid in folds:
        assert torch.cat([train, valid]).sort().values.tolist() == list(range(n))


def test_without_random_state_torchs_seed_decides():
    def folds():
        return [valid.tolist() for _, valid in KFold(3, shuffle=True).split(range(30))]

    torch.manual_seed(0)
    first, second = folds(), folds()
    torch.manual_seed(0)
    assert folds() == first != second
    state = torch.get_rng_state()
    list(KFold(3, shuffle=True, random_state=1).split(range(30)))
    list(KFold(3).split(range(30)))
    assert torch.equal(torch.get_rng_state(), state)
    assert len(list(KFold().split(range(10)))) == 5


def ridge_score(X_train, y_train, X_valid, y_valid):
    model = Ridge().fit(X_train.numpy(), y_train.numpy())
    return model.score(X_valid.numpy(), y_valid.numpy())


@pytest.mark.parametrize("cv", [KFold(4), model_selection.KFold(4)], ids=["ours", "theirs"])
def test_cross_validation_is_that_of_scikit_learn(cv):
    X = torch.randn(30, 3, generator=seeded(), dtype=torch.float64)
    y = X @ torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64) + X[:, 0] ** 2
    theirs = model_selection.cross_val_score(Ridge(), X.numpy(), y.numpy(), cv=4)
    ours = cross_validate(ridge_score, X, y, cv)
    assert ours.dtype == torch.float64
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12)


def test_cross_validation_takes_stratified_folds_and_pairs_the_rows():
    X, y = torch.arange(12), torch.arange(12) % 3

    def fit_and_score(X_train, y_train, X_valid, y_valid):
        assert torch.equal(X_train % 3, y_train)
        assert torch.equal(X_valid % 3, y_valid)
        assert y_valid.bincount().tolist() == [1, 1, 1]
        return torch.tensor(float(X_valid.sum()))

    scores = cross_validate(fit_and_score, X, y, model_selection.StratifiedKFold(4))
    assert scores.sum() == X.sum()


@pytest.mark.parametrize("arguments", [{}, {"shuffle": True, "random_state": 1}], ids=str)
def test_scikit_learn_takes_our_folds(arguments):
    X, y = torch.randn(22, 3).numpy(), torch.randn(22).numpy()
    ours = model_selection.cross_val_score(Ridge(), X, y, cv=KFold(4, **arguments))
    cv = model_selection.KFold(4, **arguments)
    assert np.array_equal(ours, model_selection.cross_val_score(Ridge(), X, y, cv=cv))
    assert KFold(4).get_n_splits() == KFold(4).get_n_splits(X, y, None) == 4
