"""Feedback pages: each message is shown, hidden tests and a student's scripts are not."""

import re

import nh3
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme
from nbgrader.utils import is_grade, is_solution
from traitlets import Bool
from traitlets.config import Config

from grading.course import Course

INSTEAD = "# Hidden tests ran here; if one failed, its message stands below."


class HideTests(Preprocessor):
    """Take the hidden tests out of a graded notebook, and leave their messages in.

    The text between the markers becomes one comment. An error in a test cell is reduced to its
    name and message, since a traceback shows code. A warning shows the line that caused it: lines
    of hidden tests are taken out of all other output, too.
    """

    enabled = Bool(True, help="Whether nbconvert runs this step.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Hide the tests in each cell's source and outputs."""
        hidden: set[str] = set()
        # nbconvert hands this step settings for all steps; those two know only their own
        own = {name: self.config[name] for name in ("ClearHiddenTests", "ClearMarkScheme")}
        tests, rubric = ClearHiddenTests(config=Config(own)), ClearMarkScheme(config=Config(own))
        rubric_markers = (rubric.begin_mark_scheme_delimeter, rubric.end_mark_scheme_delimeter)
        for cell in nb.cells:
            lines, found = _split(cell.source, tests.begin_test_delimeter, tests.end_test_delimeter)
            hidden.update(found)
            kept = [line for line in lines if not any(m in line for m in rubric_markers)]
            cell.source = "\n".join(kept)
        for cell in nb.cells:
            if cell.cell_type == "code":
                is_test = is_grade(cell) and not is_solution(cell)
                cell.outputs = [_hide(output, hidden, is_test) for output in cell.outputs]
        return nb, resources


def _split(source: str, begin: str, end: str) -> tuple[list[str], set[str]]:
    """The lines to show, and the hidden ones that are long enough to be recognized."""
    shown, hidden, inside = [], set(), False
    for line in source.split("\n"):
        if begin in line:
            inside = True
            hidden |= {begin, end}
            shown.append(line[: len(line) - len(line.lstrip())] + INSTEAD)
        elif end in line:
            inside = False
        elif not inside:
            shown.append(line)
        elif len(line.strip()) > 8:
            hidden.add(line.strip())
    return shown, hidden


def _hide(output: NotebookNode, hidden: set[str], is_test: bool) -> NotebookNode:
    def reveals(text: str) -> bool:
        plain = strip_ansi(text)
        return any(line in plain for line in hidden)

    def without(text: str) -> str:
        return "\n".join(line for line in text.split("\n") if not reveals(line))

    if output.output_type == "error":
        output.evalue = without(output.evalue)
        if is_test or reveals("\n".join(output.traceback)):
            output.traceback = [f"{output.ename}: {output.evalue}".rstrip(": ")]
    elif output.output_type == "stream":
        output.text = without(output.text)
    else:
        for kind, content in output.data.items():
            if isinstance(content, str) and not kind.startswith("image/"):
                output.data[kind] = without(content)
    return output


# On nbgrader's page wide figures run out of their frame, a message is one long line that is cut off
# at the edge, and hints look like text.
STYLE = """
img { max-width: 100%; }
.output_error pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; }
.output_error pre { border-left: 0.3em solid #b3261e; }
summary { display: list-item; cursor: pointer; }
"""


class HighlightAnswers(Highlight2HTML):
    """Color for what the student wrote; all other code stays plain.

    On a page with all code colored, nine of ten tags are colors. It is twice as long, and takes
    three times as long to make.
    """

    def __call__(self, source, language=None, metadata=None):
        """Return the source as HTML."""
        given = (metadata or {}).get("nbgrader", {}).get("locked")
        return super().__call__(source, "text" if given else language, metadata)


class FeedbackExporter(HTMLExporter):
    """nbgrader's feedback page with its body cleaned: no script that a student wrote runs."""

    def from_notebook_node(self, nb, resources=None, **kw):
        """Convert, then keep only known tags and attributes of the body."""
        self.filters = {**self.filters, "highlight_code": HighlightAnswers(parent=self)}
        html, resources = super().from_notebook_node(nb, resources, **kw)
        # The first <body> is the template's: nothing of the student stands before it.
        head, _, body = html.partition("<body>")
        head = head.replace("</head>", f"<style>{STYLE}</style></head>")
        body = re.sub(r"</?(?:body|html)\b[^<>]*>", "", body)
        return f"{head}<body>\n{clean_html(body)}\n</body>\n</html>\n", resources


_ATTRIBUTES = {"alt", "class", "colspan", "height", "href", "id", "name", "rowspan", "src", "title"}
_ATTRIBUTES |= {"open", "start", "width"}
_TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div"),
    *("dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd"),
    *("li", "main", "mark", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "summary"),
    *("sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
}


def clean_html(html: str) -> str:
    """Take out all HTML that is not plain text, figures, tables or links.

    >>> clean_html('<p onclick="f()">Hi</p><script>f()</script><a href="javascript:f()">x</a>')
    '<p>Hi</p><a rel="noopener noreferrer">x</a>'
    """
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"*": _ATTRIBUTES},
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


def write_feedback(course: Course, assignment: str, student: str) -> bool:
    """Make one student's feedback page, unless it tells of the same grades and comments already.

    Returns:
        Whether it was made.

    Raises:
        CourseError: if nbgrader fails.
    """
    stamp = f"feedback-{assignment}-{student}"
    key = course.key(course.folder("autograded", assignment, student))
    with course.gradebook() as gradebook:
        books = gradebook.find_submission(assignment, student).notebooks
        grades = [(grade.name, grade.score) for book in books for grade in book.grades]
        comments = [(note.name, note.comment) for book in books for note in book.comments]
    now = {"key": key, "grades": repr(sorted(grades)), "comments": repr(sorted(comments))}
    folder = course.folder("feedback", assignment, student)
    if folder.is_dir() and course.read_stamp(stamp) == now:
        return False
    course.run(GenerateFeedback, assignment, student)
    course.write_stamp(stamp, **now)
    return True
