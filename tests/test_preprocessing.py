"""Statistics of the training rows alone, against scikit-learn's."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from deeplearn.data import Preprocessing, center, load_mnist, standardize, whiten


def rows(n=50, columns=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(columns, columns, generator=generator, dtype=dtype)
    return torch.randn(n, columns, generator=generator, dtype=dtype) @ mix + 3


X, OTHER = rows(), rows(7, seed=1)


def assert_equal(ours, theirs, **kwargs):
    np.testing.assert_allclose(ours.numpy(), theirs, **{"rtol": 1e-10, "atol": 1e-10, **kwargs})


@pytest.mark.parametrize(("fit", "kwargs"), [(center, {"with_std": False}), (standardize, {})])
def test_center_and_standardize_are_scikit_learns_on_every_set(fit, kwargs):
    scaler, transform = StandardScaler(**kwargs).fit(X.numpy()), fit(X)
    for part in (X, OTHER, OTHER[:1]):
        assert_equal(transform(part), scaler.transform(part.numpy()))


@pytest.mark.parametrize("fit", [center, standardize])
@pytest.mark.parametrize("dim", [0, (0,), (0, 1), (0, 2, 3), (3, 0), (0, 1, 2, 3)], ids=str)
def test_dim_chooses_what_shares_its_statistics(fit, dim):
    images = rows(6 * 3 * 5, 4).view(6, 3, 5, 4) * torch.arange(1.0, 4).view(3, 1, 1)
    found = fit(images, dim=dim)(images)
    array = images.numpy()
    expected = array - array.mean(dim, keepdims=True)
    if fit is standardize:
        expected /= array.std(dim, keepdims=True)
    assert_equal(found, expected)
    assert found.shape == images.shape


def test_constant_columns_are_centered_and_not_scaled():
    train = torch.stack([torch.full((5,), 7.0), torch.arange(5.0), torch.zeros(5)], dim=1)
    transform = standardize(train)
    assert transform(train)[:, [0, 2]].tolist() == [[0.0, 0.0]] * 5
    other = transform(torch.tensor([[8.0, 2.0, 1.0]]))
    assert_equal(other, [[1, 0, 1]])
    scaler = StandardScaler().fit(train.numpy())
    assert_equal(other, scaler.transform([[8.0, 2.0, 1.0]]))


@pytest.mark.parametrize("value", [0.1, -1e6, 1e-12, 1e15])
def test_rounding_does_not_make_a_constant_column_vary(value):
    train = torch.full((60_001, 2), value)
    train[:, 1] = torch.linspace(value, 2 * value, 60_001)
    transform = standardize(train)
    assert transform.weight[0, 0] == 1
    assert transform(train)[:, 1].var(correction=0).item() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(("eps", "scaled"), [(0.24, True), (0.26, False), (0, True)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_eps_is_relative_to_the_largest_magnitude(eps, scaled, sign):
    train = torch.tensor([[20.0], [40.0]]) * sign  # the deviation, 10, is a quarter of 40
    assert standardize(train, eps=eps).weight.item() == pytest.approx(0.1 if scaled else 1)


def test_mnist_border_pixels_stay_finite():
    data = load_mnist(source="digits")
    assert (data.X_train.std(0) == 0).any()
    for transform in (standardize(data.X_train), whiten(data.X_train)):
        for part in (data.X_train, data.X_test):
            assert transform(part).isfinite().all()
    assert standardize(data.X_train)(data.X_train).abs().max() <= len(data.X_train) ** 0.5
    one = standardize(data.X_train, dim=(0, 1))
    assert one.mean.shape == one.weight.shape == (1, 1)
    assert one(data.X_train).std().item() == pytest.approx(1, rel=1e-3)


def aligned(ours, theirs):
    return ours * torch.from_numpy(np.sign((ours.numpy() * theirs).sum(0)))


@pytest.mark.parametrize("num_components", [None, 1, 3])
def test_whitening_is_scikit_learns_up_to_signs(num_components):
    pca = PCA(num_components, whiten=True).fit(X.numpy())
    transform = whiten(X, num_components, eps=0)
    for part in (X, OTHER):
        theirs = pca.transform(part.numpy())
        assert_equal(aligned(transform(part), theirs), theirs)
    assert_equal(transform(X).T.cov().reshape(-1), np.eye(num_components or 4).ravel())


def test_zca_stays_nearest_to_the_centered_rows():
    white = whiten(X, zca=True, eps=0)
    assert_equal(white(X).T.cov(), np.eye(4))
    assert_equal(white.weight, white.weight.T.numpy())
    values, vectors = np.linalg.eigh(np.cov(X.numpy().T))
    assert_equal(white.weight, vectors @ np.diag(values**-0.5) @ vectors.T)
    distances = [(w(X) - center(X)(X)).norm() for w in (white, whiten(X, eps=0))]
    assert distances[0] < distances[1]
    two = whiten(X, 2, zca=True, eps=0)(X)
    assert two.shape == X.shape
    assert torch.linalg.matrix_rank(two, rtol=1e-8) == 2


@pytest.mark.parametrize("zca", [False, True])
def test_eps_is_added_to_each_variance(zca):
    values, vectors = np.linalg.eigh(np.cov(X.numpy().T))
    covariance = whiten(X, eps=0.5, zca=zca)(X).T.cov()
    if zca:
        expected = vectors @ np.diag(values / (values + 0.5)) @ vectors.T
    else:
        expected = np.diag((values / (values + 0.5))[::-1])
    assert_equal(covariance, expected)
    small, default = (whiten(X * 1e-3, **kwargs).weight for kwargs in ({"eps": 1e-5}, {}))
    assert torch.equal(small, default)


def test_fewer_rows_than_columns_need_eps_or_fewer_components():
    few = rows(3, 6)
    assert whiten(few)(few).isfinite().all()
    assert whiten(few, 2, eps=0)(few).T.cov().allclose(torch.eye(2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"eps must be above 0, got 0: X_train has not 3 direc"):
        whiten(few, 3, eps=0)
    line = torch.tensor([[1.0], [3.0]])
    assert whiten(line, eps=0)(line).flatten().tolist() == pytest.approx([-(0.5**0.5), 0.5**0.5])


FITS = {
    "center": center,
    "standardize": standardize,
    "whiten": whiten,
    "zca": lambda X: whiten(X, zca=True),
}


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_the_map_is_a_module_whose_statistics_move_with_it(fit):
    transform = fit(X)
    expected = transform(OTHER)
    model = torch.nn.Sequential(transform, torch.nn.Linear(4, 2).double())
    assert set(transform.state_dict()) == {"mean", "weight"}
    assert not list(transform.parameters())
    for twin in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        assert torch.equal(twin(OTHER), expected)
    blank = Preprocessing(transform.mean * 0, transform.weight * 0)
    blank.load_state_dict(transform.state_dict())
    assert torch.equal(blank(OTHER), expected)
    assert model.float()(OTHER.float()).dtype == torch.float32


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_type_layout_and_input_are_kept(fit, dtype):
    train, before = X.to(dtype), X.to(dtype).clone()
    transform = fit(train)
    found = transform(train)
    assert found.dtype == transform.weight.dtype == dtype
    assert torch.equal(train, before)
    assert found.data_ptr() != train.data_ptr()
    columns = train.T.contiguous().T
    assert not columns.is_contiguous()
    torch.testing.assert_close(fit(columns)(columns).abs(), found.abs(), rtol=1e-3, atol=1e-4)
    assert torch.autograd.gradcheck(fit(X), OTHER.clone().requires_grad_())


@given(seed=st.integers(0, 2**32), n=st.integers(1, 30), scale=st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_standardizing_is_idempotent_and_ignores_units(seed, n, scale):
    train = rows(n, 3, seed)
    once = standardize(train)(train)
    torch.testing.assert_close(standardize(once)(once), once)
    torch.testing.assert_close(standardize(train * scale + 5)(train * scale + 5), once)
