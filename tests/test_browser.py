"""The built book in a browser: what a reader meets, with a mouse, a keyboard, a phone or by ear."""

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from axe_playwright_python.base import AXE_SCRIPT
from bs4 import BeautifulSoup

from grading.answers import read_answers
from grading.leaks import leaks, secret_lines
from tests.browser import visit

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
ENTRIES = [entry for part in TOC["parts"] for entry in part["chapters"]]
SECTIONS = [section for entry in ENTRIES for section in entry.get("sections", [])]
PAGES = [TOC["root"], *(entry["file"] for entry in [*ENTRIES, *SECTIONS])]
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]
KINDS = ("book/index", "book/corrections", "book/api/", "notebooks/", "release/")
ONE_OF_EACH_KIND = [next(page for page in PAGES if page.startswith(kind)) for kind in KINDS]

pages = pytest.mark.parametrize("name", PAGES)
schemes = pytest.mark.parametrize("scheme", ["http", "file"])


@cache
def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


@cache
def anchors(path: Path) -> set[str]:
    """Return what a link to a page may name after `#`; the empty string names the page."""
    return {"", *(tag["id"] for tag in read(path)(id=True))} if path.suffix == ".html" else {""}


# Files alone


def test_no_page_holds_a_solution_a_hidden_test_or_an_answer_of_the_bank(built):
    files = [path for path in built.rglob("*") if path.suffix in (".html", ".ipynb", ".md", ".txt")]
    texts = {path.relative_to(built): " ".join(text_of(path).split()) for path in files}
    package = [path.read_text() for path in (ROOT / "deeplearn").glob("*.py")]
    released = {path.stem: cells_of(path) for path in (ROOT / "release").glob("*/*.ipynb")}
    for source in sorted((ROOT / "solutions").glob("*/*.ipynb")):
        answers = read_answers(ROOT / "tests" / "answers" / source.stem)
        # A line that another assignment gives away is no secret of this one.
        others = [text for name, text in released.items() if name != source.stem]
        public = package + others
        secret = secret_lines(nbformat.read(source, as_version=4), answers, public)
        assert len(secret) > 100
        found = {path: leaks(secret, text) for path, text in texts.items()}
        assert not any(found.values()), {path: lines for path, lines in found.items() if lines}


def cells_of(path: Path) -> str:
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


def text_of(path: Path) -> str:
    return read(path).get_text() if path.suffix == ".html" else path.read_text(errors="replace")


def test_build_holds_every_page(built):
    names = {path.relative_to(built).with_suffix("").as_posix() for path in built.rglob("*.html")}
    assert names >= {*PAGES, "index", "search"}


@pages
def test_page_tells_what_it_is(built, name):
    soup = read(built / f"{name}.html")
    meta = {tag.get("property") or tag.get("name"): tag.get("content") for tag in soup("meta")}
    assert soup.title.string.strip()
    assert len(meta["description"]) >= 50
    assert meta["og:description"] == meta["description"]
    assert meta["og:title"] in soup.title.string
    footer = soup.select_one(".bd-footer-content").get_text(" ", strip=True)
    assert "the Training Deep Networks contributors" in footer
    assert "BSD 3-Clause" in footer
    assert "CC BY 4.0" in footer


@pages
def test_links_inside_the_book_resolve(built, name):
    broken = []
    for link in read(built / f"{name}.html")("a", href=True):
        target = urlsplit(link["href"])
        if target.scheme or target.netloc:
            continue
        path = built / f"{name}.html"
        if target.path:
            path = (path.parent / unquote(target.path)).resolve()
        if not path.exists() or unquote(target.fragment) not in anchors(path):
            broken.append(link["href"])
    assert broken == []


@pages
def test_page_is_light(built, name):
    """Text and pictures of a page; what all pages share is loaded once."""
    path = built / f"{name}.html"
    pictures = {path.parent / unquote(image["src"]) for image in read(path)("img", src=True)}
    files = [path, *(picture for picture in pictures if "_images" in picture.parts)]
    assert sum(file.stat().st_size for file in files) <= 1_500_000


