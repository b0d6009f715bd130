"""Figures by what is in them; sources by their syntax trees."""

import ast
import importlib
import inspect
import io
import pkgutil
import textwrap
import tokenize

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.display import Markdown
from matplotlib.colors import to_rgb

import deeplearn
from deeplearn import plots
from deeplearn.init import kaiming_normal_
from deeplearn.plots import MARKERS, PALETTE, histograms, lines, show_source, use_style


def test_lines_draw_the_values_given():
    series = {"train": [3.0, 2.0, 1.0], "valid": (4.0, 3.0, 3.5)}
    ax = lines(series, xlabel="epoch", ylabel="loss")
    drawn = ax.get_lines()
    for line, (name, values) in zip(drawn, series.items(), strict=True):
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == list(values)
        assert line.get_label() == name
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "loss", "linear")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["train", "valid"]
    assert len({line.get_marker() for line in drawn}) == 2


def test_lines_against_x_on_a_logarithmic_axis_and_given_axes():
    _, ax = plt.subplots()
    returned = lines(
        {"a": [1e-3, 1.0]}, x=[10, 20], xlabel="layer", ylabel="variance", log=True, ax=ax
    )
    assert returned is ax
    assert list(ax.get_lines()[0].get_xdata()) == [10, 20]
    assert ax.get_yscale() == "log"
    assert ax.get_legend() is None  # one series: the axis label says it all


def test_more_series_than_markers_can_be_drawn():
    ax = lines({str(i): [i] for i in range(9)}, xlabel="x", ylabel="y")
    assert [line.get_marker() for line in ax.get_lines()] == [*MARKERS, *MARKERS[:2]]


def test_histograms_are_densities_on_a_common_axis():
    values = {"a": torch.randn(500), "b": 3 + 2 * torch.rand(100, 4), "c": torch.arange(5)}
    figure = histograms(values, xlabel="activation", bins=20, columns=2)
    low = min(float(v.min()) for v in values.values())
    high = max(float(v.max()) for v in values.values())
    assert len(figure.axes) == 3  # the fourth place is empty
    for ax, (name, value) in zip(figure.axes, values.items(), strict=True):
        expected, edges = np.histogram(
            value.double().numpy(), bins=20, range=(low, high), density=True
        )
        assert ax.get_title() == name
        np.testing.assert_allclose([p.get_height() for p in ax.patches], expected, rtol=1e-5)
        np.testing.assert_allclose(
            [p.get_x() for p in ax.patches], edges[:-1], rtol=1e-5, atol=1e-5
        )
    assert figure.get_supxlabel() == "activation"
    assert figure.get_supylabel() == "density"
    assert len({ax.get_xlim() for ax in figure.axes}) == 1


def test_histograms_take_weights_that_require_a_gradient():
    weight = torch.nn.Linear(30, 20).weight
    figure = histograms({"weight": weight}, xlabel="weight")
    assert sum(p.get_height() * p.get_width() for p in figure.axes[0].patches) == pytest.approx(1)
    assert weight.requires_grad


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"values": {"a": torch.tensor([1.0, float("nan")])}}, r"values\['a'\] must be finite"),
        ({"values": {"b": torch.empty(0)}}, r"values\['b'\] is empty"),
        ({"values": {"c": torch.ones(2)}, "columns": 0}, "columns must be at least 1, got 0"),
    ],
)
def test_histograms_refuse_what_cannot_be_drawn(kwargs, words):
    with pytest.raises(ValueError, match=words):
        histograms(**kwargs, xlabel="x")
    assert plt.get_fignums() == []


