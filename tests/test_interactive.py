"""The figures that readers can move, in the built book: with a keyboard, on a phone, by ear."""

import json
import re

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from tests.browser import visit

pytestmark = pytest.mark.browser

FIGURES = ["race", "signal"]
figures = pytest.mark.parametrize("figure", FIGURES)
schemes = pytest.mark.parametrize("scheme", ["http", "file"])

PICTURES = """() => [...document.querySelectorAll('.interactive svg[role="img"]')]
    .map((picture) => picture.innerHTML).join()"""
# Turn every setting to one of its ends, and open what is closed.
TO_AN_END = """(last) => {
    for (const node of document.querySelectorAll(".interactive :is(input[type=range], select)")) {
        if (node.matches("select")) node.selectedIndex = last ? node.options.length - 1 : 0;
        else node.value = last ? node.max : node.min;
        node.dispatchEvent(new Event("input", { bubbles: true }));
    }
    document.querySelectorAll(".interactive details").forEach((box) => (box.open = true));
}"""


@pytest.fixture(scope="session")
def pages(built) -> dict[str, str]:
    """Return the page of each figure."""
    found = {}
    for path in sorted(built.rglob("*.html")):
        for figure in re.findall(r'data-figure="(\w+)"', path.read_text()):
            found.setdefault(figure, path.relative_to(built).with_suffix("").as_posix())
    assert sorted(found) == FIGURES
    return found


def status(page) -> str:
    return page.locator(".interactive [role=status]").inner_text()


@schemes
@figures
def test_every_control_answers_to_the_keyboard(browser, addresses, pages, figure, scheme):
    with visit(browser, addresses[scheme]) as visited:
        page = visited.open(pages[figure])
        controls = page.locator(".interactive :is(input[type=range], select)")
        assert controls.count() == {"race": 3, "signal": 4}[figure]
        for i in range(controls.count()):
            control = controls.nth(i)
            picture, said = page.evaluate(PICTURES), status(page)
            value = control.input_value()
            control.focus()
            page.keyboard.press("ArrowUp" if value != control.get_attribute("max") else "ArrowDown")
            if control.input_value() == value:  # the last option of a list
                page.keyboard.press("ArrowDown")
            assert control.input_value() != value
            assert page.evaluate(PICTURES) != picture
            page.wait_for_timeout(700)  # the status waits for a pause
            assert status(page) != said
        assert visited.outside == []
        assert visited.complaints == []


def test_sliders_say_the_value_that_they_show(browser, addresses, pages):
    with visit(browser, addresses["http"]) as visited:
        page = visited.open(pages["race"])
        rate = page.get_by_role("slider", name="Learning rate η", exact=True)
        rate.focus()
        page.keyboard.press("Home")
        assert rate.get_attribute("aria-valuetext") == "0.001"
        assert page.locator(".interactive .value").first.inner_text() == "0.001"
        path = page.locator(".interactive .line.series-1").first
        drawn = path.get_attribute("d")
        page.keyboard.press("ArrowRight")
        assert rate.get_attribute("aria-valuetext") == "0.0012"
        assert path.get_attribute("d") != drawn


def test_status_waits_for_a_pause(browser, addresses, pages):
    with visit(browser, addresses["http"]) as visited:
        page = visited.open(pages["race"])
        page.evaluate("""() => {
            globalThis.said = 0;
            new MutationObserver(() => said++).observe(
                document.querySelector(".interactive [role=status]"), { childList: true });
        }""")
        page.locator(".interactive input[type=range]").first.focus()
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(900)
        assert page.evaluate("said") == 1
        assert re.search(r"Nesterov: [\d.]+e\d+, diverges\.", status(page))


def test_an_optimizer_can_be_switched_off(browser, addresses, pages):
    with visit(browser, addresses["http"]) as visited:
        page = visited.open(pages["race"])
        box = page.get_by_role("checkbox", name="Adam")
        trail = page.locator(".interactive svg[role=img] .line.series-6")
        assert trail.count() == 1
        box.focus()
        page.keyboard.press("Space")
        assert trail.count() == 0
        page.wait_for_timeout(700)
        assert "Adam:" not in status(page)
        page.keyboard.press("Space")
        assert trail.count() == 1


