"""New images from old: each transform against SciPy's on the same draws."""

import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch._subclasses.fake_tensor import FakeTensorMode

from deeplearn import augment
from deeplearn.augment import (
    Compose,
    adjust_contrast,
    elastic,
    random_rotation,
    random_scale,
    random_shift,
)

TRANSFORMS = [
    random_shift,
    random_rotation,
    random_scale,
    elastic,
    adjust_contrast,
    Compose([random_shift, partial(random_rotation, max_degrees=180), elastic]),
]
by_name = {"ids": lambda f: getattr(f, "__name__", "Compose")}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(*shape, dtype=torch.float64):
    return torch.rand(*shape, generator=seeded(9), dtype=dtype)


def uniform(n, low, high, seed=0):
    """The numbers that a transform draws for n images."""
    return (low + (high - low) * torch.rand(n, 1, 1, generator=seeded(seed))).flatten().double()


def assert_images(ours, theirs):
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=2e-5)


def scipy_affine(image, matrix):
    """Each pixel shows the place that the matrix sends it to, about the middle."""
    middle = (np.array(image.shape) - 1) / 2
    offset = middle - matrix @ middle
    return ndimage.affine_transform(image, matrix, offset, order=1, mode="grid-constant")


@pytest.mark.parametrize("shape", [(9, 6, 6), (9, 5, 8)], ids=str)
def test_a_shift_is_scipys_to_the_last_bit_and_reaches_every_place(shape):
    images = pictures(*shape)
    moves = torch.randint(5, (2, 9, 1), generator=seeded()).view(2, 9).T - 2
    shifted = random_shift(images, generator=seeded())
    for before, after, move in zip(images, shifted, moves, strict=True):
        theirs = ndimage.shift(before.numpy(), (-move).tolist(), order=0)
        assert torch.equal(after, torch.from_numpy(theirs))
    seen = random_shift(torch.eye(1).expand(3000, 1, 1), 0, generator=seeded())
    assert (seen == 1).all()
    dot = torch.zeros(2000, 7, 7)
    dot[:, 3, 3] = 1
    counts = random_shift(dot, 1, generator=seeded()).sum(0)
    # 2000 / 9 = 222 expected at each of the nine places; the standard deviation is 14.
    assert counts[2:5, 2:5].min() > 150
    assert counts.sum() == counts[2:5, 2:5].sum() == 2000


@pytest.mark.parametrize("shape", [(6, 9, 9), (6, 8, 8), (6, 7, 10)], ids=str)
def test_a_rotation_is_scipys_by_the_same_angle(shape):
    images = pictures(*shape)
    ours = random_rotation(images, 180, generator=seeded())
    for before, after, degrees in zip(images, ours, uniform(6, -180, 180), strict=True):
        theirs = ndimage.rotate(
            before.numpy(), float(degrees), reshape=False, order=1, mode="grid-constant"
        )
        assert_images(after, theirs)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_quarter_turn_is_exact_and_to_the_left_if_positive(sign):
    images = pictures(1, 6, 6)
    shares = {seed: float(uniform(1, -1, 1, seed)) for seed in range(20)}
    seed = next(seed for seed, share in shares.items() if sign * share > 0.5)
    ours = random_rotation(images, 90 / abs(shares[seed]), generator=seeded(seed))
    assert_images(ours, torch.rot90(images, sign, (1, 2)).numpy())


def test_the_defaults_turn_by_15_degrees_and_scale_by_a_tenth():
    images = pictures(5, 8, 8)
    for ours, theirs in (
        (random_rotation, partial(random_rotation, max_degrees=15)),
        (random_scale, partial(random_scale, max_change=0.1)),
        (random_shift, partial(random_shift, max_shift=2)),
        (elastic, partial(elastic, alpha=34, sigma=4)),
        (adjust_contrast, partial(adjust_contrast, low=0.7, high=1.3)),
    ):
        assert torch.equal(ours(images, generator=seeded()), theirs(images, generator=seeded()))


@pytest.mark.parametrize("shape", [(6, 9, 9), (6, 7, 10)], ids=str)
def test_a_scaling_is_scipys_and_a_factor_above_one_enlarges(shape):
    images = pictures(*shape)
    factors = uniform(6, 0.6, 1.4)
    ours = random_scale(images, 0.4, generator=seeded())
    for before, after, factor in zip(images, ours, factors, strict=True):
        assert_images(after, scipy_affine(before.numpy(), np.eye(2) / float(factor)))
    dot = torch.zeros(6, 9, 9)
    dot[:, 3:6, 3:6] = 0.5
    ink = random_scale(dot, 0.4, generator=seeded()).sum((1, 2))
    assert torch.equal(ink > dot[0].sum(), factors > 1)


