"""What is made from the book beside its pages: the instructors' edition, a PDF and a zip."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from matplotlib.image import imread
from pypdf import PdfReader

from tests.browser import visit
from tools import book
from tools.archive import archive
from tools.environment import PYTHON_VERSION

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent
REPOSITORY = "https://github.com/someone/course"
SITE = "https://someone.github.io/course/"
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
ASSIGNMENTS = sorted(path.name for path in (ROOT / "solutions").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The instructors' edition, as a copy that is published."""
    output = tmp_path_factory.mktemp("published")
    edition = ["--edition", "instructor", "--repository", f"{REPOSITORY}.git"]
    command = [sys.executable, "tools/book.py", output, *edition, "--branch", "dev", "--quiet"]
    command += ["--site", SITE.rstrip("/")]  # as one may copy it
    build = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    return output / "_build" / "html"


def links(html: Path, page: str) -> set[str]:
    soup = BeautifulSoup((html / f"{page}.html").read_text(), "html.parser")
    return {link["href"] for link in soup("a", href=True)}


def test_instructors_read_the_solutions_and_students_do_not(published):
    for name in ASSIGNMENTS:
        page = f"solutions/{name}/{name}"
        assert "BEGIN SOLUTION" in (published / f"{page}.html").read_text()
    for edition, times in {"student": 0, "instructor": len(ASSIGNMENTS), "print": 0}.items():
        assert yaml.safe_dump(book.contents(edition)).count("solutions/") == times
        excluded = book.settings(edition)["exclude_patterns"]
        assert ("solutions" in excluded) == (edition != "instructor")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_published_chapter_links_to_its_source_and_to_machines_that_run_it(published, chapter):
    path = f"notebooks/{chapter}.ipynb"
    assert (published / "_sources" / path).read_text() == (ROOT / path).read_text()
    assert links(published, f"notebooks/{chapter}") >= {
        REPOSITORY,
        f"{REPOSITORY}/blob/dev/{path}?plain=1",
        f"{REPOSITORY}/edit/dev/{path}",
        f"https://mybinder.org/v2/gh/someone/course/dev?urlpath=lab/tree/{path}",
        f"https://colab.research.google.com/github/someone/course/blob/dev/{path}",
        f"../_sources/{path}",
    }


def test_binder_installs_the_tested_versions_and_the_course():
    script = ROOT / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    python = ".".join(map(str, PYTHON_VERSION))
    assert (ROOT / "binder" / "runtime.txt").read_text() == f"python-{python}\n"
    commands = re.findall(r"^python -m pip install (.+)$", script.read_text(), re.M)
    assert commands == ["--requirement requirements.txt", "--no-deps --editable ."]


@pytest.mark.parametrize("option", ["--repository", "--site"])
@pytest.mark.parametrize("address", ["github.com/you/course", "git@github.com:you/course", ""])
def test_what_is_no_web_address_is_refused_before_the_build(option, address, tmp_path):
    command = [sys.executable, "tools/book.py", tmp_path, f"{option}={address}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 2
    assert f"{address!r} must begin with https://" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_published_pages_name_their_address(published):
    text = (published / "book" / "practice.html").read_text()
    for tag in ('<link rel="canonical" href=', '<meta property="og:url" content='):
        assert f'{tag}"{SITE}book/practice.html"' in text


def test_link_previews_show_a_picture(published):
    soup = BeautifulSoup(
        (published / "notebooks" / "02_initialization.html").read_text(), "html.parser"
    )
    picture = soup.find("meta", property="og:image")["content"]
    assert picture.startswith(SITE)
    card = imread(published / picture.removeprefix(SITE))
    assert card.shape[:2] == (630, 1200)  # the size that previews ask for


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_released_assignment_is_downloaded_and_not_edited(published, name):
    path = f"release/{name}/{name}.ipynb"
    found = links(published, path.removesuffix(".ipynb"))
    assert f"../../_sources/{path}" in found
    assert (published / "_sources" / path).read_text() == (ROOT / path).read_text()
    assert [link for link in found if link.startswith("http") and path in link] == []


def test_a_build_without_addresses_links_to_nobody():
    assert book.settings("student") == yaml.safe_load((ROOT / "_config.yml").read_text())


def test_a_page_that_left_the_contents_leaves_the_build(tmp_path, monkeypatch):
    """Also old scripts after a change, and a failed build, whose warnings must come again."""
    folder = tmp_path / "_build"
    runs = []

    def run(command):
        runs.append((folder / "html" / "old.html").exists())
        return subprocess.CompletedProcess(command, returncode=1 if len(runs) == 2 else 0)

    monkeypatch.setattr(book.subprocess, "run", run)
    for number, contents in enumerate(["first", "first", "first", "second", "second"]):
        (folder / "html").mkdir(parents=True, exist_ok=True)
        (folder / "html" / "old.html").touch()
        if number == 4:
            os.utime(folder / ".complete", (0, 0))  # older than the style sheet
        monkeypatch.setattr(book, "contents", lambda edition, text=contents: {"root": text})
        assert book.build(tmp_path) == (1 if number == 1 else 0)
    assert runs == [False, True, False, False, False]


def test_pdf_holds_every_chapter_with_outline_and_answers(tmp_path):
    target = tmp_path / "book.pdf"
    made = subprocess.run(
        [sys.executable, "-m", "tools.pdf", target], cwd=ROOT, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    pdf = PdfReader(target)
    titles = " ".join(entry.title for entry in flat(pdf.outline))
    text = " ".join(page.extract_text() for page in pdf.pages)
    for chapter in CHAPTERS:
        assert re.search(rf"\b{int(chapter[:2])}\. ", titles), chapter
    assert text.count("Not quite.") > 5 * len(CHAPTERS)
    assert re.search(r"\\(frac|sqrt|mathbb|sigma)\b", text) is None, "mathematics is not set"
    assert sum(len(page.images) for page in pdf.pages[:200]) > 10


def flat(outline: list) -> list:
    return [x for entry in outline for x in (flat(entry) if isinstance(entry, list) else [entry])]


def test_zip_opens_with_a_double_click(browser, published, tmp_path):
    target = tmp_path / "book.zip"
    number = archive(published, target)
    with zipfile.ZipFile(target) as packed:
        assert len(packed.namelist()) == number
        assert {Path(name).parts[0] for name in packed.namelist()} == {"training-deep-networks"}
        packed.extractall(tmp_path)
    folder = tmp_path / "training-deep-networks"
    with visit(browser, folder.as_uri()) as visited:
        page = visited.page
        page.goto(f"{folder.as_uri()}/Open%20the%20book.html")
        page.wait_for_url("**/pages/**", timeout=10_000)
        page.wait_for_selector("article h1")
        assert "Training Deep Networks" in page.inner_text("article h1")
        assert visited.outside == []
        assert visited.complaints == []
    # Alone, as Windows opens it from inside the zip, it says what to do.
    alone = tmp_path / "alone"
    alone.mkdir()
    (folder / "Open the book.html").rename(alone / "book.html")
    with visit(browser, alone.as_uri()) as visited:
        visited.page.goto(f"{alone.as_uri()}/book.html")
        visited.page.wait_for_timeout(500)
        assert "Extract the whole zip" in visited.page.inner_text("body")


def test_zip_of_a_book_that_is_not_built_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no index\.html; build the book first: make book"):
        archive(tmp_path, tmp_path / "book.zip")
    assert list(tmp_path.iterdir()) == []
