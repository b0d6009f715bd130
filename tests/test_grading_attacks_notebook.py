"""Attacks by the notebook handed in, and by what it shows: no point, no script, no secret."""

import html
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from grading.course import Course
from grading.feedback import clean_html, write_feedback
from grading.grade import grade
from grading.release import release
from tests.browser import serve, visit
from tests.toy_course import MAX, WRONG_DOUBLE, Submission, hand_in, make_course, nbgrader

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

NOTHING = {"test_double": 0, "test_halve": 0}
WRONG_HALVE = "def halve(x):\n    return x // FACTOR"
SECRETS = ("double(-3)", "hidden_input", "got == 2.5", "HIDDEN TESTS")
SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
# each begins a script, asks a server, or sends the reader away, where a page lets it
MARKUP = {
    "script": "<script>alert(1)</script>",
    "script_in_upper_case": "<SCRIPT SRC=//example.org/x.js></SCRIPT>",
    "half_a_script": "<script <b>>alert(1)//</script",
    "handler": "<img src=x onerror=alert(1)>",
    "body": "</div></body><body onload=alert(1)>",
    "many_bodies": "<body" * 20_000,
    "svg": SVG,
    "svg_use": "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'></use></svg>",
    "mathml": "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></table></math>",
    "iframe": "<iframe src='javascript:alert(1)'></iframe><iframe srcdoc='<script>f()</script>'>",
    "object": "<object data='//example.org/x'></object><embed src='//example.org/x'>",
    "link": "<a id='go' href='javascript:alert(1)'>x</a><a href=' java\nscript:alert(1)'>x</a>",
    "data_link": "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "refresh": "<meta http-equiv=refresh content='0;url=//example.org'>",
    "base": "<base href='//example.org/'>",
    "form": "<form action='//example.org'><input autofocus onfocus=alert(1)></form>",
    "style": "<style>@import '//example.org/x.css'; * {background: url(//example.org/x)}</style>",
    "style_attribute": "<p style='position:fixed;inset:0;background:url(//example.org/x)'>x</p>",
    "stylesheet": "<link rel=stylesheet href='//example.org/x.css'>",
    "picture": "<img src='//example.org/x.png'><img src='https://example.org/x.png'>",
    "picture_set": "<picture><source srcset='//example.org/x'><img srcset='//a.org'></picture>",
    "picture_elsewhere": "<img src='../../../../gradebook.db'><img src='/api/delete?all'>",
    "media": "<video src='//example.org/x' autoplay></video><audio src='//example.org/x'></audio>",
    "details": "<details open ontoggle=alert(1)>x</details>",
    "comment": "<!--><script>alert(1)</script>-->",
    "template": "<template><script>alert(1)</script></template>"
    "<noscript><p title='</noscript><script>alert(1)</script>'></noscript>",
    "xml": "<?xml-stylesheet href='//example.org/x.css'?><![CDATA[<script>alert(1)</script>]]>",
    "mathematics": r"$\href{javascript:alert(1)}{x}$ $\style{background:url(//example.org/x)}{x}$ "
    r"$\unicode{<img src=x onerror=alert(1)>}$ $\require{html}\class{x}{y}$",
    "markdown_link": "[x](javascript:alert(1)) ![x](//example.org/x.png) <javascript:alert(1)>",
    "reference": "[x]\n\n[x]: javascript:alert(1)",
    "clobber": "<img name=cookie><a id=MathJax href=x>x</a><div class='nbgrader_cell'>x</div>",
}
KINDS = ("text/html", "image/svg+xml", "application/javascript", "text/latex", "text/markdown")
SHOW = """\
from IPython.display import display
for kind in {kinds}:
    for text in {texts}:
        display({{kind: text, "text/plain": text}}, raw=True)
        display({{"image/png": text}}, raw=True, metadata={{"image/png": {{"width": text}}}})
raise ValueError({texts}[0])"""
FIGURE = """\
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()"""
LEAKS = """\
import inspect, sys, traceback
def halve(x):
    frame = sys._getframe(1)
    print(In[-1])
    print(get_ipython().kernel.get_parent("shell")["content"]["code"])
    traceback.print_stack()
    raise ValueError(In[-1])"""


