"""What all tests share: one thread, no window, no leak of figures or random state; a browser."""

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

matplotlib.use("Agg")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _isolated():
    """Fix torch's global generator, and close the figures of the test."""
    torch.manual_seed(0)
    yield
    plt.close("all")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


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
