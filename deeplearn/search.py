"""Choose hyperparameters: random search from coarse to fine, and K-fold cross-validation."""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deeplearn._check import check_choice, check_count, check_generator, check_range, check_type

__all__ = [
    "KFold", "Trial", "choice", "cross_validate", "loguniform", "random_search", "refine", "uniform"
]  # fmt: skip


@dataclass(frozen=True)
class uniform:  # in lower case, as scipy.stats writes its distributions
    """Numbers that are equally likely from ``low`` to ``high``, such as a dropout rate.

    Raises:
        TypeError: if ``low`` or ``high`` is not a number.
        ValueError: if one is not finite, or if ``high`` is not above ``low``.

    >>> 0.1 <= uniform(0.1, 0.5).sample() <= 0.5
    True
    """

    low: float
    high: float
    _least, _to, _from = -math.inf, staticmethod(float), staticmethod(float)

    def __post_init__(self) -> None:
        check_range("low", self.low, self._least, closed="()", cure="loguniform needs low > 0")
        check_range("high", self.high, self.low, closed="()", cure="it must be above low")

    def sample(self, generator: torch.Generator | None = None) -> float:
        """Draw a number."""
        low, high = self._to(self.low), self._to(self.high)
        share = torch.rand((), dtype=torch.float64, generator=generator).item()
        return min(max(self._from(low + share * (high - low)), self.low), self.high)  # rounding


class loguniform(uniform):
    r"""Numbers whose logarithm is uniform: each power of ten is as likely, as a learning rate
    needs.

    .. math::
        x &= e^u \\
        u &\sim U(\ln \text{low},\, \ln \text{high})

    Raises:
        TypeError: if ``low`` or ``high`` is not a number.
        ValueError: if ``low`` is not above 0, or if ``high`` is not above ``low``.

    Source: Bergstra & Bengio (2012).

    >>> 1e-5 <= loguniform(1e-5, 1e-1).sample() <= 1e-1
    True
    """

    _least, _to, _from = 0.0, staticmethod(math.log), staticmethod(math.exp)


@dataclass(frozen=True)
class choice:
    """One of ``values``, each as likely, such as numbers of layers or names of activations.

    Raises:
        ValueError: if ``values`` is empty, or not a list, tuple or range.

    >>> choice(["relu", "elu"]).sample() in ("relu", "elu")
    True
    """

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if not isinstance(self.values, list | tuple | range) or not self.values:
            raise ValueError(f"values must be a list with an element, got {self.values!r}; fill it")

    def sample(self, generator: torch.Generator | None = None) -> Any:
        """Draw a value."""
        return self.values[int(torch.randint(len(self.values), (), generator=generator))]


@dataclass(frozen=True)
class Trial:
    """One run of a search: its settings, its losses from the initial one on, and its last score.

    ``seed`` is that of the run's generator, so you can repeat the run. ``aborted`` says whether it
    was ended early.

    >>> Trial(settings={"lr": 0.1}, seed=7, losses=[2.3, 0.4], score=0.9, aborted=False).score
    0.9
    """

    settings: dict[str, Any]
    seed: int
    losses: list[float]
    score: float
    aborted: bool