# In the browser

LEFTOVER_TEX = re.compile(r"\\[()\[\]]|\\[a-zA-Z]{2,}|\$[^$\n]+\$")
READ_PAGE = """() => {
    const article = document.querySelector("article.bd-article");
    const text = article.cloneNode(true);
    text.querySelectorAll("pre, code, script, style, mjx-container").forEach(node => node.remove());
    return {
        text: text.textContent,
        formulas: [...article.querySelectorAll(".math")].map(
            formula => formula.querySelector("mjx-container") !== null),
        errors: article.querySelectorAll("mjx-merror, [data-mjx-error]").length,
        images: [...document.querySelectorAll("main img")].map(
            image => ({alt: image.alt, source: image.src, width: image.naturalWidth})),
    };
}"""


@pytest.fixture(scope="module", params=PAGES)
def visited(request, browser, addresses):
    """Each page of the book, opened once: pytest runs all tests of a page before the next one."""
    with visit(browser, addresses["http"]) as visited:
        visited.open(request.param)
        yield visited


def test_page_is_complete_and_asks_nobody(visited):
    assert_complete(visited)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_page_is_complete_without_a_server(browser, addresses, name):
    with visit(browser, addresses["file"]) as visited:
        visited.open(name)
        assert_complete(visited)


def assert_complete(visited):
    seen = visited.page.evaluate(READ_PAGE)
    assert visited.outside == []
    assert visited.complaints == []
    assert all(seen["formulas"])
    assert seen["errors"] == 0
    assert LEFTOVER_TEX.findall(seen["text"]) == []
    for image in seen["images"]:
        assert image["width"] > 0, image
        assert len(image["alt"]) >= 20, image
        assert not re.search(r"\.(png|svg|jpe?g)$", image["alt"]), image


def test_chapters_have_formulas_and_figures(built):
    assert CHAPTERS
    for name in CHAPTERS:
        article = read(built / f"{name}.html").select_one("article.bd-article")
        assert article.select(".math"), name
        assert article.select(".cell_output img"), name


def show(visited, theme, width):
    """Show the page with all its answers, as a window of that width in that theme would."""
    visited.page.emulate_media(color_scheme=theme)
    visited.page.set_viewport_size({"width": width, "height": 900})
    visited.page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
    visited.page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
    visited.page.wait_for_timeout(400)  # colors move; after 300 the theme looks for what scrolls


def test_phone_shows_the_whole_width(visited):
    show(visited, "light", 360)
    assert visited.page.evaluate("document.scrollingElement.scrollWidth") <= 360


