"""The book's figures: one palette, one style, and the package's own code as an exhibit.

Figures keep a white background in the book's light and dark pages, so that colors stay true. The
palette is that of Okabe & Ito (2008), which readers with any color vision can tell apart. Every
series also differs in marker or label.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
from cycler import cycler
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from deeplearn._check import check_count, check_finite, check_not_empty, check_tensor

__all__ = ["MARKERS", "PALETTE", "histograms", "lines", "show_source", "use_style"]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def use_style() -> None:
    """Set matplotlib to the course's style: palette, sizes readable on a phone, light grid.

    It changes ``plt.rcParams``, so it holds for all figures drawn later.

    >>> use_style()
    >>> plt.rcParams["figure.facecolor"]
    'white'
    """
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=PALETTE),
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "font.size": 12,
            "grid.alpha": 0.3,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "savefig.facecolor": "white",
        }
    )


def lines(
    series: Mapping[str, Sequence[float]],
    *,
    x: Sequence[float] | None = None,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw named series against ``x``, each with its own marker, and return the axes.

    Without ``x`` the positions are 1, 2, 3, … ``log`` makes the vertical axis logarithmic. Without
    ``ax`` a new figure is made. Several series get a legend.

    Shapes: each series has as many numbers as ``x``.

    Raises:
        ValueError: if there is no series, if one is empty or has another length than ``x``, or if
            ``log`` is set and one has no number above 0.

    >>> ax = lines({"loss": [1.0, 0.5]}, xlabel="epoch", ylabel="loss")
    >>> ax.get_xlabel()
    'epoch'
    """
    if not series:
        raise ValueError("series is empty; pass at least one name with its values")
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 4))
    for i, (name, values) in enumerate(series.items()):
        positions = range(1, len(values) + 1) if x is None else x
        if len(positions) != len(values):
            raise ValueError(f"{name!r} has {len(values)} values for {len(positions)} of x")
        if len(values) == 0 or (log and not max(values) > 0):
            raise ValueError(f"{name!r} has nothing to draw, got {list(values)[:5]}")
        ax.plot(positions, values, marker=MARKERS[i % len(MARKERS)], markersize=5, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        ax.set_yscale("log")
    if len(series) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def histograms(
    values: Mapping[str, Tensor], *, xlabel: str, bins: int = 60, columns: int = 5
) -> Figure:
    """Draw one histogram for each tensor, side by side on a common horizontal axis; return the
    figure.

    The area of each histogram is 1. There are at most ``columns`` in a row.

    Shapes: tensors of any shape, whose elements are counted in ``bins`` intervals.

    Raises:
        TypeError: if one of ``values`` is not a tensor, or ``columns`` not an int.
        ValueError: if ``values`` or a tensor is empty, if one is not finite, or if ``columns`` is
            below 1.

    >>> import torch
    >>> figure = histograms({"layer 1": torch.randn(100)}, xlabel="activation")
    >>> len(figure.axes)
    1
    """
    if not values:
        raise ValueError("values is empty; pass at least one name with its tensor")
    check_count("columns", columns)
    for name, value in values.items():
        check_tensor(f"values[{name!r}]", value)
        check_not_empty(f"values[{name!r}]", value)
        check_finite(f"values[{name!r}]", value)
    arrays = {name: value.detach().flatten().numpy() for name, value in values.items()}
    columns = min(columns, len(values))
    rows = -(-len(values) // columns)
    low = min(float(array.min()) for array in arrays.values())
    high = max(float(array.max()) for array in arrays.values())
    figure, axes = plt.subplots(
        rows, columns, figsize=(2 * columns + 1, 2 * rows), sharex=True, squeeze=False
    )
    for ax, (name, array) in zip(axes.flat, arrays.items(), strict=False):
        ax.hist(array, bins=bins, range=(low, high), density=True)
        ax.set_title(name, fontsize=11)
        ax.set_yticks([])
    for ax in axes.flat[len(values) :]:
        ax.remove()
    figure.supxlabel(xlabel, fontsize=12)
    figure.supylabel("density", fontsize=12)
    return figure


def show_source(*objects: Callable) -> Markdown:
    r"""Show the code of functions or classes as it stands in the package, without docstrings.

    The result is Markdown, which a notebook shows as highlighted code.

    >>> from deeplearn.regularization import dropout
    >>> show_source(dropout).data.startswith("```python\ndef dropout(")
    True
    """
    listings = [_without_docstring(textwrap.dedent(inspect.getsource(item))) for item in objects]
    return Markdown("```python\n" + "\n\n".join(listings) + "\n```")


def _without_docstring(source: str) -> str:
    kept = source.replace("  # fmt: skip", "").split("\n")  # a note to the formatter alone
    documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    for node in sorted(nodes, key=lambda node: node.lineno, reverse=True):
        first = node.body[0]
        start, end = first.lineno - 1, first.end_lineno
        # One that shares its line with the header stays.
        if ast.get_docstring(node) is None or kept[start][: first.col_offset].strip():
            continue
        if len(node.body) == 1:
            kept[start:end] = [" " * first.col_offset + "..."]
            continue
        while not kept[end].strip():
            end += 1
        del kept[start:end]
    return "\n".join(kept).strip("\n")
