"""Batches, splits and classes: every row counted, every bad argument refused."""

import itertools
import re

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from deeplearn import data
from deeplearn.data import TensorLoader, random_split, select_classes, stratified_split


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n, columns=3):
    """Return X and y that name their own row, so that a lost pairing shows."""
    y = torch.arange(n)
    return y.unsqueeze(1) * 10.0 + torch.arange(columns), y


# TensorLoader


SIZES = list(itertools.product([1, 2, 7, 64, 65], [1, 2, 7, 64, 100], [False, True]))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    ("n", "batch_size", "drop_last"),
    [(n, size, drop) for n, size, drop in SIZES if n >= size * drop],
)
def test_a_pass_covers_each_row_once(n, batch_size, shuffle, drop_last):
    X, y = rows(n)
    loader = TensorLoader(
        X, y, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, generator=seeded()
    )
    batches = list(loader)
    sizes = [len(labels) for _, labels in batches]
    seen = torch.cat([labels for _, labels in batches])

    assert len(batches) == len(loader)
    assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
    assert sum(sizes) == (n - n % batch_size if drop_last else n)
    assert len(seen.unique()) == len(seen)
    assert torch.equal(torch.cat([inputs for inputs, _ in batches]), X[seen])
    if not shuffle:
        assert torch.equal(seen, y[: len(seen)])


def test_shuffling_is_the_bare_loop_over_one_permutation_a_pass():
    X, y = rows(23)
    bare, generator = seeded(3), seeded(3)
    loader = TensorLoader(X, y, batch_size=5, generator=generator)
    for _ in range(3):
        order = torch.randperm(23, generator=bare)
        expected = [(X[order[i : i + 5]], y[order[i : i + 5]]) for i in range(0, 23, 5)]
        for ours, theirs in zip(loader, expected, strict=True):
            assert torch.equal(ours[0], theirs[0])
            assert torch.equal(ours[1], theirs[1])
        assert torch.equal(generator.get_state(), bare.get_state())


def test_without_shuffling_no_random_number_is_drawn():
    X, y = rows(6)
    generator = seeded()
    before = generator.get_state()
    list(TensorLoader(X, y, batch_size=4, shuffle=False, generator=generator))
    assert torch.equal(generator.get_state(), before)


def test_without_a_generator_the_global_one_decides():
    loader = TensorLoader(torch.arange(50), batch_size=50)
    torch.manual_seed(1)
    ((first,),) = loader
    torch.manual_seed(1)
    assert torch.equal(first, torch.randperm(50))


def test_passes_at_the_same_time_do_not_disturb_each_other():
    loader = TensorLoader(torch.arange(8), batch_size=2, generator=seeded())
    pairs = list(zip(loader, loader, strict=True))
    for side in (0, 1):
        assert torch.cat([pair[side][0] for pair in pairs]).sort().values.tolist() == list(range(8))


def test_shuffled_batches_are_copies_and_keep_type_and_shape():
    images = torch.zeros(6, 1, 4, 4, dtype=torch.float16)
    (batch,) = next(iter(TensorLoader(images, batch_size=2, generator=seeded())))
    batch += 1
    assert images.sum() == 0
    assert batch.shape == (2, 1, 4, 4)
    assert batch.dtype == torch.float16


def test_the_loader_shows_what_it_was_given():
    X, y = rows(4)
    generator = seeded()
    loader = TensorLoader(X, y, batch_size=3, generator=generator)
    assert loader.tensors[0] is X
    assert loader.tensors[1] is y
    assert loader.batch_size == 3
    assert loader.generator is generator


def test_large_finite_numbers_are_not_taken_for_infinity():
    big = torch.full((4,), 3e38)
    assert big.sum().isinf()
    assert len(TensorLoader(big, batch_size=2)) == 2


X5, Y5 = rows(5)


