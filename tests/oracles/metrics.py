"""The rows of deeplearn.metrics."""

from functools import partial

import torch

from deeplearn import metrics
from oracles.table import NAN, Bad, bias, labels, weight

BAD = [
    *(
        Bad(metric, partial(metric, *arguments), ValueError, words)
        for metric in (metrics.accuracy, metrics.confusion_matrix)
        for arguments, words in (
            ((torch.empty(0, 2), labels()[:0]), ("input", "(0, 2)", "element")),
            ((weight() * NAN, labels()), ("input", "NaN", "repair")),
            ((weight(), labels()[:2]), ("input", "(3, 4)", "same rows")),
            ((weight(), weight()), ("target", "float32", "argmax")),
            ((bias(), labels()), ("input", "float32", "logits")),
        )
    ),
    Bad(
        metrics.confusion_matrix,
        lambda: metrics.confusion_matrix(labels() + 4, labels(), num_classes=3),
        ValueError,
        ("num_classes", "at least 5", "got 3"),
    ),
    Bad(
        metrics.confusion_matrix,
        lambda: metrics.confusion_matrix(labels() - 1, labels()),
        ValueError,
        ("labels", "negative", "relabel"),
    ),
    *(
        Bad(metric, partial(metric, weight(), labels() + 7), ValueError, ("target", "7", "relabel"))
        for metric in (metrics.accuracy, metrics.confusion_matrix)
    ),
]
