"""The race of the optimizers computes in the browser what deeplearn.optim computes."""

import re

import pytest
import torch

from deeplearn.optim import SGD, Adagrad, Adam, RMSprop
from deeplearn.plots import PALETTE
from tests.interactive import ASSETS, scripts

pytestmark = pytest.mark.browser

CURVATURE = torch.tensor([0.2, 4.0], dtype=torch.float64)
START = torch.tensor([-5.0, -2.0], dtype=torch.float64)
STEPS = 100
OPTIMIZERS = {
    "Gradient descent": lambda params, lr, beta: SGD(params, lr=lr),
    "Momentum": lambda params, lr, beta: SGD(params, lr=lr, momentum=beta),
    # deeplearn refuses Nesterov's method without momentum; the figure's slider begins there.
    "Nesterov": lambda params, lr, beta: SGD(params, lr=lr, momentum=beta, nesterov=beta > 0),
    "AdaGrad": lambda params, lr, beta: Adagrad(params, lr=lr),
    "RMSProp": lambda params, lr, beta: RMSprop(params, lr=lr),
    "Adam": lambda params, lr, beta: Adam(params, lr=lr),
}
PATH = "([method, lr, beta]) => raceMath.path(method, lr, beta)"
OUTCOME = """([method, lr, beta, step]) =>
    raceMath.verdict(raceMath.path(method, lr, beta), step ?? raceMath.STEPS)"""


@pytest.fixture(scope="module")
def page(browser):
    with scripts(browser, "race_math.js") as page:
        yield page


def follow(method: str, lr: float, beta: float) -> torch.Tensor:
    x = START.clone().requires_grad_()
    optimizer = OPTIMIZERS[method]([x], lr, beta)
    positions = [START]
    for _ in range(STEPS):
        optimizer.zero_grad()
        (CURVATURE / 2 * x**2).sum().backward()
        optimizer.step()
        positions.append(x.detach().clone())
    return torch.stack(positions)


@pytest.mark.parametrize(
    ("lr", "beta"),
    [(0.001, 0.9), (0.1, 0.0), (0.2, 0.9), (0.4, 0.5), (0.6, 0.5), (1.0, 0.99), (10.0, 0.99999)],
)
@pytest.mark.parametrize("method", OPTIMIZERS)
def test_paths_are_those_of_deeplearn(page, method, lr, beta):
    found = torch.tensor(page.evaluate(PATH, [method, lr, beta]), dtype=torch.float64)
    assert found.isfinite().all()
    torch.testing.assert_close(found, follow(method, lr, beta), rtol=1e-9, atol=1e-9)


def test_all_methods_are_compared(page):
    assert page.evaluate("raceMath.METHODS") == list(OPTIMIZERS)
    assert page.evaluate("raceMath.STEPS") == STEPS
    assert page.evaluate("raceMath.CURVATURE") == CURVATURE.tolist()


@pytest.mark.parametrize(
    ("method", "lr", "beta", "step", "outcome"),
    [
        ("Gradient descent", 0.4, 0.9, 0, "at the start"),
        ("Gradient descent", 0.4, 0.9, 10, "oscillates"),
        ("Gradient descent", 0.4, 0.9, 30, "on its way"),
        ("Gradient descent", 0.4, 0.9, 100, "converged"),
        ("Gradient descent", 0.5, 0.9, 100, "oscillates"),
        ("Gradient descent", 0.6, 0.9, 100, "diverges"),
        ("Momentum", 0.6, 0.5, 100, "converged"),
        ("Momentum", 0.6, 0.2, 100, "oscillates"),
        ("Momentum", 0.95, 0.9, 100, "oscillates"),  # far from the minimum, but it grows no more
        ("Momentum", 0.1, 0.99999, 100, "oscillates"),
        ("Nesterov", 0.4, 0.9, 100, "diverges"),
        ("AdaGrad", 0.1, 0.9, 100, "on its way"),
        ("RMSProp", 2.0, 0.9, 2, "oscillates"),
        ("RMSProp", 0.1, 0.9, 100, "converged"),
        ("Adam", 10.0, 0.9, 100, "oscillates"),
    ],
)
def test_outcomes_are_right(page, method, lr, beta, step, outcome):
    assert page.evaluate(OUTCOME, [method, lr, beta, step]) == outcome


def test_paths_diverge_beyond_the_limits_of_chapter_9_and_nowhere_else(page):
    for beta in (0.0, 0.2, 0.5, 0.9, 0.99, 0.99999):
        limits = {
            "Gradient descent": 2,
            "Momentum": 2 * (1 + beta),
            "Nesterov": (2 + 2 * beta) / (1 + 2 * beta),
        }
        for method, limit in limits.items():
            for share in (0.1, 0.5, 0.9, 1.1, 1.5, 3):
                lr = share * limit / float(CURVATURE.max())
                outcome = page.evaluate(OUTCOME, [method, lr, beta, STEPS])
                assert (outcome == "diverges") == (share > 1), (method, beta, share, outcome)


def test_series_have_the_palette_of_the_figures():
    style = (ASSETS / "course.css").read_text()
    light = re.search(r"^\.interactive \{(.*?)^\}", style, re.DOTALL | re.MULTILINE)[1]
    colors = re.findall(r"--series-\d: (#\w{6});", light)
    assert [color.upper() for color in colors] == list(PALETTE[:6])
