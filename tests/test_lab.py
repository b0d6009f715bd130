"""A student's way in a real JupyterLab: open, solve, *Validate*, read what is wrong, mend it."""

import re
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import is_solution
from playwright.sync_api import expect

from grading.answers import Answer
from grading.course import Course
from grading.hand_in import write_submission
from grading.release import release
from tests.browser import visit
from tests.jupyterlab import jupyterlab
from tests.toy_course import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]

NAME, CELL = "signals", "weight_std"
WRONG = """\
def weight_std(weight, scheme):
    fan_out, fan_in = weight.shape
    return {"lecun": 1 / fan_in, "xavier": 2 / (fan_in + fan_out), "he": 2 / fan_in}[scheme]"""
TOLD = "that is the variance 1/fan_in; the standard deviation is its square root"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A student's folder: the released notebook with every answer but one filled in."""
    root = tmp_path_factory.mktemp("course")
    (root / "solutions").mkdir()
    (root / "solutions" / NAME).symlink_to(ROOT / "solutions" / NAME)
    (root / "nbgrader_config.py").write_bytes((ROOT / "nbgrader_config.py").read_bytes())
    course = Course(root)
    release(course, NAME)
    file = f"{NAME}.ipynb"
    source = nbformat.read(course.folder("source", NAME) / file, as_version=4)
    released = nbformat.read(course.folder("release", NAME) / file, as_version=4)
    stub = next(c.source for c in released.cells if is_solution(c) and grade_id(c) == CELL)
    answer = Answer(Path("right/student.md"), what="all but one", cells={CELL: ("code", stub)})
    student = tmp_path_factory.mktemp("student")
    (student / file).write_bytes(write_submission(answer, source, released))
    return student


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as address:
        yield address


def write_in(page, text):
    """Select the student's cell by its place, and replace its text by typing."""
    place = page.evaluate(
        """name => {
            const cells = [...jupyterapp.shell.currentWidget.content.model.cells];
            return cells.findIndex(c => c.getMetadata('nbgrader')?.grade_id === name);
        }""",
        CELL,
    )
    page.evaluate(
        "async n => { const notebook = jupyterapp.shell.currentWidget.content;"
        "notebook.activeCellIndex = n; await notebook.scrollToItem(n, 'center') }",
        place,
    )
    cell = page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)
    return cell


def validate(page):
    page.get_by_role("button", name="Validate").first.click()
    dialog = page.locator(".jp-Dialog-content")
    expect(dialog).to_contain_text(re.compile("Validation|Success|passes", re.I), timeout=120_000)
    text = dialog.inner_text()
    dialog.get_by_role("button").last.click()
    return text


def test_a_student_solves_validates_reads_and_mends(lab, folder, browser):
    with visit(browser, lab, viewport={"width": 1400, "height": 900}) as there:
        page = there.page
        page.goto(f"{lab}/lab/tree/{NAME}.ipynb")
        expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("heading", name="Signals that survive depth")).to_be_visible()
        ready = "jupyterapp.shell.currentWidget?.sessionContext?.isReady"
        page.wait_for_function(ready, timeout=60_000)

        write_in(page, WRONG)
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        expect(page.locator(".jp-Notebook")).to_contain_text(TOLD, timeout=120_000)
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        assert TOLD in validate(page)

        source = nbformat.read(ROOT / "solutions" / NAME / f"{NAME}.ipynb", as_version=4)
        right = next(cell.source for cell in source.cells if grade_id(cell) == CELL)
        write_in(page, "\n".join(x for x in right.split("\n") if " SOLUTION" not in x))
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        assert "passes all the tests" in validate(page)
        assert not there.outside
