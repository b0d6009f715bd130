"""What of HTML may stand on a page that people open: text, figures, tables, mathematics, links."""

import re

import nh3

from grading.caps import shallow

_ATTRIBUTES = {"alt", "class", "colspan", "height", "href", "id", "name", "rowspan", "src", "title"}
_ATTRIBUTES |= {"aria-labelledby", "open", "role", "scope", "start", "tabindex", "width"}
_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div"),
    *("dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd"),
    *("li", "main", "mark", "ol", "p", "pre", "s", "section", "small", "span", "strong", "sub"),
    *("summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
}
_MATHEMATICS = {
    *("math", "menclose", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mroot"),
    *("mrow", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext"),
    *("mtr", "munder", "munderover"),
}
_OF_MATHEMATICS = {
    *("accent", "columnalign", "columnspacing", "depth", "display", "displaystyle", "fence"),
    *("form", "linethickness", "lspace", "mathcolor", "mathvariant", "maxsize", "minsize"),
    *("movablelimits", "notation", "rowspacing", "rspace", "scriptlevel", "separator", "stretchy"),
}


def clean_html(html: str) -> str:
    """Take out all HTML that is not plain text, figures, tables, mathematics or links.

    HTML of a depth that no page has is shown as it was typed.

    >>> clean_html('<p onclick="f()">Hi</p><script>f()</script><a href="javascript:f()">x</a>')
    '<p>Hi</p><a rel="noopener noreferrer">x</a>'
    """
    return clean_page(shallow(html))


def clean_page(html: str) -> str:
    """Do what `clean_html` does, for HTML of which each part was seen to be shallow."""
    return nh3.clean(
        html,
        tags=_TAGS | _MATHEMATICS,
        attributes={"*": _ATTRIBUTES, **dict.fromkeys(_MATHEMATICS, _OF_MATHEMATICS)},
        attribute_filter=_harmless,
        url_schemes={"http", "https", "mailto", "data"},
    )


def _harmless(tag: str, name: str, value: str) -> str | None:
    """The value of an attribute that may stay; None for one that may not."""
    if name not in {"href", "src"}:
        return value
    # browsers ignore blanks and control characters inside an address
    address = re.sub(r"[\x00-\x20\x7f-\xa0\s]", "", value).lower()
    if name == "href":
        return value if tag == "a" and not address.startswith("data:") else None
    has_host = re.match(r"[/\\]{2}|[a-z][a-z0-9+.-]*:", address)
    is_elsewhere = has_host or address.startswith("/") or ".." in address
    is_figure = tag == "img" and (address.startswith("data:image/") or not is_elsewhere)
    return value if is_figure else None