def random_search(
    objective: Callable[..., Generator], space: dict[str, Any], num_trials: int, *,
    abort_factor: float = 3.0, mode: str = "max", generator: torch.Generator | None = None,
) -> list[Trial]:  # fmt: skip
    """Run ``objective`` with random settings; return all trials, the best first, aborted ones last.

    ``space`` has a distribution, or a fixed value, for each name. ``objective(**settings,
    generator=…)`` yields ``(loss, score)`` before training, and again after each evaluation. A run
    is aborted when its score is NaN, or when its loss is not finite or above ``abort_factor`` times
    the initial one. Its generator is ``torch.Generator().manual_seed(trial.seed)``, and depends on
    no other run. ``mode="min"`` puts low scores first.

    Shapes: the result is a list of ``num_trials`` :class:`Trial` objects.

    Raises:
        TypeError: if an argument is of another type, or if ``objective`` does not yield pairs.
        ValueError: if ``num_trials`` or ``abort_factor`` is below 1, if ``mode`` is unknown, or if
            ``objective`` yields nothing.

    Source: Bergstra & Bengio (2012), section 2.

    >>> def objective(x, generator):
    ...     yield 1.0, 0.0
    ...     yield x**2, 1 - x**2
    >>> len(random_search(objective, {"x": uniform(-3, 3)}, num_trials=8))
    8
    """
    check_type("space", space, dict)
    check_count("num_trials", num_trials)
    check_range("abort_factor", abort_factor, 1, math.inf, closed="[]", cure="inf aborts less")
    check_choice("mode", mode, ("max", "min"))
    check_generator(generator)
    for name, item in space.items():
        if isinstance(item, type) and issubclass(item, uniform | choice):
            wanted = f"space[{name!r}] must be a distribution or a value, got the class"
            raise TypeError(f"{wanted} {item.__name__}; call it with its arguments")
    plans = []  # drawn before the first run, which may draw from the same generator
    for _ in range(num_trials):
        settings = {
            name: item.sample(generator) if isinstance(item, uniform | choice) else item
            for name, item in space.items()
        }
        plans.append((settings, int(torch.randint(2**31, (), generator=generator))))
    trials = [_run(objective, *plan, abort_factor) for plan in plans]
    sign = -1 if mode == "max" else 1  # sorted keeps the order of equal scores
    return sorted(trials, key=lambda t: (t.aborted, 0 if t.aborted else sign * t.score))


def _run(objective: Callable, settings: dict[str, Any], seed: int, abort_factor: float) -> Trial:
    run = objective(**settings, generator=torch.Generator().manual_seed(seed))
    if not isinstance(run, Generator):
        raise TypeError(f"objective must yield (loss, score), got {run!r}; write yield, not return")
    losses, score, aborted = [], math.nan, False
    with closing(run):  # so that the with blocks of an aborted objective end, too
        for state in run:
            if not isinstance(state, tuple) or len(state) != 2:
                raise TypeError(f"objective must yield (loss, score), got {state!r}; yield both")
            loss, score = map(float, state)
            losses.append(loss)
            limit = abort_factor * abs(losses[0])
            aborted = not math.isfinite(loss) or loss > limit or math.isnan(score)
            if aborted:
                break
    if not losses:
        raise ValueError("objective yielded nothing; yield (loss, score) before training, too")
    return Trial(settings, seed, losses, score, aborted)


def refine(space: dict, trials: list[Trial], *, keep: int = 5) -> tuple[dict, list[str]]:
    """Return ``space`` with each range narrowed to the best trials, and the names to widen instead.

    A new range holds the ``keep`` best trials that were not aborted, and a twentieth of the old
    range on both sides. The names are those whose best value lies in an outer tenth of its range:
    the optimum may be beyond the edge. Choices and fixed values stay.

    Shapes: the result is a dictionary like ``space``, and a list of names.

    Raises:
        TypeError: if ``keep`` is not an int.
        ValueError: if ``keep`` is below 1, or if no finished trial has all the names of ``space``.

    Source: Karpathy (2015), CS231n, Hyperparameter optimization.

    >>> best = [Trial({"p": p}, seed=0, losses=[1.0], score=0.9, aborted=False) for p in (0, 4)]
    >>> refine({"p": uniform(0, 10)}, best)
    ({'p': uniform(low=0, high=4.5)}, ['p'])
    """
    check_count("keep", keep)
    best = [trial.settings for trial in trials if not trial.aborted][:keep]
    if not best or not space.keys() <= best[0].keys():
        raise ValueError(f"trials must hold finished runs with {sorted(space)}; search this space")
    finer, edges = dict(space), []
    for name, old in space.items():
        if isinstance(old, uniform):
            low, high, *values = map(old._to, (old.low, old.high, *(s[name] for s in best)))
            margin = (high - low) / 20
            lowest, highest = old._from(min(values) - margin), old._from(max(values) + margin)
            finer[name] = type(old)(max(lowest, old.low), min(highest, old.high))
            edges += [name] * (not low + 2 * margin < values[0] < high - 2 * margin)
    return finer, edges


