"""Feedback pages as students open them: from the disk, without a network, on any screen."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell

from grading.course import Course
from grading.feedback import write_feedback
from grading.grade import grade
from grading.release import release
from tests.axe import problems
from tests.browser import visit
from tests.toy_course import WRONG_DOUBLE, Submission, hand_in, make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

LONG = "+".join(f"x_{{{number}}}" for number in range(60))
WRITTEN = f"""\
## Why

For $x<y$ it holds that

$$\\frac{{1}}{{2}} = {LONG}$$

and \\\\(z^2\\\\) is <img src="https://example.org/pixel.png"> right.
<script>window.attacked=1</script>"""
OUTPUTS = """\
from IPython.display import HTML, Latex, display
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()
row = "<td>1</td>" * 80
display(HTML(f"<table><tr><th>a</th>{row}</tr></table>"), Latex("$E = m c^2$"))
print("a line of output " * 20)"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The feedback of a small class: student → page."""
    course = Course(make_course(tmp_path_factory.mktemp("course")))
    release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)
    wrong = Submission(released).answer("double", WRONG_DOUBLE).answer("explain", WRITTEN)
    hand_in(course.root, "wrong", wrong.insert("double", new_code_cell(OUTPUTS)).nb)
    hand_in(course.root, "died", Submission(released).answer("halve", "import os; os._exit(1)").nb)
    hand_in(course.root, "empty", b"")
    grade(course, "toy", progress=False)
    with course.gradebook() as gradebook:
        gradebook.find_comment("double", "toy", "toy", "wrong").manual_comment = "Look at $-3$."
        gradebook.db.commit()
    students = course.students("toy")
    assert sum(write_feedback(course, "toy", student) for student in students) == 3
    return {name: course.folder("feedback", "toy", name) / "toy.html" for name in students}


@pytest.fixture(scope="module")
def opened(pages, browser):
    """A window that keeps record of each request."""
    with visit(browser, pages["wrong"].parent.as_uri()) as there:
        yield there


def soup_of(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def rows_of(path):
    """The table of scores: cell → score and message."""
    rows = soup_of(path).select(".scores tbody tr")
    return {row.th.text: [cell.text.strip() for cell in row("td")] for row in rows}


def test_what_was_scored_comes_first(pages):
    assert rows_of(pages["wrong"]) == {
        "test_double": ["0.0 / 2.0", "the sign is lost: did you take the absolute value?"],
        "test_halve": ["3.0 / 3.0", ""],
        "explain": ["0.0 / 5.0", "not read yet"],
    }
    assert "Score so far: 3.0 / 10.0" in soup_of(pages["wrong"]).text


def test_a_written_answer_that_waits_has_no_points_yet(pages):
    heads = {head["id"]: head.span for head in soup_of(pages["wrong"]).select(".head")}
    assert heads["explain"].text == "not read yet"
    assert heads["test_halve"].text == "Score: 3.0 / 3.0"


def test_a_written_answer_stands_inside_its_frame(pages):
    frame = soup_of(pages["wrong"]).select_one(".head#explain + .words")
    assert frame.h3.text == "Why"
    assert frame.find("math")


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("died", "crashed: the kernel died in the cell halve"),
        ("empty", "refused: the file is empty"),
    ],
)
def test_an_unusual_ending_is_said(pages, student, words):
    assert soup_of(pages[student]).select_one(".note").text == words


def test_a_comment_is_shown_with_its_formula(pages):
    comment = soup_of(pages["wrong"]).select_one(".comment")
    assert "Look at" in comment.text
    assert comment.find("math")


def test_links_lead_to_the_cells(pages):
    soup = soup_of(pages["wrong"])
    names = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(names) == len(set(names))
    links = [link["href"] for link in soup.select(".scores a")]
    assert links == ["#test_double", "#test_halve", "#explain"]
    assert all(soup.find(id=link[1:]) for link in links)


def test_a_screen_reader_knows_language_title_and_headings(pages):
    soup = soup_of(pages["wrong"])
    assert soup.html["lang"] == "en"
    assert soup.title.text == "toy: feedback"
    headings = [(tag.name, tag.text) for tag in soup(re.compile(r"h\d"))]
    assert headings == [("h1", "toy: feedback"), ("h2", "Toy"), ("h3", "Why")]
    assert all(image.get("alt") for image in soup("img", src=True))
    assert [cell["scope"] for cell in soup.select(".scores thead th")] == ["col"] * 3


def test_the_page_is_small_and_says_what_it_may_load(pages):
    for path in pages.values():
        assert path.stat().st_size < 60_000
        policy = soup_of(path).find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
        assert policy.startswith("default-src 'none';")
        assert "script" not in policy
        assert not soup_of(path)("script")
    assert {path.name for path in pages["wrong"].parent.iterdir()} == {"toy.html"}


@pytest.mark.browser
def test_mathematics_shows_and_nobody_is_asked(opened):
    page = opened.open("toy")
    assert page.evaluate("window.attacked") is None
    formulas = page.locator("math").all()
    assert len(formulas) == 5
    assert all(formula.bounding_box()["width"] > 5 for formula in formulas)
    fraction = page.locator("mfrac").bounding_box()
    assert fraction["height"] > 1.5 * page.locator("mfrac mn").first.bounding_box()["height"]
    assert page.evaluate(
        "[...document.querySelectorAll('img[src]')].every(image => image.naturalWidth > 0)"
    )
    assert opened.outside == []
    assert opened.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1200), ("dark", 1200), ("light", 360), ("dark", 360)]
)
def test_the_page_is_accessible(opened, theme, width):
    page = opened.open("toy")
    assert problems(page, theme, width) == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")
    assert (sum(map(int, ground)) < 150) == (theme == "dark")
