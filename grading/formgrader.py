"""What formgrader shows: mathematics without a network, and nothing that a student scripted."""

from html import escape
from importlib.util import find_spec
from pathlib import Path

import nbgrader
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from grading.feedback import clean_html

# Of ours there is one file; it stands in for one of nbconvert's.
TEMPLATES = [
    str(Path(__file__).parent / "templates"),
    str(Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"),
]


@pass_context
def clean_markdown(context: Context | dict, source: str) -> str:
    """Return Markdown as HTML without scripts; mathematics stays as it was typed.

    Text that cannot be converted is shown as it is: a picture may be missing, or quotations nested
    too deep.

    Args:
        context: the template's variables; ``cell`` is the cell that the text belongs to.
        source: the text.

    >>> clean_markdown({}, "**2** $x<y$ <script>f()</script>")
    '<p><strong>2</strong> $x&lt;y$ </p>'
    >>> clean_markdown({}, "![mine](attachment:a.png)")
    '<pre>![mine](attachment:a.png)</pre>'
    """
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = IPythonRenderer(escape=False, attachments=attachments)
    try:
        html = MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # a student's text must not take the page away
        return f"<pre>{escape(source, quote=False)}</pre>"
    return clean_html(html).strip()


def mathjax_source(name: str) -> str:
    """Return one of MathJax's scripts, from the package that the book has it from, too."""
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent
    return (package / "static" / "mathjax" / name).read_text(encoding="utf-8")
