"""What axe finds wrong with a page for people who cannot see it well, or at all."""

import json

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page


def problems(page: Page, theme: str, width: int) -> list[str]:
    """Show a page in a theme and a width; return what axe says of it, a line for each element."""
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(f"axe.run(document, {json.dumps({'preload': False})})")
    return [
        f"{violation['impact']} {violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
