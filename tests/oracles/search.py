"""The rows of deeplearn.search."""

import math
from functools import partial

import torch

from deeplearn import search
from oracles.table import NAN, Bad, labels, weight


def objective(generator, **settings):
    yield 1.0, 0.5


def silent(generator):
    yield from ()


def losses_only(generator):
    yield 1.0


def nothing(generator):
    yield


def returning(generator):
    return 0.5


def trial(aborted=False, **settings):
    return search.Trial(settings, 0, [1.0], 0.5, aborted)


def score(value):
    return lambda X_train, y_train, X_valid, y_valid: value


x = {"x": search.uniform(0, 1)}
BAD = [
    *(
        Bad(name, partial(name, *args), error, words)
        for name, args, error, words in (
            (search.uniform, (1, 1), ValueError, ("high", "(1, inf)", "got 1", "above low")),
            (search.uniform, (0, NAN), ValueError, ("high", "nan", "above low")),
            (search.uniform, (-math.inf, 0), ValueError, ("low", "-inf")),
            (search.uniform, ("0", 1), TypeError, ("low", "str")),
            (search.uniform, (0, math.inf), ValueError, ("high", "inf", "above low")),
            (search.loguniform, (0, 1), ValueError, ("low", "(0, inf)", "got 0", "low > 0")),
            (search.loguniform, (1, 0.5), ValueError, ("high", "(1, inf)", "0.5", "above low")),
            (search.choice, ([],), ValueError, ("values", "[]", "fill")),
            (search.choice, ("relu",), ValueError, ("values", "'relu'", "list")),
            (search.KFold, (1,), ValueError, ("n_splits", "at least 2", "got 1")),
            (search.KFold, (2.0,), TypeError, ("n_splits", "float", "whole")),
        )
    ),
    *(
        Bad(search.KFold, partial(search.KFold, 3, **kwargs), error, words)
        for kwargs, error, words in (
            ({"shuffle": 1}, TypeError, ("shuffle", "bool", "int")),
            ({"random_state": 0}, ValueError, ("random_state=0", "shuffle=True")),
            ({"shuffle": True, "random_state": -1}, ValueError, ("random_state", "-1")),
            ({"shuffle": True, "random_state": "0"}, TypeError, ("random_state", "str")),
        )
    ),
    Bad(
        search.KFold,
        lambda: next(search.KFold(5).split(range(4))),
        ValueError,
        ("n_splits", "at most the 4 rows", "got 5"),
    ),
    *(
        Bad(search.random_search, partial(search.random_search, *args, **kwargs), error, words)
        for args, kwargs, error, words in (
            ((objective, ["x"], 2), {}, TypeError, ("space", "dict", "list")),
            ((objective, x, 0), {}, ValueError, ("num_trials", "0", "larger")),
            ((objective, x, 2), {"abort_factor": 0.9}, ValueError, ("abort_factor", "[1, inf]")),
            ((objective, x, 2), {"abort_factor": NAN}, ValueError, ("abort_factor", "nan")),
            ((objective, x, 2), {"mode": "best"}, ValueError, ("mode", "max, min", "'best'")),
            ((objective, x, 2), {"generator": 0}, TypeError, ("generator", "manual_seed")),
            ((returning, {}, 2), {}, TypeError, ("objective", "0.5", "write yield")),
            ((losses_only, {}, 2), {}, TypeError, ("objective", "(loss, score)", "got 1.0")),
            ((nothing, {}, 2), {}, TypeError, ("objective", "got None", "yield both")),
            ((silent, {}, 2), {}, ValueError, ("objective", "nothing", "yield (loss, score)")),
        )
    ),
    *(
        Bad(search.refine, partial(search.refine, *args, **kwargs), error, words)
        for args, kwargs, error, words in (
            ((x, []), {}, ValueError, ("trials", "['x']", "search this space")),
            ((x, [trial(aborted=True, x=0.5)]), {}, ValueError, ("trials", "finished")),
            ((x, [trial(y=0.5)]), {}, ValueError, ("trials", "['x']", "search this space")),
            ((x, [trial(x=0.5)]), {"keep": 0}, ValueError, ("keep", "0", "larger")),
        )
    ),
    *(
        Bad(search.cross_validate, partial(search.cross_validate, *args), error, words)
        for args, error, words in (
            ((score(1), weight(), labels()[:2], search.KFold(2)), ValueError, ("3", "2", "pair")),
            ((score(1), weight(), labels(), 2), TypeError, ("cv", "got 2", "KFold(5)")),
            ((score(NAN), weight(), labels(), search.KFold(2)), ValueError, ("fold 0", "nan")),
            ((score("1"), weight(), labels(), search.KFold(2)), TypeError, ("fold 0", "str")),
            (
                (score(1), [0, 1], torch.zeros(2), search.KFold(2)),
                TypeError,
                ("X", "Tensor", "list"),
            ),
        )
    ),
]
