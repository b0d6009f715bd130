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
    """Numbers whose logarithm is uniform: each power of ten is as likely, as a learning rate needs.

    >>> 1e-5 <= loguniform(1e-5, 1e-1).sample() <= 1e-1
    True
    """

    _least, _to, _from = 0.0, staticmethod(math.log), staticmethod(math.exp)


@dataclass(frozen=True)
class choice:
    """One of ``values``, each as likely, such as numbers of layers or names of activations.

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
    """One run: its losses from the initial one on, and its last score.

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
    generator=…)`` yields (loss, score) before training and after each evaluation. A run is aborted
    when its score is NaN, or its loss not finite or above ``abort_factor`` times the initial one.
    Its generator, ``Generator().manual_seed(trial.seed)``, depends on no other run. ``mode="min"``
    puts low scores first. Source: Bergstra & Bengio (2012), section 2.

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
    """Return ``space`` with each range narrowed to the ``keep`` best trials, and names to widen.

    A twentieth of the old range is left on both sides. The names are those whose best value lies
    in an outer tenth of its range: the optimum may be beyond the edge. Choices stay.

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
    """Split rows into ``n_splits`` folds, each of which validates once: scikit-learn's, in tensors.

    The first N mod n_splits folds have one row more. Without ``random_state`` torch's global
    generator shuffles. Source: Stone (1974).

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

    def split(self, X: Any, y: Any = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the indices of the rows to train on and of those to validate with, ascending."""
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
    """Return the score of each fold of ``cv``, a :class:`KFold` or another of scikit-learn's.

    ``fit_and_score(X_train, y_train, X_valid, y_valid)`` makes a new model each time, and finds
    the statistics of preprocessing in ``X_train``: so nothing leaks. Source: Stone (1974).

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