PHONE = [
    *("target-size", "scrollable-region-focusable", "meta-viewport", "aria-hidden-focus"),
    *("button-name", "link-name", "label", "nested-interactive", "aria-allowed-attr"),
    *(
        "duplicate-id-aria",
        "aria-required-attr",
        "bypass",
        "tabindex",
        "label-content-name-mismatch",
    ),
]


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 360)])
def test_page_is_accessible(visited, theme, width):
    options = {"preload": False, "rules": {"label-content-name-mismatch": {"enabled": True}}}
    if theme == "dark":  # only the colors are other ones
        options = {"preload": False, "runOnly": ["color-contrast"]}
    if width == 360:  # what stands in another place, or only there
        options["runOnly"] = PHONE
    show(visited, theme, width)
    # Listings take most of the time and share one style: those of one chapter stand for all.
    listings = CHAPTERS[-2] in visited.page.url and width == 1400
    context = {"exclude": [] if listings else [[".highlight pre"]]}
    if not visited.page.evaluate("'axe' in window"):
        visited.page.evaluate(AXE_SCRIPT)
    violations = visited.page.evaluate(f"axe.run({json.dumps(context)}, {json.dumps(options)})")[
        "violations"
    ]
    found = [
        f"{violation['impact']} {violation['id']}: {node['html'][:200]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert found == []


# What a reader would type to find a chapter.
KEY_TERMS = {
    "01": "vanishing",
    "02": "Xavier",
    "03": "maxout",
    "04": "whitening",
    "05": "clipping",
    "06": "freeze",
    "07": "autoencoder",
    "08": "siamese",
    "09": "Nesterov",
    "10": "RMSProp",
    "11": "cosine",
    "12": "FTRL",
    "13": "cross-validation",
    "14": "patience",
    "15": "dropout",
    "16": "elastic",
    "17": "log-uniform",
    "18": "guidelines",
    "19": "TensorFlow",
}


@pytest.mark.parametrize("name", CHAPTERS)
def test_search_finds_each_chapter(browser, addresses, name):
    term = KEY_TERMS[name.split("/")[1][:2]]
    with visit(browser, addresses["file"]) as visited:
        page = visited.page
        page.goto(f"{addresses['file']}/search.html?q={term}")
        page.wait_for_selector("#search-results li a", timeout=10_000)
        found = f"#search-results li a[href*='{name.split('/')[1]}']"
        page.wait_for_selector(found, timeout=5_000)
        assert visited.outside == []
        assert visited.complaints == []


@schemes
def test_search_box_finds_a_word(browser, addresses, scheme):
    with visit(browser, addresses[scheme]) as visited:
        page = visited.open(TOC["root"])
        page.keyboard.press("Control+k")
        page.keyboard.type("gradebook")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a", timeout=10_000)
        results = page.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
        assert any("book/teach.html" in result for result in results), results
        assert visited.outside == []
        assert visited.complaints == []


def test_button_switches_to_dark_and_figures_keep_their_colors(browser, addresses):
    with visit(browser, addresses["http"], color_scheme="light") as visited:
        page = visited.open(CHAPTERS[0])
        theme = "document.documentElement.dataset.theme"
        lightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        assert page.evaluate(theme) == "light"
        assert min(page.evaluate(lightness)) > 240
        for _ in range(3):  # the button goes round: automatic, light, dark
            if page.evaluate(theme) != "dark":
                page.locator(".theme-switch-button:visible").click()
        page.wait_for_timeout(500)
        assert page.evaluate(theme) == "dark"
        assert max(page.evaluate(lightness)) < 60
        style = page.locator(".cell_output img").first.evaluate(
            "image => [getComputedStyle(image).filter, getComputedStyle(image).backgroundColor]"
        )
        assert style == ["none", "rgb(255, 255, 255)"]


@pytest.mark.parametrize("name", CHAPTERS)
def test_answers_open_by_keyboard(browser, addresses, name):
    with visit(browser, addresses["file"]) as visited:
        page = visited.open(name)
        choices = page.locator("details.choice")
        assert choices.count() >= 8
        for i in range(choices.count()):
            choice = choices.nth(i)
            explanation = choice.locator("> :not(summary)").first
            assert not explanation.is_visible()
            choice.locator("summary").focus()
            page.keyboard.press("Enter")
            assert explanation.is_visible()
            assert re.match(r"Right\.|Not quite\.", explanation.inner_text())
        assert visited.outside == []
        assert visited.complaints == []


def test_tab_key_shows_where_it_is(browser, addresses):
    with visit(browser, addresses["http"]) as visited:
        page = visited.open(CHAPTERS[0])
        page.locator("details.choice summary").first.focus()
        page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outline"
        assert "solid 3px" in page.evaluate(outline)


def test_paper_is_light_and_answers_stay_closed(browser, addresses):
    with visit(browser, addresses["http"], color_scheme="dark") as visited:
        page = visited.open(CHAPTERS[0])
        theme = "document.documentElement.dataset.theme"
        page.evaluate(f"addEventListener('beforeprint', () => printed = {theme})")
        page.pdf()
        assert page.evaluate("printed") == "light"
        assert page.evaluate(theme) == "dark"
        page.emulate_media(media="print")
        assert page.locator("details.choice summary").first.is_visible()
        assert not page.locator("details.choice > :not(summary)").first.is_visible()
        assert not page.locator("#pst-primary-sidebar").is_visible()
