"""Mathematics that a browser shows by itself: TeX as MathML, without a script or a network."""

import re
from html import escape

from jinja2 import pass_context
from jinja2.runtime import Context
from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from grading.clean import clean_html

LONGEST = 5_000  # letters of a formula that is converted
MOST_WORK = 10**8  # letters that are looked at for the ends of formulas
BEGINNING = re.compile(r"\\begin\{|\\\\[\[(]|\$")
# what the converter does not know, by what it does
OTHER_WORDS = {
    r"\\arg(?![A-Za-z])": r"\\operatorname{arg}",
    r"\{(?:aligned|gathered|split)\}": "{align*}",
}
DEFINITION = re.compile(
    r"\\(?:def|gdef|edef|xdef|let|(?:re)?newcommand|newenvironment)(?![A-Za-z])"
)
UNKNOWN = re.compile(r">(?:\\[A-Za-z]+|&)<|<mtext>[^<]*<(?!/mtext>)")


def mathml(tex: str, display: str = "inline") -> str:
    """Return a formula as MathML; one that cannot be converted, as it was typed.

    Args:
        tex: the formula, without the signs around it.
        display: ``inline`` or ``block``.

    >>> mathml("x<y")
    '<math display="inline"><mrow><mi>x</mi><mo>&lt;</mo><mi>y</mi></mrow></math>'
    >>> mathml(r"\\unheardof{x}")
    '<code>\\\\unheardof{x}</code>'
    """
    typed = f"<code>{escape(tex, quote=False)}</code>"
    # a definition can grow without end
    if len(tex) > LONGEST or DEFINITION.search(tex):
        return typed
    for pattern, known in OTHER_WORDS.items():
        tex = re.sub(pattern, known, tex)
    try:
        found = convert(tex, display=display)
    except Exception:  # a student's formula must not take the page away
        return typed
    if UNKNOWN.search(found):
        return typed
    if display == "block":
        # a wide one is scrolled on a phone, with keys too
        found = found.replace("<math", '<math tabindex="0"', 1)
    return clean_html(found.replace(r"\_", "_"))


class MathRenderer(IPythonRenderer):
    """Markdown as HTML with formulas as MathML, and headings below the page's own."""

    def block_math(self, body: str) -> str:
        """A formula between ``$$`` or ``\\[`` and ``\\]``."""
        return mathml(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        """A formula between ``\\begin`` and ``\\end``."""
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")

    def inline_math(self, body: str) -> str:
        """A formula between ``$`` or ``\\(`` and ``\\)``."""
        return mathml(body)

    def heading(self, text: str, level: int, **attrs) -> str:
        """A heading, one level lower, and without a link to itself."""
        return super(IPythonRenderer, self).heading(text, min(level + 1, 6), **attrs)


def markdown_html(context: Context | dict, source: str, renderer: type[IPythonRenderer]) -> str:
    """Return Markdown as HTML without scripts.

    Text that cannot be converted is shown as it is: a picture may be missing, quotations nested
    too deep, or thousands of formulas begun and not ended.

    Args:
        context: the template's variables; ``cell`` is the cell that the text belongs to.
        source: the text.
        renderer: what makes the HTML.
    """
    attachments = context.get("cell", {}).get("attachments", {})
    rules = renderer(escape=False, attachments=attachments)
    shown = f"<pre>{escape(source, quote=False)}</pre>"
    # from each beginning, the end is looked for up to the end of the text
    if len(BEGINNING.findall(source)) * len(source) > MOST_WORK:
        return shown
    try:
        html = MarkdownWithMath(renderer=rules).render(source)
    except Exception:  # a student's text must not take the page away
        return shown
    return clean_html(html).strip()


@pass_context
def markdown_with_mathml(context: Context | dict, source: str) -> str:
    """Return Markdown as HTML without scripts, its formulas as MathML.

    >>> markdown_with_mathml({}, "# Side $x$")
    '<h2>Side <math display="inline"><mrow><mi>x</mi></mrow></math></h2>'
    """
    return markdown_html(context, source, MathRenderer)
