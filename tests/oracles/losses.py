"""The rows of deeplearn.losses."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor

from deeplearn import losses
from oracles.table import NAN, Bad, F, Function, bias, integers, labels, weight

_cross_entropy = losses.cross_entropy
_binary = losses.binary_cross_entropy_with_logits
_ranking = losses.margin_ranking_loss
_contrastive = losses.contrastive_loss


def _rows(*, scale: float = 1.0) -> Callable:
    def args(generator: Generator, dtype: torch.dtype) -> tuple[Tensor, ...]:
        logits = scale * torch.randn(6, 4, generator=generator, dtype=dtype)
        return logits, torch.randint(4, (6,), generator=generator)

    return args


def _probabilities(generator: Generator, dtype: torch.dtype) -> tuple[Tensor, ...]:
    logits = torch.randn(6, 4, generator=generator, dtype=dtype)
    return logits, torch.rand(6, 4, generator=generator, dtype=dtype).softmax(1)


def _binary_rows(generator: Generator, dtype: torch.dtype) -> tuple[Tensor, ...]:
    logits = 5 * torch.randn(6, 2, generator=generator, dtype=dtype)
    return logits, torch.rand(6, 2, generator=generator, dtype=dtype)


def _scores(generator: Generator, dtype: torch.dtype) -> tuple[Tensor, ...]:
    first, second = (torch.randn(9, generator=generator, dtype=dtype) for _ in range(2))
    return first, second, torch.tensor([1, -1, 1] * 3, dtype=dtype)


def _distances(generator: Generator, dtype: torch.dtype) -> tuple[Tensor, ...]:
    return 3 * torch.rand(8, generator=generator, dtype=dtype), torch.tensor([0, 1] * 4)


def by_pairs(distance: Tensor, different: Tensor, margin: float = 1.0) -> Tensor:
    """The definition, pair by pair."""
    terms = []
    for d, y in zip(distance, different, strict=True):
        terms.append(d**2 / 2 if y == 0 else torch.relu(margin - d) ** 2 / 2)
    return sum(terms) / len(terms)


FUNCTIONS = [
    Function(_cross_entropy, F.cross_entropy, _rows()),
    Function(_cross_entropy, F.cross_entropy, _rows(scale=100.0)),
    Function(_cross_entropy, F.cross_entropy, _rows(), {"label_smoothing": 0.1}),
    Function(_cross_entropy, F.cross_entropy, _rows(), {"label_smoothing": 1.0}),
    Function(_cross_entropy, F.cross_entropy, _probabilities),
    Function(_cross_entropy, F.cross_entropy, _probabilities, {"label_smoothing": 0.3}),
    Function(_binary, F.binary_cross_entropy_with_logits, _binary_rows),
    Function(_ranking, F.margin_ranking_loss, _scores),
    Function(_ranking, F.margin_ranking_loss, _scores, {"margin": 0.7}),
    *(
        Function(loss, theirs, args, {"reduction": reduction})
        for loss, theirs, args in (
            (_cross_entropy, F.cross_entropy, _rows()),
            (_cross_entropy, F.cross_entropy, _probabilities),
            (_binary, F.binary_cross_entropy_with_logits, _binary_rows),
            (_ranking, F.margin_ranking_loss, _scores),
        )
        for reduction in ("sum", "none")
    ),
    Function(_contrastive, by_pairs, _distances),
    Function(_contrastive, by_pairs, _distances, {"margin": 2.5}),
]

BAD = [
    *(
        Bad(
            loss,
            partial(loss, *arguments, reduction="max"),
            ValueError,
            ("reduction", "sum", "'max'"),
        )
        for loss, arguments in (
            (_cross_entropy, (weight(), labels())),
            (_binary, (bias(), bias())),
            (_ranking, (bias(), bias(), bias())),
        )
    ),
    *(
        Bad(loss, partial(loss, *arguments, **kwargs), error, words)
        for loss, arguments, kwargs, error, words in (
            (_cross_entropy, (integers(), labels()), {}, TypeError, ("input", "int64", ".float()")),
            (_cross_entropy, (weight(), [0]), {}, TypeError, ("target", "list", "as_tensor")),
            (
                _cross_entropy,
                (weight()[:0], labels()[:0]),
                {},
                ValueError,
                ("input", "(0, 4)", "element"),
            ),
            (
                _cross_entropy,
                (weight(), labels() + 4),
                {},
                ValueError,
                ("target", "[0, 4)", "4 to 4"),
            ),
            (_cross_entropy, (weight(), labels() - 1), {}, ValueError, ("target", "-1", "relabel")),
            (
                _cross_entropy,
                (weight(), labels()[:2]),
                {},
                ValueError,
                ("target", "(3, 4)", "(2,)"),
            ),
            (_cross_entropy, (bias(), labels()), {}, ValueError, ("input", "(3,)", "classes")),
            (_cross_entropy, (weight(), bias()), {}, ValueError, ("target", "float32", "integers")),
            (
                _cross_entropy,
                (weight(), labels().bool()),
                {},
                ValueError,
                ("target", "bool", "integers"),
            ),
            (
                _cross_entropy,
                (weight(), labels()),
                {"label_smoothing": 1.1},
                ValueError,
                ("label_smoothing", "1.1", "0.1"),
            ),
            (_binary, (bias(), labels()), {}, TypeError, ("target", "int64", ".float()")),
            (_binary, (bias(), weight()), {}, ValueError, ("input", "(3,)", "(3, 4)", "squeeze")),
            (_binary, (bias()[:0], bias()[:0]), {}, ValueError, ("input", "(0,)", "element")),
            (_ranking, (bias(), bias(), labels()), {}, TypeError, ("target", "int64", ".float()")),
            (_ranking, (bias(), weight(), bias()), {}, ValueError, ("input2", "(3, 4)", "squeeze")),
            (_ranking, (bias(),) * 3, {"margin": NAN}, ValueError, ("margin", "nan", "usual")),
            (_contrastive, (bias(), [0, 1, 0]), {}, TypeError, ("different", "list", "as_tensor")),
            (_contrastive, (labels(), labels()), {}, TypeError, ("distance", "int64", ".float()")),
            (_contrastive, ([0.5], labels()), {}, TypeError, ("distance", "list", "as_tensor")),
            (
                _contrastive,
                (bias(), labels() - 1),
                {},
                ValueError,
                ("different", "-1", "two classes"),
            ),
            (_contrastive, (bias(), weight()), {}, ValueError, ("different", "(3, 4)", "squeeze")),
            (
                _contrastive,
                (bias(), labels()),
                {"margin": 0.0},
                ValueError,
                ("margin", "0.0", "usual"),
            ),
        )
    ),
]
