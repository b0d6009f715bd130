"""Every kind of submission, from right to unreadable: points, status, message, feedback."""

import html
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from grading.course import Course
from grading.feedback import write_feedback
from grading.grade import grade
from grading.release import release
from grading.report import table
from tests.bombs import STUBBORN
from tests.toy_course import (
    RIGHT_DOUBLE,
    WRONG_DOUBLE,
    Submission,
    hand_in,
    make_course,
    released_source,
)

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


def submissions(released):
    """Each kind of submission: student → notebook or bytes."""

    def new():
        return Submission(released)

    made = {"right": new(), "untouched": nbformat.from_dict(released)}
    made["wrong"] = new().answer("double", WRONG_DOUBLE)
    made["warns"] = new().answer(
        "halve",
        "import warnings\ndef halve(x):\n    warnings.warn('slow', stacklevel=2)\n    return x / 2",
    )
    made["skip_tag"] = new().answer("double", WRONG_DOUBLE)
    made["skip_tag"].cell("test_double").metadata["tags"] = ["skip-execution"]
    made["copied"] = new().answer("double", "attempt = 1")
    made["copied"].twins("double", WRONG_DOUBLE, RIGHT_DOUBLE, released_source(released, "double"))
    made["split"] = new().answer("double", "def helper(x):\n    return x + x")
    made["split"].twins("double", "def double(x):\n    return helper(x)")
    made["no_test"] = new().answer("double", WRONG_DOUBLE).delete("test_double")
    made["no_solution"] = new().delete("double").delete("explain")
    made["moved"] = new()
    made["moved"].nb.cells.reverse()
    made["retyped"] = new()
    as_markdown = made["retyped"].cell("double")
    as_markdown.cell_type = "markdown"
    del as_markdown["outputs"], as_markdown["execution_count"]
    made["more_points"] = new().answer("double", WRONG_DOUBLE)
    made["more_points"].cell("test_double").metadata.nbgrader.points = 0
    made["more_points"].cell("test_halve").metadata.nbgrader.points = 100
    made["edited_test"] = new().answer("double", WRONG_DOUBLE).answer("test_double", "pass")
    made["no_metadata"] = new()
    for cell in made["no_metadata"].nb.cells:
        cell.metadata = {}
        del cell["id"]
    made["no_metadata"].nb.nbformat_minor = 4
    made["other_kernel"] = new()
    made["other_kernel"].nb.metadata = {"kernelspec": {"name": "julia", "display_name": "J"}}
    made["added_cells"] = new().answer("double", "def double(x):\n    return twice(x)")
    made["added_cells"].insert(
        "double", new_code_cell("def twice(x):\n    return x + x"), new_markdown_cell("Mine.")
    )
    made["edited_setup"] = new().answer("halve", "def halve(x):\n    return math.ldexp(x, -1)")
    made["edited_setup"].nb.cells[1].source = "import math\nFACTOR = 2"
    made["syntax_error"] = new().answer("double", "def double(x)\n    return 2 * x")
    made["os_exit"] = new().answer("halve", "import os\nos._exit(0)")
    made["quits"] = new().answer("halve", "exit()")
    for name in ("exit()", "quit", "get_ipython().exit_now = True\nimport time; time.sleep(0.3)"):
        made[f"leaves_{len(made)}"] = new().insert("double", new_code_cell(name))
    made["endless"] = new().answer("double", "while True:\n    pass")
    made["stubborn"] = new().answer("halve", STUBBORN)
    made["format_3"] = format_3(new().nb)
    made["scripts"] = new().answer("explain", "$a < b$ **bold** <script>alert('words')</script>")
    made["scripts"].insert("double", *script_cells())
    made["empty_file"] = b""
    made["cut_off"] = nbformat.writes(new().nb).encode()[:900]
    made["not_utf8"] = b"\xff\xfe\x00{}"
    made["a_list"] = b"[]"
    made["no_notebook"] = b'{"answer": 42}'
    made["no_cells"] = nbformat.v4.new_notebook()
    made["odd_cells"] = new()
    made["odd_cells"].nb.cells[0] = {"cell_type": "code", "source": 3}
    made["odd_cells"].nb.cells.insert(0, {"cell_type": "magic", "metadata": 3, "source": "x"})
    return {name: made.nb if isinstance(made, Submission) else made for name, made in made.items()}


def format_3(nb):
    """The notebook as IPython wrote it until 2014."""
    old = nbformat.convert(nb, 3)
    assert "worksheets" in old
    return old


