"""What all tests share: one thread, no window, no leak of figures or random state."""

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

matplotlib.use("Agg")
torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Keep a file on one worker, above all the cells of a notebook; but share out the answers."""
    for item in items if config.pluginmanager.hasplugin("xdist") else ():
        group = item.nodeid.split("::")[0]
        if item.get_closest_marker("answers"):
            group = item.nodeid
        item.add_marker(pytest.mark.xdist_group(group.replace("@", "_")))


@pytest.fixture(autouse=True)
def _isolated():
    """Fix torch's global generator, and close the figures of the test."""
    torch.manual_seed(0)
    yield
    plt.close("all")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
