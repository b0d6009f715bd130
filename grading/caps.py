"""Filters for what a student wrote; what would take them for ever they show plainly.

Formgrader converts a notebook while you wait, and without a limit on time.
"""

import re
from collections import Counter
from html import escape

from nbconvert.filters import Highlight2HTML, ansi2html, strip_ansi

DEEPEST = 1_000  # tags that are open at a time
MOST_COPIED = 10**9  # letters
LONGEST, LONGEST_LINE = 200_000, 1_000  # letters of code that is colored
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:[^<>]*(/>))?")
# empty, ended by the next one of the kind, or there once
NEED_NO_END = {"br", "col", "dd", "dt", "hr", "img", "input", "li", "option", "p", "td", "th", "tr"}
NEED_NO_END |= {"body", "head", "html"}
FOREIGN = {"circle", "ellipse", "line", "mspace", "path", "polygon", "polyline", "rect", "use"}


def shallow(html: str) -> str:
    """Return HTML as it is, or as it was typed if it is deeper than any page.

    The time to clean it grows with the square of the tags that stay open.

    >>> shallow("<ul><li>x</ul>")
    '<ul><li>x</ul>'
    >>> shallow("<ul><li>x" * 10_000)[:25]
    '<pre>&lt;ul&gt;&lt;li&gt;'
    """
    opened: Counter = Counter()
    for end, name, own_end in TAG.findall(html):
        name = name.lower()
        # <path/> ends itself, <div/> does not
        if name in NEED_NO_END or (own_end and name in FOREIGN) or (end and not opened[name]):
            continue
        opened[name] += -1 if end else 1
        opened[""] += -1 if end else 1
        if opened[""] > DEEPEST:
            return f"<pre>{escape(html, quote=False)}</pre>"
    return html


def colored(text: str) -> str:
    """Return printed text as HTML, without its colors if they change too often.

    nbconvert copies the rest of the text at each change.

    >>> colored("\x1b[1mx")
    '<span class="ansi-bold">x</span>'
    """
    return ansi2html(strip_ansi(text) if text.count("\x1b") * len(text) > MOST_COPIED else text)


class HighlightCode(Highlight2HTML):
    """Color for code; the time grows with the square of a line, so long ones stay plain."""

    def __call__(self, source, language=None, metadata=None):
        """Return the source as HTML."""
        longest = max(map(len, source.splitlines()), default=0)
        if len(source) > LONGEST or longest > LONGEST_LINE:
            language = "text"
        return super().__call__(source, language, metadata)