def script_cells():
    """Outputs and text that try to run a script in the reader's browser."""
    shown = [
        "from IPython.display import HTML, Javascript, Markdown, display",
        "display(HTML('<script>alert(1)</script><img src=x onerror=\"alert(2)\">'))",
        "display(HTML('<a href=\"java&#115;cript:alert(3)\">x</a>'))",
        "display(HTML('</body><script>alert(4)</script>'))",
        "display(Javascript('alert(5)'), Markdown('<iframe src=\"//example.org\"></iframe>'))",
        "wide = {'image/png': {'width': '1 onload=f()'}}",
        "display({'image/png': 'AAAA'}, raw=True, metadata=wide)",
        "page = {'text/html': '<script>alert(6)</script>'}",
        "display(page, raw=True, metadata={'text/html': {'isolated': True}})",
    ]
    return new_code_cell("\n".join(shown)), new_markdown_cell("<svg onload='alert(7)'></svg>")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The tiny course with its assignment released."""
    root = make_course(
        tmp_path_factory.mktemp("course"),
        "c.ExecuteSubmission.timeout = 5\nc.ExecuteSubmission.iopub_timeout = 4",
    )
    course = Course(root)
    assert release(course, "toy")
    return course


@pytest.fixture(scope="module")
def released(course):
    return nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)


@pytest.fixture(scope="module")
def results(course, released):
    """Every kind of submission, graded in one go: student → result."""
    for student, content in submissions(released).items():
        hand_in(course.root, student, content)
    (course.root / "submitted" / "renamed" / "toy").mkdir(parents=True)
    (course.root / "submitted" / "renamed" / "toy" / "toy (1).ipynb").write_text("{}")
    return {result.student: result for result in grade(course, "toy", progress=False)}


def graded_notebook(course, student):
    path = course.folder("autograded", "toy", student) / "toy.ipynb"
    return nbformat.read(path, as_version=4)


def feedback_page(course, student):
    write_feedback(course, "toy", student)
    page = course.folder("feedback", "toy", student) / "toy.html"
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("student", "double", "halve", "status"),
    [
        ("right", 2, 3, "graded"),
        ("untouched", 0, 0, "graded"),
        ("wrong", 0, 3, "graded"),
        ("warns", 2, 3, "graded"),
        ("skip_tag", 0, 3, "graded"),
        ("copied", 2, 3, "graded"),
        ("split", 2, 3, "graded"),
        ("no_test", 0, 3, "graded"),
        ("no_solution", 0, 3, "graded"),
        ("moved", 2, 3, "graded"),
        ("retyped", 2, 3, "graded"),
        ("more_points", 0, 3, "graded"),
        ("edited_test", 0, 3, "graded"),
        ("no_metadata", 2, 3, "graded"),
        ("other_kernel", 2, 3, "graded"),
        ("added_cells", 2, 3, "graded"),
        ("edited_setup", 2, 3, "graded"),
        ("syntax_error", 0, 3, "graded"),
        ("os_exit", 2, 0, "crashed"),
        ("quits", 2, 0, "graded"),
        ("endless", 0, 3, "timed out"),
        ("stubborn", 2, 0, "timed out"),
        ("format_3", 2, 3, "graded"),
        ("scripts", 2, 3, "graded"),
        ("odd_cells", 2, 3, "graded"),
        ("empty_file", 0, 0, "refused"),
        ("cut_off", 0, 0, "refused"),
        ("not_utf8", 0, 0, "refused"),
        ("a_list", 0, 0, "refused"),
        ("no_notebook", 0, 0, "refused"),
        ("no_cells", 0, 0, "refused"),
    ],
)
def test_points_and_status(results, student, double, halve, status):
    result = results[student]
    assert result.status == status, result.reason
    assert result.points == {"test_double": double, "test_halve": halve}, result.messages
    assert result.score == double + halve
    assert result.max_score == 10


def test_leaving_in_a_cell_of_ones_own_costs_nothing(results):
    left = [result for student, result in results.items() if student.startswith("leaves_")]
    assert [result.status for result in left] == ["graded"] * 3
    assert [result.score for result in left] == [5] * 3


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("empty_file", "empty"),
        ("cut_off", "not JSON"),
        ("not_utf8", "UTF-8"),
        ("a_list", "not a notebook"),
        ("no_notebook", "not a notebook"),
        ("no_cells", "no cells"),
        ("os_exit", "the kernel died in the cell halve"),
        ("stubborn", "halve was still running after 5 s and did not let itself stop"),
        ("endless", "double was still running after 5 s"),
        ("renamed", "there is no toy.ipynb, but toy (1).ipynb"),
    ],
)
def test_reason(results, student, words):
    assert words in results[student].reason


def test_message_names_the_misconception(results):
    assert results["wrong"].messages == {
        "test_double": "the sign is lost: did you take the absolute value?"
    }
    assert results["untouched"].messages["test_double"] == "not answered"
    assert results["syntax_error"].messages["double"].startswith("SyntaxError: ")
    assert "did not run: the kernel died" in results["os_exit"].messages["test_halve"]


def test_a_written_answer_waits_for_a_person(results):
    waiting = {student for student, result in results.items() if result.needs_manual}
    for student in ("right", "wrong", "os_exit", "endless"):
        assert student in waiting
    for student in ("untouched", "no_solution", "empty_file", "cut_off", "no_cells"):
        assert student not in waiting


def test_what_was_submitted_is_not_changed(course, released, results):
    for student, content in submissions(released).items():
        path = course.folder("submitted", "toy", student) / "toy.ipynb"
        if isinstance(content, bytes):
            assert path.read_bytes() == content


def test_the_graded_notebook_says_what_was_mended(course, results):
    def text(student):
        return "\n".join(cell.source for cell in graded_notebook(course, student).cells)

    assert "`double` was missing from the submission" in text("no_solution")
    assert "`double` was in the submission 4 times; 3 of them differ" in text("copied")
    assert "could not be read: the file is empty" in text("empty_file")
    assert "the sign is lost" in text("no_test")


def test_added_cells_keep_their_place(course, results):
    sources = [cell.source for cell in graded_notebook(course, "added_cells").cells]
    place = sources.index("def double(x):\n    return twice(x)")
    assert sources[place + 1 : place + 3] == ["def twice(x):\n    return x + x", "Mine."]
    assert sources[place + 3].startswith("assert double(1)")


def test_table_fits_the_width(results):
    text = table(list(results.values()), width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert re.search(r"^wrong +3/10 +needs manual grading +test_double: the sign is", text, re.M)
    assert re.search(r"^os_exit +2/10 +crashed, needs manual grading +the kernel died", text, re.M)
    assert "did not run" not in text


def visible_text(course, student):
    body = feedback_page(course, student).partition("<body>")[2]
    return html.unescape(re.sub(r"<[^>]+>", "", body))


def test_feedback_shows_the_message_and_hides_the_test(course, results):
    visible = visible_text(course, "wrong")
    assert "the sign is lost: did you take the absolute value?" in visible
    assert "Rubric: 5 points for wholes." in visible
    assert "def double(x):" in visible
    for secret in ("double(-3)", "hidden_input", "Traceback", "HIDDEN", "MARK SCHEME"):
        assert secret not in visible


@pytest.mark.parametrize("student", ["untouched", "warns", "syntax_error", "os_exit", "endless"])
def test_no_feedback_shows_a_hidden_line(course, results, student):
    visible = visible_text(course, student)
    for secret in ("double(-3)", "hidden_input", 'did you divide with //?"'):
        assert secret not in visible


def test_a_warning_is_shown_without_the_hidden_line_that_it_quotes(course, results):
    outputs = "".join(str(cell.get("outputs")) for cell in graded_notebook(course, "warns").cells)
    assert "got = halve(hidden_input)" in outputs
    assert "UserWarning: slow" in visible_text(course, "warns")


def test_only_the_answers_are_in_color(course, results):
    body = feedback_page(course, "wrong").partition("<body>")[2]
    assert re.search(r'<span class="k">def</span>.*double', body)
    assert '<span class="k">assert</span>' not in body
    assert "assert double(1)" in body


def test_a_refused_submission_gets_feedback(course, results):
    assert "could not be read: the file is empty" in feedback_page(course, "empty_file")


def test_no_script_of_a_student_is_left(course, results):
    page = feedback_page(course, "scripts")
    body = page.partition("<body>")[2]
    assert "<strong>bold</strong>" in body
    assert "<mi>a</mi><mo>&lt;</mo><mi>b</mi>" in body
    tags = re.findall(r"<[a-zA-Z][^>]*>", body)
    for tag in tags:
        assert not re.match(r"<(script|iframe|svg|object|embed|style|link|meta|base|form)\b", tag)
        assert not re.search(r"\son\w+\s*=|javascript:", tag, re.I), tag
    assert "alert(1)" in body, "the student's text is shown, as text"
