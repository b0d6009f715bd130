"""The signal through ten layers is computed in the browser as deeplearn and torch compute it."""

import json
import math

import pytest
import torch

from deeplearn import init
from deeplearn.activations import elu, leaky_relu, relu, selu
from tests.interactive import scripts

pytestmark = pytest.mark.browser

ACTIVATIONS = {
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "ReLU": relu,
    "leaky ReLU": leaky_relu,
    "ELU": elu,
    "SELU": selu,
}
STARTS = {
    "N(0, 0.01²)": lambda weight, generator: weight.normal_(0, 0.01, generator=generator),
    "N(0, 1)": lambda weight, generator: weight.normal_(0, 1, generator=generator),
    "Xavier": lambda weight, generator: init.xavier_normal_(weight, generator=generator),
    "LeCun": lambda weight, generator: init.lecun_normal_(weight, generator=generator),
    "He": lambda weight, generator: init.kaiming_normal_(weight, generator=generator),
    "orthogonal": lambda weight, generator: init.orthogonal_(weight, generator=generator),
}
# As text, many numbers leave the browser far sooner.
DRAW = """([start, width, seed]) => {
    const { X, weights } = signalMath.draw(start, width, seed);
    return JSON.stringify([Array.from(X), weights.map((W) => Array.from(W))]);
}"""
STATISTICS = """([start, width, seed, activation]) => {
    const layers = signalMath.forward(signalMath.draw(start, width, seed), activation, width);
    return layers.map((H) => signalMath.statistics(H, width));
}"""
OUTCOME = """([activation, start]) => {
    const layers = signalMath.forward(signalMath.draw(start, 100, 1), activation, 100);
    const numbers = layers.map((H) => signalMath.statistics(H, 100));
    return signalMath.verdict(numbers.slice(1), layers, activation);
}"""


@pytest.fixture(scope="module")
def page(browser):
    with scripts(browser, "signal_math.js") as page:
        yield page


def draw(page, start: str, width: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    X, weights = json.loads(page.evaluate(DRAW, [start, width, seed]))
    X = torch.tensor(X, dtype=torch.float64).view(-1, width)
    return X, torch.tensor(weights, dtype=torch.float64).view(-1, width, width)


@pytest.mark.parametrize("start", STARTS)
def test_layers_are_those_of_torch(page, start):
    X, weights = draw(page, start, 60, 3)
    for name, activation in ACTIVATIONS.items():
        found = page.evaluate(STATISTICS, [start, 60, 3, name])
        assert len(found) == 11
        H = X
        for layer, numbers in enumerate(found):
            H = activation(H @ weights[layer - 1].T) if layer else X
            std = float(H.std())
            expected = (float(H.mean()), std, math.sqrt(float(H.var(dim=0).mean())))
            # Sums in another order differ by rounding, relative to the values and not their mean.
            tolerance = 1e-9 * max(std, abs(expected[0]))
            assert tuple(numbers.values()) == pytest.approx(expected, rel=0, abs=tolerance), name


@pytest.mark.parametrize("start", STARTS)
def test_weights_have_the_standard_deviation_of_deeplearn(page, generator, start):
    _, weights = draw(page, start, 100, 5)
    assert weights.shape == (10, 100, 100)
    ours = STARTS[start](torch.empty(1000, 1000, dtype=torch.float64), generator)
    shown = page.evaluate("([start, n]) => signalMath.STARTS[start](n, n)", [start, 1000])
    assert shown == pytest.approx(float(ours.std()), rel=0.005)
    shown = page.evaluate("([start, n]) => signalMath.STARTS[start](n, n)", [start, 100])
    assert float(weights.std()) == pytest.approx(shown, rel=0.01)
    assert abs(float(weights.mean())) < 4 * shown / math.sqrt(weights.numel())


@pytest.mark.parametrize(("start", "fans"), [("Xavier", 250), ("LeCun", 50), ("He", 50)])
def test_rules_tell_inputs_from_outputs(page, start, fans):
    shown = page.evaluate("(start) => signalMath.STARTS[start](50, 200)", start)
    assert shown == pytest.approx(math.sqrt((1 if start == "LeCun" else 2) / fans))


def test_orthogonal_weights_are_orthogonal(page):
    _, weights = draw(page, "orthogonal", 80, 2)
    identity = torch.eye(80, dtype=torch.float64).expand(10, 80, 80)
    torch.testing.assert_close(weights @ weights.mT, identity, rtol=0, atol=1e-10)


def test_draws_are_normal_and_depend_on_the_seed(page):
    X, weights = draw(page, "N(0, 1)", 100, 7)
    values = weights.flatten()
    for edge in (0.5, 1.0, 2.0, 3.0):
        share = math.erfc(edge / math.sqrt(2))
        spread = math.sqrt(share / values.numel())
        assert abs(float((values.abs() > edge).double().mean()) - share) < 4 * spread
    neighbors = torch.stack([values[:-1], values[1:]])
    assert abs(float(torch.corrcoef(neighbors)[0, 1])) < 4 / math.sqrt(values.numel())
    again, other = (draw(page, "N(0, 1)", 100, seed)[0] for seed in (7, 8))
    assert torch.equal(again, X)
    assert not torch.isclose(other, X).any(dim=1).all()
    # Every start scales the same draws.
    torch.testing.assert_close(draw(page, "He", 100, 7)[1], weights * math.sqrt(2 / 100))


def test_histogram_counts_every_value(page, generator):
    values = torch.randn(1000, dtype=torch.float64, generator=generator)
    low, high = float(values.min()), float(values.max())
    found = page.evaluate(
        "([H, low, high]) => signalMath.histogram(H, low, high, 40)", [values.tolist(), low, high]
    )
    expected = torch.histc(values, 40, low, high) / 1000
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), expected)


@pytest.mark.parametrize(
    ("activation", "start", "outcome"),
    [
        ("tanh", "N(0, 0.01²)", "vanishes"),
        ("tanh", "N(0, 1)", "saturates"),
        ("tanh", "Xavier", "lasts"),
        ("logistic", "Xavier", "vanishes"),
        ("logistic", "N(0, 1)", "saturates"),
        ("ReLU", "Xavier", "fades"),
        ("ReLU", "He", "lasts"),
        ("ReLU", "N(0, 1)", "explodes"),
        ("SELU", "LeCun", "lasts"),
        ("ELU", "orthogonal", "lasts"),
    ],
)
def test_outcomes_are_right(page, activation, start, outcome):
    assert page.evaluate(OUTCOME, [activation, start]) == outcome


def test_all_choices_are_compared(page):
    assert page.evaluate("signalMath.ACTIVATIONS") == list(ACTIVATIONS)
    assert page.evaluate("Object.keys(signalMath.STARTS)") == list(STARTS)