def luminance(color):
    """Return relative luminance as WCAG 2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_style_uses_the_palette_on_white():
    with plt.rc_context():
        use_style()
        colors = plt.rcParams["axes.prop_cycle"].by_key()["color"]
        figure, ax = plt.subplots()
        drawn = [ax.plot([0, 1])[0].get_color() for _ in PALETTE]
        assert tuple(colors) == PALETTE == tuple(drawn)
        assert to_rgb(figure.get_facecolor()) == (1, 1, 1)
    assert len(set(PALETTE)) == len(PALETTE) == len(MARKERS) == len(set(MARKERS))
    # The first two, of which most figures consist, differ in gray as well, and from white.
    first, second = (luminance(color) + 0.05 for color in PALETTE[:2])
    assert max(first, second) / min(first, second) > 1.3
    assert min(1.05 / first, 1.05 / second) > 3


# --- sources -------------------------------------------------------------------------------------


def shown(*objects):
    """Return the code that is shown, out of its fence."""
    markdown = show_source(*objects)
    assert isinstance(markdown, Markdown)
    first, *code, last = markdown.data.split("\n")
    assert (first, last) == ("```python", "```")
    return "\n".join(code)


def without_docstrings(source):
    """Return the dump of the syntax tree of a source, with docstrings taken out of the tree."""
    tree = ast.parse(textwrap.dedent(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Expr(ast.Constant(...))]
    return ast.dump(tree)


def comments(source):
    tokens = tokenize.generate_tokens(io.StringIO(textwrap.dedent(source)).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


PUBLIC = {
    f"{module.name}.{name}": getattr(importlib.import_module(f"deeplearn.{module.name}"), name)
    for module in pkgutil.iter_modules(deeplearn.__path__)
    for name in getattr(importlib.import_module(f"deeplearn.{module.name}"), "__all__", [])
}
EXHIBITS = {n: v for n, v in PUBLIC.items() if inspect.isclass(v) or inspect.isfunction(v)}


@pytest.mark.parametrize("name", EXHIBITS)
def test_shown_code_is_the_code_without_its_docstrings(name):
    source = inspect.getsource(EXHIBITS[name])
    code = shown(EXHIBITS[name])
    assert ast.dump(ast.parse(code)) == without_docstrings(source)
    assert comments(code) == [c for c in comments(source) if c != "# fmt: skip"]
    assert '"""' not in code


class Documented:
    """A class.

    With more than a line.
    """

    # what a comment says
    value = "ein Wörtchen"

    def only(self):
        """Nothing but this."""

    def next(self) -> str:
        """Say é.

        More.
        """

        text = """no docstring"""  # kept

        def inner():
            """Inside."""
            return text

        return inner()

    async def wait(self):
        """Wait."""
        return "no"  # "yes"

    class Inner:
        """Only a docstring."""


def short(): "not two lines"  # fmt: skip


def long(
    argument=None,
): "after a long header"  # fmt: skip


def plain():
    x = 1
    """No docstring: it comes second."""
    return x


@pytest.mark.parametrize("exhibit", [Documented, Documented.next, Documented.wait, plain])
def test_shown_code_stays_valid(exhibit):
    source = inspect.getsource(exhibit)
    assert ast.dump(ast.parse(shown(exhibit))) == without_docstrings(source)
    assert comments(shown(exhibit)) == comments(source)


def test_a_body_of_nothing_but_a_docstring_becomes_an_ellipsis():
    assert shown(Documented.only) == "def only(self):\n    ..."
    assert shown(Documented.Inner) == "class Inner:\n    ..."


def test_no_gap_is_left_where_the_docstring_was():
    assert "\n\n    # what" not in shown(Documented)
    assert shown(Documented.next).startswith("def next(self) -> str:\n    text =")


@pytest.mark.parametrize("exhibit", [short, long])
def test_a_docstring_on_the_line_of_its_header_stays(exhibit):
    assert ast.dump(ast.parse(shown(exhibit))) == ast.dump(ast.parse(inspect.getsource(exhibit)))


def test_several_objects_are_shown_one_after_the_other():
    assert shown(plain, plots.use_style) == f"{shown(plain)}\n\n{shown(plots.use_style)}"


def test_a_listing_leaves_out_the_notes_to_the_formatter():
    listing = show_source(kaiming_normal_).data
    assert ") -> Tensor:\n" in listing
    assert "fmt" not in listing
