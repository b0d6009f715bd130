"""The rows of deeplearn.plots."""

from functools import partial

from deeplearn import plots
from oracles.table import Bad

BAD = [
    *(
        Bad(
            plots.lines,
            partial(plots.lines, {"a": values}, xlabel="x", ylabel="y", log=True),
            ValueError,
            ("'a'", "nothing to draw"),
        )
        for values in ([], [0.0, -1.0])
    ),
    Bad(
        plots.lines,
        lambda: plots.lines({}, xlabel="x", ylabel="y"),
        ValueError,
        ("series", "empty"),
    ),
    Bad(
        plots.lines,
        lambda: plots.lines({"a": [1.0]}, x=[1, 2], xlabel="x", ylabel="y"),
        ValueError,
        ("'a'", "1 values for 2"),
    ),
    Bad(plots.histograms, lambda: plots.histograms({}, xlabel="x"), ValueError, ("values",)),
    Bad(
        plots.histograms,
        lambda: plots.histograms({"a": [1.0]}, xlabel="x"),
        TypeError,
        ("values['a']", "list"),
    ),
]
