"""A headless Chromium that keeps record of what a page asks for and complains about."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, Page


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine, and yield its address."""
    handler = partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@dataclass
class Visit:
    """A page that was opened at ``address``, with all that went wrong while it was open."""

    page: Page
    address: str
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self._check_request(request.url))
        self.page.on("requestfailed", lambda request: self.complaints.append(request.url))
        self.page.on("response", self._check_response)
        self.page.on("console", self._check_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _check_request(self, url: str) -> None:
        if not url.startswith((f"{self.address}/", "data:", "blob:")):
            self.outside.append(url)

    def _check_response(self, response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def _check_console(self, message) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def open(self, name: str) -> Page:
        """Go to a page of the book, and wait until mathematics and pictures are there."""
        self.page.goto(f"{self.address}/{name}.html")
        self.page.evaluate("window.MathJax?.startup?.promise")
        self.page.evaluate(
            "Promise.all([...document.images].map(image => image.decode().catch(() => null)))"
        )
        self.page.wait_for_timeout(200)  # for what scripts add after loading: icons, tab stops
        return self.page


@contextmanager
def visit(browser: Browser, address: str, **context) -> Iterator[Visit]:
    """Open an empty window with its own storage; ``context`` is Playwright's."""
    with browser.new_context(**context) as window:
        yield Visit(window.new_page(), address)