class KFold:
    """Split rows into ``n_splits`` folds, each of which validates once.

    It makes the folds of scikit-learn's class of the same name, as tensors. The first N mod
    n_splits folds have one row more. Without ``random_state`` torch's global generator shuffles.

    Shapes: N rows give ``n_splits`` pairs of index tensors, which together hold each row once.

    Raises:
        TypeError: if an argument is of another type.
        ValueError: if ``n_splits`` is below 2, or if ``random_state`` is negative or given without
            ``shuffle=True``.

    Source: Stone (1974).

    >>> [valid.tolist() for train, valid in KFold(n_splits=3).split(torch.zeros(7, 2))]
    [[0, 1, 2], [3, 4], [5, 6]]
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: int | None = None
    ) -> None:
        check_count("n_splits", n_splits, 2)
        check_type("shuffle", shuffle, bool)
        check_count("random_state", 0 if random_state is None else random_state, 0)
        if random_state is not None and not shuffle:
            raise ValueError(f"random_state={random_state} has no effect; pass shuffle=True, too")
        self.n_splits, self.shuffle, self.random_state = n_splits, shuffle, random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return ``n_splits``; scikit-learn asks for it, with arguments that are not used."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the indices of the rows to train on and of those to validate with, ascending.

        ``y`` and ``groups`` are not used; scikit-learn's other splitters need them.

        Raises:
            ValueError: if ``X`` has fewer than ``n_splits`` rows.
        """
        if len(X) < self.n_splits:
            raise ValueError(f"n_splits must be at most the {len(X)} rows, got {self.n_splits}")
        rows = np.arange(len(X))
        if self.shuffle:
            chosen = self.random_state is not None
            seed = self.random_state if chosen else int(torch.randint(2**31, ()))
            np.random.RandomState(seed).shuffle(rows)  # scikit-learn's order
        for fold in np.array_split(rows, self.n_splits):
            yield torch.from_numpy(np.setdiff1d(rows, fold)), torch.from_numpy(np.sort(fold))


def cross_validate(
    fit_and_score: Callable[[Tensor, Tensor, Tensor, Tensor], float], X: Tensor, y: Tensor, cv: Any
) -> Tensor:
    """Return the score of each fold of ``cv``, a :class:`KFold` or another splitter of
    scikit-learn's kind.

    ``fit_and_score(X_train, y_train, X_valid, y_valid)`` makes a new model each time, and finds the
    statistics of preprocessing in ``X_train``. So nothing leaks from the rows that validate.

    Shapes: ``X`` is (N, …), ``y`` is (N, …); the result is (folds,), float64.

    Raises:
        TypeError: if ``X`` or ``y`` is not a tensor, ``cv`` has no method ``split``, or a score is
            not a number.
        ValueError: if ``X`` and ``y`` have different numbers of rows, or if a score is not finite.

    Source: Stone (1974).

    >>> X = torch.tensor([0.0, 0.0, 4.0, 4.0])
    >>> cross_validate(lambda X_train, y_train, X_valid, y_valid: X_train.mean(), X, X, KFold(2))
    tensor([4., 0.], dtype=torch.float64)
    """
    check_type("X", X, Tensor)
    check_type("y", y, Tensor)
    if len(X) != len(y):
        raise ValueError(f"X and y must have the same rows, got {len(X)} and {len(y)}; pair them")
    if not hasattr(cv, "split"):
        raise TypeError(f"cv must have a method split, got {cv!r}; write KFold(5)")
    scores = []
    for train, valid in cv.split(X, y):
        score = fit_and_score(X[train], y[train], X[valid], y[valid])
        check_range(f"the score of fold {len(scores)}", score, closed="()", cure="look at that run")
        scores.append(float(score))
    return torch.tensor(scores, dtype=torch.float64)
