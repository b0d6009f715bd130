"""Formulas on feedback pages: TeX becomes MathML, and whatever cannot is shown as it was typed."""

import re

import nbformat
import pytest

from grading.formgrader import clean_markdown
from grading.mathematics import markdown_with_mathml, mathml
from tests.toy_course import ROOT

SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))


def visible(html):
    """The text of a page, without what stands in code."""
    return re.sub(r"<pre.*?</pre>|<code>.*?</code>|<[^>]+>", "", html, flags=re.DOTALL)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_each_formula_of_an_assignment_is_converted(path):
    cells = nbformat.read(path, as_version=4).cells
    pages = [markdown_with_mathml({}, c.source) for c in cells if c.cell_type == "markdown"]
    assert sum(page.count("<math") for page in pages) >= 1
    for page in pages:
        assert not re.search(r"<code>[^<]*\\[^<]*</code>", page), "shown as it was typed"
        assert not re.search(r"[$\\]", visible(page))


@pytest.mark.parametrize(
    ("tex", "part"),
    [
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "<mtable"),
        (r"\arg\min_w L", "<mo>arg</mo>"),
        (r"\text{max\_norm}", "<mtext>max_norm</mtext>"),
        (r"\mathbf{x}^\top", "𝐱"),
        (r"\hat{y}", "<mover"),
        (r"x < y", "<mo>&lt;</mo>"),
        (r"\sqrt[3]{x}", "<mroot>"),
        (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", "<mtd>"),
    ],
)
def test_what_students_write_is_converted(tex, part):
    assert part in mathml(tex)


@pytest.mark.parametrize(
    "tex",
    [
        r"\unheardof{x}",
        r"\left( x \right",
        r"x & y",
        r"\text{a < b}",
        "{" * 4_000,
        r"\frac" * 900,
        "x" * 6_000,
        r"\def\a{\b\b}\def\b{\a\a}\a",
        r"\newcommand{\a}{\a\a}\a",
    ],
    ids=lambda tex: tex[:20],
)
def test_what_cannot_be_converted_is_shown_as_it_was_typed(tex):
    found = mathml(tex)
    assert found.startswith("<code>")
    assert len(found) < 2 * len(tex) + 30


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>window.attacked=1</script>}",
        r"\href{javascript:window.attacked=1}{x}",
        r"\text{<img src=x onerror=window.attacked=1>}",
        r"\style{background:url(//example.org)}{x}",
        r"\class{x}{y}",
        r"\mathrm{<iframe src=//example.org>}",
    ],
)
def test_no_script_and_no_address_leaves_a_formula(tex):
    for html in (mathml(tex), markdown_with_mathml({}, f"${tex}$\n\n$${tex}$$")):
        for tag in re.findall(r"<[^>]+>", html):
            assert re.fullmatch(r"</?(?:p|code|div|math|m[a-z]+)(?: [a-z]+=\"[\w.]+\")*>", tag), tag


def test_a_formula_of_its_own_can_be_scrolled_with_keys():
    assert '<math tabindex="0" display="block">' in markdown_with_mathml({}, "$$x$$")
    assert "tabindex" not in markdown_with_mathml({}, "$x$")


def test_headings_stand_below_the_pages_own():
    html = markdown_with_mathml({}, "# One\n\n## Two\n\n###### Six")
    assert re.findall(r"<h\d>\w+", html) == ["<h2>One", "<h3>Two", "<h6>Six"]


@pytest.mark.parametrize("begin", ["\\begin{a}", "\\\\[", "\\\\(", "$$x"], ids=repr)
@pytest.mark.parametrize("convert", [markdown_with_mathml, clean_markdown], ids=["page", "grader"])
def test_formulas_that_never_end_are_shown_as_they_were_typed(convert, begin):
    text = begin * 100_000
    assert convert({}, text) == f"<pre>{text}</pre>"
