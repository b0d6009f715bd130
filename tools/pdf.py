"""Print the book, as one page, into a PDF: `make pdf`."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tools.book import ROOT, build
from tools.chromium import FLAGS, MISSING, find_chromium

PDF = ROOT / "_build" / "training-deep-networks.pdf"
FOOTER = '<div style="font-size: 8px; width: 100%; text-align: center" class="pageNumber"></div>'
PAPER = {
    "format": "A4",
    "scale": 0.75,
    "margin": {"top": "16mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
    "display_header_footer": True,
    "header_template": "<span></span>",
    "footer_template": FOOTER,
    "outline": True,
    "tagged": True,
}


def print_page(source: Path, target: Path, executable: str) -> None:
    """Print a page of HTML when its mathematics and pictures are there, with all answers open."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(0)  # a whole book of mathematics takes its time
        # the theme's script takes a minute for a whole book, to see what can be scrolled
        page.route("**/pydata-sphinx-theme.js*", lambda route: route.abort())
        page.goto(source.as_uri())
        page.evaluate("document.documentElement.dataset.theme = 'light'")  # as that script would
        page.evaluate("window.MathJax?.startup?.promise")
        page.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
        page.evaluate(
            "Promise.all([...document.images].map(image => { image.loading = 'eager';"
            " return image.decode().catch(() => null); }))"
        )
        draft = target.with_suffix(".part")
        page.pdf(path=draft, **PAPER)
        browser.close()
    draft.replace(target)


def main(target: Path = PDF) -> int:
    """Build the book as one page, and print it to ``target``."""
    executable = find_chromium()
    if executable is None:
        print(MISSING, file=sys.stderr)
        return 1
    output = ROOT / "_build" / "print"
    if code := build(output, "print", quiet=True):
        return code
    html = output / "_build" / "singlehtml"
    # Sphinx writes the page beside its folder of scripts, but for a first page in a folder.
    page = html / "all.html"
    page.write_text((html / "book" / "index.html").read_text(encoding="utf-8"), encoding="utf-8")
    print_page(page, target, executable)
    print(f"The book on paper: {target.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
