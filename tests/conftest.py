"""What all tests share: one thread, no window, no leak of figures or random state; a browser."""

import functools
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from coverage import Coverage

ROOT = Path(__file__).parent.parent
UNMEASURED = (
    *("test_answers", "test_browser", "test_editions", "test_formgrader", "test_gradebook"),
    *("test_grading", "test_interactive", "test_lab", "test_teach"),
)

matplotlib.use("Agg")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _isolated():
    """Fix torch's global generator, and close the figures of the test."""
    torch.manual_seed(0)
    yield
    plt.close("all")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Let coverage rest where no `deeplearn` runs in this process: it takes a third more time."""
    measured = Coverage.current()
    name = item.path.name
    rests = measured is not None and (name.startswith(UNMEASURED) or name.endswith(".ipynb"))
    if rests:
        measured.stop()
    try:
        return (yield)
    finally:
        if rests:
            measured.start()


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def course(tmp_path):
    """A course to collect into; a module that needs another one has its own."""
    from tests.collecting import make_courses

    return make_courses(tmp_path / "course")


@pytest.fixture
def export(tmp_path):
    """Write what a learning platform exports; see `tests.collecting.write_export`."""
    from tests.collecting import write_export

    return functools.partial(write_export, tmp_path)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; a second one in the same process would not start."""
    from playwright.sync_api import sync_playwright

    from tools.chromium import FLAGS, MISSING, find_chromium

    executable = find_chromium()
    if executable is None:
        pytest.fail(MISSING, pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """Build the book into a folder of its own; a warning or a missing reference is an error."""
    output = tmp_path_factory.mktemp("book")
    command = [sys.executable, "tools/book.py", output, "--quiet"]
    build = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    return output / "_build" / "html"


@pytest.fixture(scope="session")
def addresses(built):
    """The built book's address, from a server and from the disk."""
    from tests.browser import serve

    with serve(built) as address:
        yield {"http": address, "file": built.as_uri()}
