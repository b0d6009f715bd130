"""Formgrader in a real JupyterLab, on a course that `grading` graded, without a network."""

import csv
import re
import secrets

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_output
from nbgrader.plugins import CsvExportPlugin
from playwright.sync_api import expect

from grading.course import Course
from grading.grade import grade
from grading.release import release
from tests.browser import visit
from tests.jupyterlab import jupyterlab
from tests.toy_course import TEST_DOUBLE, WRONG_DOUBLE, Submission, hand_in, make_course

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]

TOKEN = secrets.token_hex(16)
MATHEMATICS = "The area is $x^2$, and $a<b$.\n\n$$\\frac{1}{2}$$"
COMMENT = "Right, but why $x$? <b>Say</b> more."
STRICTER = TEST_DOUBLE.replace("### BEGIN", "assert double(5) == 10, 'five'\n### BEGIN")
WAIT = 180_000  # ms: the first submission imports torch, and the machine may be busy


@pytest.fixture(scope="module", autouse=True)
def _patience():
    expect.set_options(timeout=WAIT)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A class with one student for each test, graded as far as a program can."""
    course = Course(make_course(tmp_path_factory.mktemp("course")))
    release(course, "toy")
    hand_in(course.root, "ada", answer(course, explain=MATHEMATICS))
    hand_in(course.root, "ben", answer(course, double=WRONG_DOUBLE))
    hand_in(course.root, "cyd", answer(course, double=WRONG_DOUBLE))
    hand_in(course.root, "eve", hostile_answer(course))
    grade(course, "toy")
    return course


def answer(course, **cells):
    """A right submission with other texts in some of its cells."""
    path = course.folder("release", "toy") / "toy.ipynb"
    submission = Submission(nbformat.read(path, as_version=4))
    for name, source in cells.items():
        submission.answer(name, source)
    return submission.nb


ATTACK = "<img src=x onerror='window.attacked=1'><script>window.attacked=1</script>"
OUTPUTS = [
    new_output("display_data", {"text/html": f"<p>shown</p>{ATTACK}"}),
    new_output("display_data", {"text/markdown": ATTACK}),
    new_output("display_data", {"application/javascript": "window.attacked=1"}),
    new_output("display_data", {"image/svg+xml": f"<svg>{ATTACK}</svg>"}),
]
WRITTEN = f"""\
Here {ATTACK} [it](javascript:window.attacked=1) is: <b>bold</b> ![mine](attachment:mine.png)
$\\href{{javascript:window.attacked=1}}{{x}}$ <img src="https://example.org/pixel.png">"""
LOST = "A picture that was not handed in: ![lost](attachment:lost.png)"


def hostile_answer(course):
    """A right submission whose texts carry scripts."""
    submission = Submission(answer(course)).answer("explain", WRITTEN)
    submission.cell("explain").attachments = {"mine.png": {"image/png": "iVBORw0KGgo="}}
    return submission.insert("halve", new_markdown_cell(LOST)).nb


def hand_in_again(course, student, notebook):
    nbformat.write(notebook, course.folder("submitted", "toy", student) / "toy.ipynb")


@pytest.fixture(scope="module")
def lab(course, tmp_path_factory):
    with jupyterlab(course.root, tmp_path_factory.mktemp("home"), TOKEN) as address:
        yield address


@pytest.fixture
def window(lab, browser):
    """A window of someone who has the token; whatever happens, it asks this machine alone."""
    with visit(browser, lab, viewport={"width": 1400, "height": 900}) as there:
        there.page.set_default_timeout(WAIT)
        there.page.goto(f"{lab}/api/status?token={TOKEN}")
        yield there
        assert not there.outside


def open_answer(there, course, student):
    """The page on which one student's answers are graded by hand."""
    with course.gradebook() as gradebook:
        number = gradebook.find_submission_notebook("toy", "toy", student).id
    there.page.goto(f"{there.address}/formgrader/submissions/{number}/")
    for part in ("MathJax", "formgrader", "formgrader.grades", "formgrader.comments"):
        there.page.wait_for_function(f"{part}.loaded")
    return there.page


def saved(page, kind):
    part = f"/formgrader/api/{kind}/"
    return page.expect_response(lambda r: part in r.url and r.request.method == "PUT")


