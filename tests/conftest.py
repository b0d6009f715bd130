"""What all tests share: one thread, no window, no leak of figures or random state."""

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
