"""Metrics against scikit-learn."""

import pytest
import sklearn.metrics
import torch

from deeplearn.metrics import accuracy, confusion_matrix

DTYPES = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["logits", "labels"])
def test_metrics_equal_scikit_learn(seed, kind):
    generator = torch.Generator().manual_seed(seed)
    classes, rows = 2 + 3 * seed, 1 + 50 * seed
    target = torch.randint(classes, (rows,), generator=generator)
    logits = torch.randn(rows, classes, generator=generator)
    logits[torch.arange(rows), target] += 1
    predicted = logits.numpy().argmax(axis=1)
    input = logits if kind == "logits" else torch.as_tensor(predicted)

    expected = sklearn.metrics.accuracy_score(target, predicted)
    assert accuracy(input, target) == pytest.approx(expected, abs=1e-15)
    assert type(accuracy(input, target)) is float
    counts = confusion_matrix(input, target, classes)
    expected = sklearn.metrics.confusion_matrix(target, predicted, labels=range(classes))
    assert counts.dtype == torch.int64
    assert counts.tolist() == expected.tolist()
    assert counts.trace().item() / rows == pytest.approx(accuracy(input, target))


def test_rows_are_true_and_columns_predicted_classes():
    counts = confusion_matrix(torch.tensor([2, 2, 1]), torch.tensor([0, 0, 1]))
    assert counts.tolist() == [[0, 0, 2], [0, 1, 0], [0, 0, 0]]


def test_number_of_classes_comes_from_labels_predictions_or_logits():
    labels = torch.tensor([0, 1])
    assert confusion_matrix(labels, labels).shape == (2, 2)
    assert confusion_matrix(labels + 3, labels).shape == (5, 5)
    assert confusion_matrix(labels, labels + 4).shape == (6, 6)
    assert confusion_matrix(torch.randn(2, 7), labels).shape == (7, 7)
    assert confusion_matrix(labels, labels, 9).shape == (9, 9)
    with pytest.raises(ValueError, match="num_classes must be at least 7, got 3"):
        confusion_matrix(torch.randn(2, 7), labels, 3)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("other", DTYPES, ids=str)
def test_small_integer_types_do_not_overflow(dtype, other):
    target, predicted = torch.tensor([99, 50, 3]), torch.tensor([98, 50, 7])
    counts = confusion_matrix(predicted.to(dtype), target.to(other))
    assert counts.nonzero().tolist() == [[3, 7], [50, 50], [99, 98]]
    assert accuracy(predicted.to(dtype), target.to(other)) == 1 / 3


def test_accuracy_of_many_rows_is_exact():
    """In float32, a mean over 2²⁴ + 1 rows could not tell one miss from none."""
    target = torch.zeros(2**24 + 1, dtype=torch.uint8)
    predicted = target.clone()
    predicted[7] = 1
    assert accuracy(predicted, target) == 2**24 / (2**24 + 1) < 1


def test_one_logit_is_not_a_choice():
    """argmax over one column is 0 for every row, which looks like an accuracy."""
    logit, target = torch.tensor([[2.0], [-1.0]]), torch.tensor([1, 0])
    for metric in (accuracy, confusion_matrix):
        with pytest.raises(ValueError, match=r"at least 2 classes, got shape \(2, 1\).*> 0"):
            metric(logit, target)
    assert accuracy((logit[:, 0] > 0).long(), target) == 1.0


@pytest.mark.parametrize("argument", ["input", "target"])
@pytest.mark.parametrize("metric", [accuracy, confusion_matrix])
def test_lists_are_refused_by_name(metric, argument):
    arguments = {"input": torch.tensor([1]), "target": torch.tensor([1]), argument: [1]}
    with pytest.raises(TypeError, match=f"{argument} must be a torch.Tensor, got list"):
        metric(**arguments)
