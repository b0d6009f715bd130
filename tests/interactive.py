"""A page with nothing but the scripts of the figures that readers can move."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

ASSETS = Path(__file__).parent.parent / "book" / "assets"


@contextmanager
def scripts(browser: Browser, *names: str) -> Iterator[Page]:
    """Open an empty page with scripts of the book."""
    with browser.new_page() as page:
        for name in names:
            page.add_script_tag(path=ASSETS / name)
        yield page