def grade_by_hand(page, points, comment):
    """Click on the field for points, and type; from then on the Tab key is enough."""
    page.locator("input#explain").click()
    page.keyboard.type(points)
    with saved(page, "grade") as grades:
        page.keyboard.press("Tab")
    expect(page.locator("input#explain_extra_credit")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#explain-comment")).to_be_focused()
    page.keyboard.type(comment)
    with saved(page, "comment") as comments:
        page.keyboard.press("Tab")
    assert (grades.value.status, comments.value.status) == (200, 200)


def by_hand(course, student):
    """What the gradebook holds for the written answer: points, comment, whether to look again."""
    with course.gradebook() as gradebook:
        found = gradebook.find_grade("explain", "toy", "toy", student)
        comment = gradebook.find_comment("explain", "toy", "toy", student).comment
        return found.manual_score, comment, found.needs_manual_grade


def exported(course):
    """The scores as ``nbgrader export`` writes them."""
    table = course.root / "grades.csv"
    plugin = CsvExportPlugin(parent=course.api)
    plugin.to = str(table)
    with course.gradebook() as gradebook:
        plugin.export(gradebook)
    with table.open(encoding="utf-8") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


def test_an_answer_is_graded_by_hand_from_the_menu_on(course, window):
    page, formgrader = window.page, f"{window.address}/formgrader"
    page.goto(f"{window.address}/lab")
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menuitem", name="Formgrader", exact=True).click()
    inside = page.frame_locator("iframe[src*=formgrader]")
    inside.get_by_role("link", name="Manual Grading").click()
    inside.get_by_role("link", name="toy").click()
    row = inside.get_by_role("row").filter(has=inside.get_by_role("link", name="toy"))
    expect(row.locator(".needs-manual-grade .glyphicon-ok")).to_be_visible()
    row.get_by_role("link", name="toy").click()
    expect(inside.get_by_role("link", name=re.compile("Submission #"))).to_have_count(4)

    assert exported(course)["ada"] == 5
    open_answer(window, course, "ada")
    panel = page.locator(".nbgrader_cell", has=page.locator("#explain"))
    expect(panel.locator("mjx-container svg")).to_have_count(3)
    expect(panel).not_to_contain_text("$")
    expect(page.get_by_text("Rubric: 5 points for wholes.")).to_be_visible()
    grade_by_hand(page, "4.5", COMMENT)
    assert by_hand(course, "ada") == (4.5, COMMENT, False)
    assert exported(course)["ada"] == 9.5

    ada = page.get_by_role("row").filter(has_text="ada")
    page.goto(f"{formgrader}/manage_students")
    expect(ada.locator(".score")).to_have_text("9.5 / 10")
    page.goto(f"{formgrader}/manage_submissions/toy")
    expect(ada.locator(".status")).to_have_text("graded")
    expect(ada.locator(".score")).to_have_text("9.5 / 10")
    page.goto(f"{formgrader}/gradebook/toy/toy")
    page.get_by_role("button", name="Show All Names").click()
    expect(ada.locator(".written-score")).to_have_text("4.5 / 5")


def test_what_was_given_by_hand_outlives_regrading(course, window):
    page = open_answer(window, course, "ben")
    grade_by_hand(page, "3", COMMENT)
    assert exported(course)["ben"] == 6

    hand_in_again(course, "ben", answer(course, explain="Four quarters make one, too."))
    ben = next(result for result in grade(course, "toy") if result.student == "ben")
    assert by_hand(course, "ben") == (3, COMMENT, True)
    assert (ben.needs_manual, ben.score, exported(course)["ben"]) == (True, 8, 8)
    open_answer(window, course, "ben")
    expect(page.get_by_text("Four quarters make one, too.")).to_be_visible()
    expect(page.locator("input#explain")).to_have_value("3")
    expect(page.locator("input#explain")).to_have_class(re.compile("needs_manual_grade"))
    expect(page.locator("#explain-comment")).to_have_value(COMMENT)
    with saved(page, "grade"):
        page.get_by_role("button", name="Resolve").locator("visible=true").click()
    assert by_hand(course, "ben") == (3, COMMENT, False)

    path = course.folder("source", "toy") / "toy.ipynb"
    source = nbformat.read(path, as_version=4)
    next(cell for cell in source.cells if cell.source == TEST_DOUBLE).source = STRICTER
    nbformat.write(source, path)
    release(course, "toy")
    grade(course, "toy")
    assert by_hand(course, "ben") == (3, COMMENT, True)
    assert exported(course)["ben"] == 8
    open_answer(window, course, "ben")
    expect(page.get_by_text("assert double(5) == 10")).to_be_visible()
    expect(page.locator("input#explain")).to_have_value("3")


def test_the_buttons_for_autograding_and_feedback(course, window):
    hand_in_again(course, "cyd", answer(course))
    page = window.page
    page.goto(f"{window.address}/formgrader/manage_submissions/toy")
    row = page.get_by_role("row").filter(has_text="cyd")
    expect(row.locator(".score")).to_have_text("3 / 10")
    row.locator(".autograde a").click()
    expect(page.locator(".modal-body")).to_contain_text("Successfully autograded 'toy'")
    expect(row.locator(".score")).to_have_text("5 / 10")
    page.locator(".modal-footer button").click()

    row.locator(".generate-feedback a").click()
    expect(page.locator(".modal-body")).to_contain_text("Successfully generated feedback")
    html = (course.folder("feedback", "toy", "cyd") / "toy.html").read_text(encoding="utf-8")
    assert "Score so far: 5.0 / 10.0" in html
    assert "hidden_input" not in html
    assert "formgrader/static" not in html


def test_nothing_that_a_student_scripted_runs(course, window):
    """The page is open in the instructor's browser, which may run anything on the server."""
    path = course.folder("autograded", "toy", "eve") / "toy.ipynb"
    graded = nbformat.read(path, as_version=4)
    next(cell for cell in graded.cells if "def halve" in cell.source).outputs = OUTPUTS
    path.unlink()  # it is read-only
    nbformat.write(graded, path)

    page = open_answer(window, course, "eve")
    panel = page.locator(".nbgrader_cell", has=page.locator("#explain"))
    expect(panel.locator("b")).to_have_text("bold")
    expect(panel.get_by_alt_text("mine")).to_have_attribute("src", re.compile("^data:image/png"))
    expect(page.locator(".output_html p", has_text="shown")).to_be_visible()
    expect(page.get_by_text("![lost](attachment:lost.png)")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.attacked") is None
    assert page.locator("[href*='javascript:'], [onerror]").count() == 0
