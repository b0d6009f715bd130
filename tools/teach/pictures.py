"""Pictures of the pages that the story ends with, as a browser shows them."""

from pathlib import Path

from playwright.sync_api import sync_playwright

from tools.chromium import FLAGS, find_chromium
from tools.teach.students import ASSIGNMENT

WINDOW = {"width": 760, "height": 480}
# what to show of which page: the part of the address behind #
PAGES = {
    "report": (f"reports/{ASSIGNMENT}.html", "scores"),
    "feedback": (f"feedback/chen_wei_1043/{ASSIGNMENT}/{ASSIGNMENT}.html", "top"),
}


def take(course: Path, target: Path) -> None:
    """Write a picture of each page of a course to ``target``."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport=WINDOW, color_scheme="light")
        for name, (path, part) in PAGES.items():
            page.goto(f"{(course / path).as_uri()}#{part}")
            page.screenshot(path=target / f"{name}.png")
        browser.close()