@pytest.mark.parametrize(("alpha", "sigma"), [(34.0, 4.0), (8.0, 1.5), (0.0, 1.0)])
@pytest.mark.parametrize("shape", [(3, 20, 20), (3, 12, 16)], ids=str)
def test_elastic_is_scipys_for_the_same_noise(shape, alpha, sigma):
    images = pictures(*shape)
    noise = 2 * torch.rand(2, *shape, generator=seeded()).double().numpy() - 1
    ours = elastic(images, alpha, sigma, generator=seeded())
    places = np.stack(np.meshgrid(*map(np.arange, shape[1:]), indexing="ij")).astype(float)
    for i, before in enumerate(images.numpy()):
        smooth = [
            ndimage.gaussian_filter(field[i], sigma, mode="constant", truncate=12)
            for field in noise
        ]
        theirs = ndimage.map_coordinates(
            before, places + alpha * np.stack(smooth), order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(ours[i].numpy(), theirs, rtol=0, atol=1e-4)


def test_elastic_moves_by_what_the_docstring_says():
    ramp = (torch.arange(64.0) / 63).expand(40, 64, 64)
    moved = (elastic(ramp, alpha=30, sigma=3, generator=seeded()) - ramp)[:, 16:48, 16:48] * 63
    expected = 30 / (2 * 3 * math.sqrt(3 * math.pi))
    assert moved.square().mean().sqrt().item() == pytest.approx(expected, rel=0.05)


def test_contrast_stretches_about_the_mean_of_each_image_and_clips():
    images = pictures(50, 4, 5)
    ours = adjust_contrast(images, 0.2, 3.0, generator=seeded())
    factor = uniform(50, 0.2, 3.0).view(-1, 1, 1)
    mean = images.mean((1, 2), keepdim=True)
    assert_images(ours, (mean * (1 - factor) + factor * images).clamp(0, 1).numpy())
    assert (ours == 0).any()
    assert (ours == 1).any()
    assert_images(adjust_contrast(images, 1, 1), images.numpy())
    assert_images(adjust_contrast(images, 0, 0), mean.expand_as(images).numpy())


@pytest.mark.parametrize("transform", TRANSFORMS, **by_name)
@given(seed=st.integers(0, 2**32), shape=st.tuples(*[st.integers(1, 9)] * 3), flat=st.booleans())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_shape_type_and_range_are_kept(transform, seed, shape, flat):
    n, height, width = (shape[0], shape[1] + 2, shape[2] + 2)
    images = torch.rand(n, height, width, generator=seeded(seed)).round(decimals=1)
    images = images[:, :height, :height].reshape(n, -1) if flat and width >= height else images
    before = images.clone()
    after = transform(images, generator=seeded(seed))
    assert after.shape == images.shape
    assert after.dtype == images.dtype
    assert 0 <= after.min() <= after.max() <= 1
    assert torch.equal(images, before)
    assert after.data_ptr() != images.data_ptr()


@pytest.mark.parametrize("transform", TRANSFORMS, **by_name)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_flat_images_noncontiguous_ones_and_types(transform, dtype):
    square = pictures(8, 5, 6, 6, dtype=torch.float64).to(dtype)[:, 2]
    assert not square.is_contiguous()
    one = transform(square, generator=seeded())
    flat = transform(square.flatten(1), generator=seeded())
    assert one.dtype == flat.dtype == dtype
    assert torch.equal(one.flatten(1), flat)
    tall = pictures(8, 6, 7).mT
    one, other = (transform(images, generator=seeded()) for images in (tall, tall.contiguous()))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)  # a mean adds up in another order


@pytest.mark.parametrize("transform", TRANSFORMS, **by_name)
def test_the_seed_decides_and_each_image_has_a_draw_of_its_own(transform):
    images = pictures(1, 12, 12).expand(6, 12, 12)
    first, again, other = (transform(images, generator=seeded(s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({tuple(image.flatten().tolist()) for image in first}) > 2
    torch.manual_seed(0)
    assert torch.equal(transform(images), first)  # without a generator: torch's global one
    assert torch.equal(transform(images, generator=seeded(1)), other)


def test_what_comes_from_outside_is_background():
    ones = torch.ones(40, 6, 6)
    assert random_shift(ones, 2, generator=seeded()).unique().tolist() == [0, 1]
    for transform in (partial(random_rotation, max_degrees=90), elastic):
        assert transform(ones, generator=seeded()).min() < 0.5


def test_compose_is_one_after_the_other_on_the_same_generator():
    images, generator = pictures(4, 64), seeded()
    expected = random_scale(random_shift(images, generator=generator), 0.3, generator=generator)
    both = Compose(f for f in (random_shift, partial(random_scale, max_change=0.3)))
    assert torch.equal(both(images, generator=seeded()), expected)
    assert torch.equal(pickle.loads(pickle.dumps(both))(images, generator=seeded()), expected)
    nested = Compose([both, adjust_contrast])(images, generator=seeded())
    assert torch.equal(nested, adjust_contrast(expected, generator=generator))


def test_gradients_pass_through_to_the_images():
    images = pictures(2, 5, 5).requires_grad_()
    random_rotation(images, generator=seeded()).sum().backward()
    assert images.grad.abs().sum() > 0
    assert "flip" in augment.__doc__


@pytest.mark.parametrize(
    "transform", [random_shift, random_rotation, random_scale, adjust_contrast]
)
def test_draws_follow_the_images_to_their_device(transform, monkeypatch):
    """Fake tensors have a device and no values, so the checks of values are left out."""
    monkeypatch.setattr(augment, "check_data", lambda *args: None)
    monkeypatch.setattr(torch.Tensor, "aminmax", lambda images: (0, 1))
    # Without CUDA a fake tensor can be computed with, but not indexed.
    monkeypatch.setattr(augment, "_sample", lambda images, rows, columns: images + rows + columns)
    with FakeTensorMode():
        images = torch.empty(3, 8, 8, device="cuda")
        assert transform(images, generator=None).device == images.device
