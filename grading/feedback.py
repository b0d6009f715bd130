"""Feedback pages: each message is shown, hidden tests and a student's scripts are not."""

import re
import shutil

from nbconvert.exporters import HTMLExporter
from nbconvert.filters import strip_ansi
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme
from nbgrader.utils import is_grade, is_solution, is_task
from traitlets import Bool
from traitlets.config import Config

from grading.caps import HighlightCode, colored, shallow
from grading.clean import clean_html, clean_page
from grading.course import Course
from grading.mathematics import markdown_with_mathml

STAGED = "pages"  # below the folder for stamps: pages that are being made
SHORT = """\
Your code, your texts and their outputs are not shown here: a page of them takes too long to make. \
The points and the messages are complete."""
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


class OnlyChecks(HideTests):
    """Leave of a graded notebook the tests, the error of each, and empty answers for the comments.

    Nothing of it takes long to convert, whatever the student wrote.
    """

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Hide the tests, take out what a student wrote, and say so."""
        for cell in nb.cells:
            if cell.cell_type == "code":
                errors = [output for output in cell.outputs if output.output_type == "error"]
                cell.outputs = errors[:1] if is_grade(cell) else []
        nb, resources = super().preprocess(nb, resources)
        nb.cells = [c for c in nb.cells if is_grade(c) or is_solution(c) or is_task(c)]
        for cell in nb.cells:
            cell.pop("attachments", None)
            if is_solution(cell) or is_task(cell):
                cell.source = ""
        resources["short"] = SHORT
        return nb, resources


class HighlightAnswers(HighlightCode):
    """Color for what the student wrote; all other code stays plain.

    On a page with all code colored, nine of ten tags are colors. It is twice as long, and takes
    three times as long to make.
    """

    def __call__(self, source, language=None, metadata=None):
        """Return the source as HTML."""
        given = (metadata or {}).get("nbgrader", {}).get("locked")
        return super().__call__(source, "text" if given else language, metadata)


class FeedbackExporter(HTMLExporter):
    """A page that needs nothing else, with its body cleaned: no script runs on it."""

    def from_notebook_node(self, nb, resources=None, **kw):
        """Convert, then keep only known tags and attributes of the body."""
        ours = {
            "highlight_code": HighlightAnswers(parent=self),
            "ansi2html": colored,
            "clean_html": clean_html,
            "markdown2html": markdown_with_mathml,
            "shallow": shallow,
        }
        self.filters = {**self.filters, **ours}
        resources["waiting"] = _waiting(resources["nbgrader"])
        html, resources = super().from_notebook_node(nb, resources, **kw)
        # The first <body> is the template's: nothing of the student stands before it.
        head, _, body = html.partition("<body>")
        body = re.sub(r"</?(?:body|html)\b[^<>]*>", "", body)
        return f"{head}<body>\n{clean_page(body)}\n</body>\n</html>\n", resources


def _waiting(found: dict) -> set[str]:
    """The cells that a person has to read yet."""
    with Gradebook(found["db_url"]) as gradebook:
        grades = gradebook.find_submission_notebook(
            found["notebook"], found["assignment"], found["student"]
        ).grades
        return {grade.name for grade in grades if grade.needs_manual_grade}


def write_feedback(course: Course, assignment: str, student: str) -> bool:
    """Make one student's page in this process, unless it is up to date.

    There is no limit on time and memory: it is for answers that can be trusted.

    Returns:
        Whether it was made.

    Raises:
        CourseError: if nbgrader fails.
    """
    now = basis(course, assignment, student)
    if made_of(course, assignment, student) == now:
        return False
    make_page(course, assignment, student)
    note_made(course, assignment, student, now)
    return True


def basis(course: Course, assignment: str, student: str) -> dict:
    """What a page is made of: the graded notebook, grades, comments, what is lost for lateness."""
    key = course.key(course.folder("autograded", assignment, student))
    with course.gradebook() as gradebook:
        books = gradebook.find_submission(assignment, student).notebooks
        grades = [(grade.name, grade.score) for book in books for grade in book.grades]
        comments = [(note.name, note.comment) for book in books for note in book.comments]
        late = sum(book.late_submission_penalty or 0 for book in books)
    told = {"grades": repr(sorted(grades)), "comments": repr(sorted(comments)), "late": late}
    return {"key": key, "short": "", **told}


def made_of(course: Course, assignment: str, student: str) -> dict | None:
    """What the page that is there was made of; None if there is none."""
    there = course.folder("feedback", assignment, student).is_dir()
    return course.read_stamp(f"feedback-{assignment}-{student}") or None if there else None


def note_made(course: Course, assignment: str, student: str, basis: dict) -> None:
    """Write down what a page was made of; ``short`` says why it does not show all."""
    course.write_stamp(f"feedback-{assignment}-{student}", **basis)


def make_page(course: Course, assignment: str, student: str, short: bool = False) -> None:
    """Make one student's page, at once in its place or not at all.

    Args:
        course: the course.
        assignment: the assignment.
        student: the student.
        short: whether to show points, messages and comments alone.

    Raises:
        CourseError: if nbgrader fails.
    """
    staged = course.work / STAGED
    steps = course.settings.GenerateFeedback.preprocessors
    course.run(
        *(GenerateFeedback, assignment, student),
        traits={"preprocessors": [OnlyChecks, *steps]} if short else {},
        feedback_directory=str(staged.relative_to(course.root)),
    )
    place = course.folder("feedback", assignment, student)
    if place.exists():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(staged / student / assignment, place)