def test_race_plays_only_when_asked(browser, addresses, pages):
    with visit(browser, addresses["http"]) as visited:
        page = visited.open(pages["race"])
        step = page.get_by_role("slider", name="Step")
        start = int(step.input_value())
        page.wait_for_timeout(500)
        assert int(step.input_value()) == start
        page.get_by_role("button", name="Play").focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)
        page.get_by_role("button", name="Pause").press("Enter")
        paused = int(step.input_value())
        assert paused > start
        page.wait_for_timeout(300)
        assert int(step.input_value()) == paused
        step.press("End")
        page.get_by_role("button", name="Play").press("Enter")  # from the start again
        page.wait_for_timeout(300)
        assert 0 < int(step.input_value()) < 20
        step.press("End")
        step.press("ArrowLeft")
        page.get_by_role("button", name="Play").press("Enter")
        page.wait_for_timeout(300)
        assert step.input_value() == step.get_attribute("max")
        assert page.get_by_role("button", name="Play").is_visible()


def test_reduced_motion_means_no_motion(browser, addresses, pages):
    with visit(browser, addresses["http"], reduced_motion="reduce") as visited:
        page = visited.open(pages["race"])
        assert not page.locator(".interactive .play").is_visible()
        assert page.get_by_role("slider", name="Step").is_visible()


def test_other_weights_are_drawn(browser, addresses, pages):
    with visit(browser, addresses["http"]) as visited:
        page = visited.open(pages["signal"])
        numbers = page.locator(".interactive tbody")
        before = numbers.text_content()
        page.get_by_role("button", name="Draw again").press("Enter")
        assert numbers.text_content() != before
        assert numbers.locator("tr").count() == 11


@pytest.mark.parametrize("last", [False, True])
@figures
def test_phone_shows_the_whole_width(browser, addresses, pages, figure, last):
    phone = {"width": 360, "height": 740}
    with visit(browser, addresses["http"], viewport=phone) as visited:
        page = visited.open(pages[figure])
        page.evaluate(TO_AN_END, last)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
        # Text of a picture lies inside of it.
        outside = page.evaluate("""() => {
            const found = [];
            for (const picture of document.querySelectorAll('.interactive svg[role="img"]')) {
                const frame = picture.getBoundingClientRect();
                for (const text of picture.querySelectorAll("text")) {
                    const box = text.getBoundingClientRect();
                    const fits = box.left >= frame.left && box.right <= frame.right
                        && box.top >= frame.top && box.bottom <= frame.bottom;
                    if (!fits) found.push(text.textContent);
                }
            }
            return found;
        }""")
        assert outside == []
        assert visited.complaints == []


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("theme", ["light", "dark"])
@figures
def test_figure_is_accessible(browser, addresses, pages, figure, theme, width):
    options = {"preload": False, "rules": {"label-content-name-mismatch": {"enabled": True}}}
    size = {"width": width, "height": 900}
    with visit(browser, addresses["http"], color_scheme=theme, viewport=size) as visited:
        page = visited.open(pages[figure])
        page.evaluate(TO_AN_END, True)
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate(f"axe.run('.interactive', {json.dumps(options)})")["violations"]
    impacts = {violation["id"]: violation["impact"] for violation in found}
    assert not {"serious", "critical"} & set(impacts.values()), impacts


@figures
def test_paper_shows_the_settings_and_no_control(browser, addresses, pages, figure):
    with visit(browser, addresses["http"]) as visited:
        page = visited.open(pages[figure])
        page.emulate_media(media="print")
        for hidden in ("input[type=range]", "button"):
            assert not page.locator(f".interactive {hidden}").first.is_visible()
        for shown in (".value", "svg[role=img]", "figcaption"):
            assert page.locator(f".interactive {shown}").first.is_visible()


@figures
def test_without_scripts_a_sentence_says_where_the_figure_is(browser, addresses, pages, figure):
    address = f"{addresses['http']}/{pages[figure]}.html"
    with browser.new_context(java_script_enabled=False) as window:
        page = window.new_page()
        page.goto(address)
        assert "JavaScript" in page.locator(".interactive > p").inner_text()
        assert page.locator(".interactive svg").count() == 0
