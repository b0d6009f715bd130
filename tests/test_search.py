"""Random search and refinement, against SciPy, closed forms and counting."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from deeplearn.search import (
    Trial,
    choice,
    loguniform,
    random_search,
    refine,
    uniform,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# Distributions


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (uniform(-2, 5), stats.uniform(-2, 7)),
        (uniform(0.1, 0.2), stats.uniform(0.1, 0.1)),
        (loguniform(1e-5, 1e-1), stats.loguniform(1e-5, 1e-1)),
        (loguniform(2, 300), stats.loguniform(2, 300)),
    ],
    ids=["uniform", "uniform, narrow", "loguniform", "loguniform, above 1"],
)
def test_samples_follow_the_distribution(ours, theirs):
    generator = seeded()
    numbers = [ours.sample(generator) for _ in range(2000)]
    assert all(type(number) is float and ours.low <= number <= ours.high for number in numbers)
    assert stats.kstest(numbers, theirs.cdf).pvalue > 0.01
    torch.manual_seed(0)
    assert [ours.sample() for _ in range(3)] == numbers[:3]


def test_a_choice_takes_each_value_equally_often():
    generator, values = seeded(), ("a", 2, None)
    counts = [0, 0, 0]
    for _ in range(900):
        counts[values.index(choice(values).sample(generator))] += 1
    assert stats.chisquare(counts).pvalue > 0.01
    assert choice(range(3, 4)).sample() == 3
    torch.manual_seed(0)
    assert choice(values).sample() == choice(values).sample(seeded())


def test_distributions_are_frozen_values():
    assert uniform(1, 2) == uniform(1, 2) != loguniform(1, 2)
    assert repr(loguniform(1e-5, 0.1)) == "loguniform(low=1e-05, high=0.1)"
    with pytest.raises(AttributeError):
        uniform(1, 2).low = 0


# Random search


def descend(lr, generator, steps=4, draws=0):
    """Minimize w²/2, whose loss multiplies by (1 - lr)² in each step."""
    w = 1.0
    torch.rand(draws, generator=generator)
    yield w**2 / 2, -w
    for _ in range(steps):
        w *= 1 - lr
        yield torch.tensor(w**2 / 2, dtype=torch.float64), -abs(w)


def test_the_best_is_first_the_aborted_last_and_all_are_kept():
    trials = random_search(descend, {"lr": uniform(0, 4)}, 30, generator=seeded())
    finished = [trial for trial in trials if not trial.aborted]
    assert len(trials) == 30
    assert 0 < len(finished) < 30
    assert trials[: len(finished)] == finished
    scores = [trial.score for trial in finished]
    assert scores == sorted(scores, reverse=True)
    for trial in trials:
        factor = (1 - trial.settings["lr"]) ** 2
        expected = [0.5 * factor**i for i in range(5)]
        assert trial.losses == pytest.approx(expected[: len(trial.losses)])
        assert trial.aborted == any(loss > 1.5 for loss in expected)
        assert all(loss <= 1.5 for loss in trial.losses[:-1])
        assert (trial.losses[-1] > 1.5) == trial.aborted
        assert trial.score == pytest.approx(
            -(abs(1 - trial.settings["lr"]) ** (len(trial.losses) - 1))
        )
    assert trials[0].settings["lr"] == min((abs(t.settings["lr"] - 1), t.settings["lr"])
                                           for t in finished)[1]  # fmt: skip


def series(values, scores=None):
    """An objective that yields these losses, whatever its settings."""

    def objective(generator, **kwargs):
        yield from zip(values, scores or [0.5] * len(values), strict=True)

    return objective


@pytest.mark.parametrize(
    ("losses", "kwargs", "kept"),
    [
        ([1.0, 3.0, 0.1], {}, None),  # exactly three times is allowed
        ([1.0, 3.001, 0.1], {}, 2),
        ([2.0, 5.9, 6.1, 0.1], {}, 3),
        ([1.0, 1.6, 0.1], {"abort_factor": 1.5}, 2),
        ([1.0, 1e9, 0.1], {"abort_factor": math.inf}, None),
        ([1.0, math.inf, 0.1], {"abort_factor": math.inf}, 2),
        ([1.0, -math.inf, 0.1], {}, 2),
        ([1.0, math.nan, 0.1], {}, 2),
        ([math.nan, 1.0], {}, 1),
        ([-2.0, -9.0, 5.0], {}, None),
        ([-2.0, 6.1], {}, 2),
        ([1.0], {}, None),
    ],
)
def test_the_rule_of_three_at_its_edges(losses, kwargs, kept):
    (trial,) = random_search(series(losses), {}, 1, **kwargs)
    assert trial.aborted == (kept is not None)
    np.testing.assert_array_equal(trial.losses, losses[:kept])
    assert all(type(loss) is float for loss in trial.losses)


def test_a_score_that_is_nan_aborts_and_an_aborted_objective_is_closed():
    closed = []

    def objective(bad, generator):
        try:
            yield 1.0, 0.0
            yield 1.0, math.nan if bad else 1.0
            yield 1.0, 2.0
        finally:
            closed.append(bad)

    trials = random_search(objective, {"bad": choice([True, False])}, 12, generator=seeded())
    assert len(closed) == 12
    assert {(t.settings["bad"], t.aborted, len(t.losses)) for t in trials} == {
        (True, True, 2),
        (False, False, 3),
    }


def test_mode_min_puts_low_scores_first_and_ties_keep_the_order_of_the_runs():
    def objective(x, generator):
        yield 1.0, x // 1

    space = {"x": uniform(0, 3)}
    best, least = (
        random_search(objective, space, 20, mode=mode, generator=seeded())
        for mode in ("max", "min")
    )
    assert [t.score for t in best] == sorted((t.score for t in best), reverse=True)
    assert [t.score for t in least] == sorted(t.score for t in least)
    order = {score: [t.seed for t in best if t.score == score] for score in (0, 1, 2)}
    assert order == {score: [t.seed for t in least if t.score == score] for score in (0, 1, 2)}
    same = random_search(series([1.0]), space, 20, generator=seeded())
    assert order[0] == [t.seed for t in same if t.settings["x"] < 1]


def test_a_trial_depends_on_no_other_and_can_be_repeated():
    space = {"lr": loguniform(1e-3, 1), "steps": 2, "draws": choice([0, 7])}
    seen = []

    def objective(generator, **kwargs):
        seen.append(torch.rand(3, generator=generator).tolist())
        return descend(**kwargs, generator=generator)

    trials = random_search(objective, space, 6, generator=seeded(3))
    by_seed = {t.seed: t for t in trials}
    assert len(by_seed) == 6
    few = random_search(descend, space, 2, generator=seeded(3))
    for trial in few:
        assert trial == by_seed[trial.seed]
    drawn = [torch.rand(3, generator=seeded(t.seed)).tolist() for t in trials]
    assert sorted(drawn) == sorted(seen)
    assert [t.settings["steps"] for t in trials] == [2] * 6

    def greedy(generator, **kwargs):
        torch.rand(100)  # from torch's global generator, as a careless objective does
        return descend(**kwargs, generator=generator)

    torch.manual_seed(5)
    first = random_search(descend, space, 4)
    torch.manual_seed(5)
    assert random_search(greedy, space, 4) == first


# refine


def trials(name, *values, aborted=0):
    return [Trial({name: v}, 0, [1.0], 0.5, aborted=i < aborted) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    ("space", "values", "keep", "expected", "edges"),
    [
        (uniform(0, 10), [5, 4, 7, 9], 3, (3.5, 7.5), []),
        (uniform(0, 10), [5], 5, (4.5, 5.5), []),
        (uniform(-10, 10), [8, 3], 5, (2, 9), ["x"]),
        (uniform(0, 10), [1.0, 5], 5, (0.5, 5.5), ["x"]),
        (uniform(0, 10), [1.01, 0], 5, (0, 1.51), []),
        (uniform(0, 10), [8.99, 10], 5, (8.49, 10), []),
        (uniform(0, 10), [9.0], 5, (8.5, 9.5), ["x"]),
        (loguniform(1e-5, 1e-1), [1e-3, 1e-2], 5, (10**-3.2, 10**-1.8), []),
        (
            loguniform(1e-5, 1e-1),
            [0.05, 1e-2],
            1,
            (10 ** (math.log10(0.05) - 0.2), 10**-1.10103),
            ["x"],
        ),
    ],
)
def test_refine_narrows_around_the_best_and_names_the_edges(space, values, keep, expected, edges):
    other = choice([1, 2])
    best = [Trial({**t.settings, "c": 1, "fixed": 3}, *list(vars(t).values())[1:])
            for t in trials("x", *values)]  # fmt: skip
    old = {"x": space, "c": other, "fixed": 3}
    finer, found = refine(old, best, keep=keep)
    assert type(finer["x"]) is type(space)
    assert (finer["x"].low, finer["x"].high) == pytest.approx(expected, rel=1e-4)
    assert found == edges
    assert finer["c"] is other
    assert finer["fixed"] == 3
    assert old["x"] is space


def test_refine_keeps_five_by_default_and_skips_aborted_runs():
    finer, _ = refine({"x": uniform(0, 100)}, trials("x", 99, 50, 51, 52, 53, 54, 80, aborted=1))
    assert finer["x"] == uniform(45, 59)


@pytest.mark.parametrize("distribution", [uniform, loguniform, choice])
def test_a_class_of_distributions_is_no_distribution(distribution):
    with pytest.raises(TypeError, match=rf"space\['lr'\].*class {distribution.__name__}; call it"):
        random_search(lambda lr, generator: iter(()), {"lr": distribution}, num_trials=1)


def test_another_class_is_a_fixed_value():
    def objective(activation, generator):
        yield 1.0, float(activation is torch.nn.ReLU)

    trials = random_search(objective, {"activation": torch.nn.ReLU}, num_trials=1)
    assert trials[0].score == 1.0