@pytest.mark.parametrize(
    ("tensors", "kwargs", "error", "message"),
    [
        ((), {}, ValueError, "tensors is empty; pass at least one"),
        (([1, 2],), {}, TypeError, "tensors[0] must be a torch.Tensor, got list"),
        ((X5, Y5.numpy()), {}, TypeError, "tensors[1] must be a torch.Tensor, got ndarray"),
        ((X5, Y5[:4]), {}, ValueError, "tensors[0] has 5, tensors[1] has 4"),
        ((X5[:0], Y5[:0]), {}, ValueError, "tensors[0] is empty"),
        ((torch.tensor(1.0),), {}, ValueError, "tensors[0] must have rows, got a scalar"),
        ((X5.clone().index_fill(0, torch.tensor(2), torch.nan),), {}, ValueError, "3 NaN"),
        ((X5 / torch.tensor(0.0), Y5), {}, ValueError, "tensors[0] must be finite"),
        ((X5,), {"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ((X5,), {"batch_size": -3}, ValueError, "batch_size must be at least 1, got -3"),
        ((X5,), {"batch_size": 2.0}, TypeError, "batch_size must be an int, got float"),
        ((X5,), {"batch_size": True}, TypeError, "batch_size must be an int, got bool"),
        ((X5,), {"batch_size": None}, TypeError, "batch_size must be an int, got NoneType"),
        ((X5,), {"batch_size": 6, "drop_last": True}, ValueError, "at most the 5 rows"),
        ((X5,), {"generator": 0}, TypeError, "generator must be a torch.Generator or None"),
    ],
)
def test_bad_arguments_of_the_loader(tensors, kwargs, error, message):
    with pytest.raises(error, match=re.escape(message)):
        TensorLoader(*tensors, **{"batch_size": 2, **kwargs})


# random_split and stratified_split


@pytest.mark.parametrize("split", [random_split, stratified_split])
@pytest.mark.parametrize(
    ("valid_size", "expected"), [(1, 1), (40, 40), (99, 99), (0.25, 25), (0.333, 33), (0.994, 99)]
)
def test_splits_are_partitions_of_the_exact_size(split, valid_size, expected):
    X, y = rows(100)
    y = y % 7
    X_train, y_train, X_valid, y_valid = split(X, y, valid_size=valid_size, generator=seeded())

    assert len(X_valid) == len(y_valid) == expected
    together = torch.cat([X_train, X_valid])
    assert torch.equal(together[together[:, 0].argsort()], X)
    assert torch.equal((X_train[:, 0] / 10).long() % 7, y_train)
    assert torch.equal((X_valid[:, 0] / 10).long() % 7, y_valid)


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_the_seed_decides_the_split(split):
    X, y = rows(60)
    y = y % 3
    first, again, other = (
        split(X, y, valid_size=20, generator=seeded(seed))[2] for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_every_row_is_as_likely_to_validate(split):
    X, y = rows(12)
    y = (y >= 8).long()
    generator = seeded()
    counts = torch.zeros(12)
    for _ in range(600):
        chosen = split(X, y, valid_size=3, generator=generator)[2]
        counts[(chosen[:, 0] / 10).long()] += 1
    # 600 × 3 / 12 = 150 expected; the standard deviation is 10.6.
    assert counts.min() > 110
    assert counts.max() < 190


@pytest.mark.parametrize("seed", range(30))
def test_stratified_parts_have_each_class_within_one_row_of_its_share(seed):
    generator = seeded(seed)
    n = int(torch.randint(2, 400, (1,), generator=generator))
    num_classes = int(torch.randint(1, 12, (1,), generator=generator))
    skew = torch.rand(num_classes, generator=generator) ** 4 + 1e-3
    y = torch.multinomial(skew, n, replacement=True, generator=generator) * 3 - 5
    valid_size = int(torch.randint(1, n, (1,), generator=generator))
    X = torch.arange(n).unsqueeze(1)

    _, y_train, _, y_valid = stratified_split(X, y, valid_size=valid_size, generator=generator)

    assert len(y_valid) == valid_size
    for label in y.unique():
        share = int((y == label).sum()) * valid_size / n
        assert abs(int((y_valid == label).sum()) - share) < 1
    assert torch.equal(torch.cat([y_train, y_valid]).sort().values, y.sort().values)


def test_the_largest_remainders_get_the_rows_that_rounding_leaves():
    y = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)  # shares of 3 rows: 1.5, 0.9, 0.6
    *_, y_valid = stratified_split(y, y, valid_size=3, generator=seeded())
    assert y_valid.bincount(minlength=3).tolist() == [1, 1, 1]


def test_stratified_parts_are_not_sorted_by_class():
    y = torch.arange(3).repeat_interleave(100)
    _, y_train, _, y_valid = stratified_split(y, y, valid_size=150, generator=seeded())
    for part in (y_train, y_valid):
        assert int((part.diff() != 0).sum()) > 60  # 2 if sorted, about 100 by chance


@pytest.mark.parametrize("split", [random_split, stratified_split])
@pytest.mark.parametrize(
    ("arguments", "valid_size", "error", "message"),
    [
        ((X5, Y5), 0, ValueError, "valid_size must be at least 1, got 0"),
        ((X5, Y5), -1, ValueError, "valid_size must be at least 1, got -1"),
        ((X5, Y5), 5, ValueError, "got 5: 5 of 5 rows"),
        ((X5, Y5), 6, ValueError, "got 6: 6 of 5 rows"),
        ((X5, Y5), 0.0, ValueError, "valid_size must be in (0, 1), got 0.0"),
        ((X5, Y5), 1.0, ValueError, "valid_size must be in (0, 1), got 1.0"),
        ((X5, Y5), 2.0, ValueError, "got 2.0; count with an int"),
        ((X5, Y5), float("nan"), ValueError, "valid_size must be in (0, 1), got nan"),
        ((X5, Y5), 0.01, ValueError, "got 0.01: 0 of 5 rows"),
        ((X5, Y5), 0.99, ValueError, "got 0.99: 5 of 5 rows"),
        ((X5, Y5), True, TypeError, "valid_size must be an int, got bool"),
        ((X5, Y5), "2", TypeError, "valid_size must be an int, got str"),
        ((X5, Y5[:4]), 2, ValueError, "X has 5, y has 4"),
        ((X5[:1], Y5[:1]), 1, ValueError, "1 of 1 rows"),
        ((X5[:0], Y5[:0]), 1, ValueError, "X is empty"),
        ((X5, [0] * 5), 2, TypeError, "y must be a torch.Tensor, got list"),
        ((X5 * torch.nan, Y5), 2, ValueError, "X must be finite"),
    ],
)
def test_bad_arguments_of_the_splits(split, arguments, valid_size, error, message):
    with pytest.raises(error, match=re.escape(message)):
        split(*arguments, valid_size=valid_size)


@pytest.mark.parametrize("split", [random_split, stratified_split])
def test_a_split_refuses_a_seed_for_a_generator(split):
    with pytest.raises(TypeError, match=r"got int; write torch.Generator\(\).manual_seed"):
        split(X5, Y5, valid_size=2, generator=0)


LABELS = [Y5.float(), X5.long(), Y5 > 2, Y5.to(torch.complex64)]


@pytest.mark.parametrize("y", LABELS)
def test_labels_must_be_integers_in_one_dimension(y):
    with pytest.raises(ValueError, match=r"y must be integer labels of shape \(N,\)"):
        stratified_split(X5, y, valid_size=2)
    with pytest.raises(ValueError, match=r"y must be integer labels of shape \(N,\)"):
        select_classes(X5, y, [1])


def test_a_random_split_takes_targets_of_any_shape():
    _, targets, _, held_out = random_split(X5, X5 / 2, valid_size=2, generator=seeded())
    assert targets.shape == (3, 3)
    assert held_out.shape == (2, 3)


# select_classes


def test_selected_rows_keep_their_order_and_are_relabeled_in_the_order_given():
    X, _ = rows(200)
    y = torch.randint(10, (200,), generator=seeded())
    classes = [8, 3, 5]
    X_kept, y_kept = select_classes(X, y, classes)

    expected = [(i, classes.index(label)) for i, label in enumerate(y.tolist()) if label in classes]
    assert (X_kept[:, 0] / 10).long().tolist() == [i for i, _ in expected]
    assert y_kept.tolist() == [label for _, label in expected]
    assert y_kept.dtype == torch.int64


def test_classes_may_be_a_range_negative_or_of_another_integer_type():
    y = torch.tensor([-2, -1, 0, -1], dtype=torch.int8)
    _, kept = select_classes(y.float(), y, range(-2, 0))
    assert kept.tolist() == [0, 1, 1]


def test_the_arguments_stay_as_they_were():
    X, y = rows(6)
    before = X.clone(), y.clone()
    select_classes(X, y, [2, 4])[0].zero_()
    stratified_split(X, y % 2, valid_size=2)[0].zero_()
    random_split(X, y, valid_size=2)[0].zero_()
    assert torch.equal(X, before[0])
    assert torch.equal(y, before[1])


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        ([0, 5], ValueError, "classes holds [5], which y does not; choose from [0, 1, 2, 3, 4]"),
        ([-1], ValueError, "classes holds [-1]"),
        ([1, 2, 1], ValueError, "must be different labels, got [1, 2, 1]"),
        ([], ValueError, "must be different labels, got []"),
        (3, TypeError, "classes must be several ints, got 3; write [3]"),
        ([0.5], TypeError, "classes must be ints, got [0.5]"),
        ([True], TypeError, "classes must be ints, got [True]"),
        ("01", TypeError, "classes must be ints, got ['0', '1']"),
        (torch.tensor([0]), TypeError, "classes must be ints, got [tensor(0)]"),
    ],
)
def test_bad_classes(classes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        select_classes(X5, Y5, classes)


def test_select_classes_checks_its_rows():
    with pytest.raises(ValueError, match="X has 5, y has 4"):
        select_classes(X5, Y5[:4], [0])
    with pytest.raises(ValueError, match="X is empty"):
        select_classes(X5[:0], Y5[:0], [0])


def test_shuffled_rows_follow_each_tensor_to_its_device(monkeypatch):
    """Fake tensors have a device and no values, so the checks of values are left out."""
    monkeypatch.setattr(data, "_check_rows", lambda tensors: None)
    with FakeTensorMode():
        X, y = torch.empty(5, 3, device="cuda"), torch.empty(5)
        batches = list(TensorLoader(X, y, batch_size=2))
    assert [(len(a), a.device.type, b.device.type) for a, b in batches] == [
        (n, "cuda", "cpu") for n in (2, 2, 1)
    ]