def attacks(released):
    """Each attack: student → submission."""

    def new():
        return Submission(released).answer("double", WRONG_DOUBLE).answer("halve", WRONG_HALVE)

    made = {"wrong": new()}
    for name in (
        "forged_outputs",
        "forged_metadata",
        "kernelspec",
        "edited",
        "deleted",
        "retyped",
        "duplicated",
        "as_solution",
        "tagged",
        "grade_id_of_a_test",
        "script_magic",
        "leaks",
        "attachment",
        "outputs",
        "figure",
        "versions",
    ):
        made[name] = new()
    for name in ("test_double", "test_halve"):
        made["forged_outputs"].cell(name).outputs = [
            new_output("execute_result", {"text/plain": "99"}, execution_count=1),
            new_output("stream", text="all passed"),
        ]
        made["edited"].answer(name, "pass")
        made["deleted"].delete(name)
        made["duplicated"].twins(name, "pass", "1.0")
        made["tagged"].cell(name).metadata["tags"] = ["skip-execution", "raises-exception"]
        cell = made["as_solution"].cell(name)
        cell.metadata.nbgrader |= {"solution": True, "grade": False, "locked": False, "points": 0}
        cell.source = "pass"
        cell = made["retyped"].cell(name)
        cell.cell_type = "raw"
        del cell["outputs"], cell["execution_count"]
        cell = made["forged_metadata"].cell(name)
        cell.metadata.nbgrader |= {"points": 99, "locked": False, "schema_version": 1}
        cell.metadata |= {"grading": "given", "deletable": True, "editable": True}
        copy = new_code_cell("pass", metadata=nbgrader(name, solution=True))
        made["grade_id_of_a_test"].insert("double", copy)
    made["forged_metadata"].nb.metadata["grading"] = {"status": "graded", "reason": ""}
    made["forged_metadata"].nb.metadata["nbgrader"] = {"grade": True, "score": 99}
    made["forged_metadata"].cell("double").metadata["grading"] = "test"
    made["forged_metadata"].cell("halve").metadata.nbgrader.grade_id = "../../x"
    made["kernelspec"].nb.metadata = {
        "kernelspec": {"name": "bash", "display_name": "<script>alert(1)</script>", "argv": ["sh"]},
        "language_info": {"name": "bash", "pygments_lexer": "<script>alert(1)</script>"},
        "title": "</title><script>alert(1)</script>",
    }
    made["versions"].nb.metadata["orig_nbformat"] = 9
    made["versions"].nb.nbformat_minor = 99
    made["script_magic"].answer("double", "%%script bash\necho 'def double(x): return 2 * x'")
    made["script_magic"].answer("halve", "%%python\ndef halve(x): return x / 2")
    made["leaks"].answer("halve", LEAKS)
    made["attachment"].insert(
        "double",
        new_markdown_cell("![x](attachment:x.svg)", attachments={"x.svg": {"image/svg+xml": SVG}}),
    )
    explain = made["attachment"].cell("explain")
    explain.source, explain.attachments = (
        "![x](attachment:x.svg)",
        {"x.svg": {"image/svg+xml": SVG}},
    )
    made["outputs"].insert(
        "double", new_code_cell(SHOW.format(kinds=KINDS, texts=list(MARKUP.values())[:-1]))
    )
    made["figure"].insert("double", new_code_cell(FIGURE))
    made["markup"] = new()
    made["markup"].answer("explain", "\n\n".join(MARKUP.values()))
    made["markup"].insert("double", *map(new_markdown_cell, MARKUP.values()))
    return {name: submission.nb for name, submission in made.items()}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """All attacks, graded in one go, with their feedback."""
    course = Course(make_course(tmp_path_factory.mktemp("notebooks")))
    assert release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)
    for student, nb in attacks(released).items():
        hand_in(course.root, student, nb)
    course.found = {result.student: result for result in grade(course, "toy", progress=False)}
    return course


def page(course, student):
    write_feedback(course, "toy", student)
    path = course.folder("feedback", "toy", student) / "toy.html"
    return path.read_text(encoding="utf-8")


def shown(course, student):
    """The text of a feedback page."""
    body = page(course, student).partition("<body>")[2]
    return html.unescape(re.sub(r"<[^>]+>", "", body))


NAMES = ["wrong", "forged_outputs", "forged_metadata", "kernelspec", "edited", "deleted", "retyped"]
NAMES += ["duplicated", "as_solution", "tagged", "grade_id_of_a_test", "script_magic", "leaks"]
NAMES += ["attachment", "outputs", "markup", "figure", "versions"]


@pytest.mark.parametrize("student", NAMES)
def test_no_attack_earns_a_point(course, student):
    result = course.found[student]
    assert (result.status, result.points) == ("graded", NOTHING), result.reason


def test_a_right_answer_would_earn_all(course):
    assert MAX != NOTHING
    assert course.found["wrong"].messages["test_double"].startswith("the sign is lost")


@pytest.mark.parametrize("student", NAMES)
def test_feedback_shows_no_hidden_test(course, student):
    text = shown(course, student)
    assert [secret for secret in SECRETS if secret in text] == []


def test_a_figure_is_in_the_feedback(course):
    assert re.search(r'<img [^>]*src="data:image/png;base64,iVBOR', page(course, "figure"))


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in MARKUP.items()])
def test_what_is_left_of_markup_is_plain(text):
    for tag in re.findall(r"<[^>]*>", clean_html(text)):
        assert re.match(r"</?(a|b|p|div|img|details|math|mtext|table|tbody|tr|td)\b", tag), tag
        assert not re.search(r"\son|javascript:|style=|srcset|//|\.\./|/api", tag, re.I), tag


@pytest.mark.browser
@pytest.mark.parametrize("student", ["attachment", "kernelspec", "markup", "outputs"])
def test_a_browser_runs_no_script_and_asks_nobody(course, browser, student):
    page(course, student)
    dialogs = []
    with serve(course.root / "feedback") as address, visit(browser, address) as seen:
        seen.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        seen.page.goto(f"{address}/{student}/toy/toy.html")
        for link in seen.page.locator("a[href]").all():
            assert re.match(r"https?:|mailto:|#|x$", link.get_attribute("href"))
        seen.page.wait_for_timeout(300)
        assert seen.page.url == f"{address}/{student}/toy/toy.html"
    assert (dialogs, list(seen.outside)) == ([], [])
