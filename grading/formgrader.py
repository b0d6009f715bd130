"""What formgrader shows: mathematics without a network, and nothing that a student scripted."""

from importlib.util import find_spec
from pathlib import Path

import nbgrader
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer

from grading.mathematics import markdown_html

# Ours stand in for two of nbconvert's and nbgrader's.
TEMPLATES = [
    str(Path(__file__).parent / "templates"),
    str(Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"),
]


@pass_context
def clean_markdown(context: Context | dict, source: str) -> str:
    """Return Markdown as HTML without scripts; mathematics stays as it was typed.

    Args:
        context: the template's variables; ``cell`` is the cell that the text belongs to.
        source: the text.

    >>> clean_markdown({}, "**2** $x<y$ <script>f()</script>")
    '<p><strong>2</strong> $x&lt;y$ </p>'
    >>> clean_markdown({}, "![mine](attachment:a.png)")
    '<pre>![mine](attachment:a.png)</pre>'
    """
    return markdown_html(context, source, IPythonRenderer)


def mathjax_source(name: str) -> str:
    """Return one of MathJax's scripts, from the package that the book has it from, too."""
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent
    return (package / "static" / "mathjax" / name).read_text(encoding="utf-8")
