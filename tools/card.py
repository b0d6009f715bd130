"""Draw the picture that a link to the book shows in a chat: book/assets/card.png.

    python -m tools.card

Chromium draws the logo beside the title, as `_config.yml` has it.
"""

import yaml
from playwright.sync_api import sync_playwright

from tools.book import ROOT
from tools.chromium import FLAGS, find_chromium

CARD = ROOT / "book" / "assets" / "card.png"
SIZE = {"width": 1200, "height": 630}  # what readers of Open Graph ask for
PAGE = """<body style="margin: 0; height: 630px; display: flex; align-items: center;
    font-family: sans-serif; color: #fff; background: #0b4f7d">
<div style="flex: 0 0 340px; margin: 0 60px 0 80px">{logo}</div>
<div>
<div style="font: bold 76px/1.1 sans-serif; width: 560px">{title}</div>
<div style="font-size: 34px; line-height: 1.35; margin-top: 28px">
A book in PyTorch, with graded exercises.<br>Everything said is computed.</div>
</div>"""


def main() -> None:
    logo = (ROOT / "book" / "assets" / "logo.svg").read_text(encoding="utf-8")
    title = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport=SIZE)
        page.set_content(PAGE.format(logo=logo, title=title))
        page.screenshot(path=CARD)
        browser.close()


if __name__ == "__main__":
    main()
