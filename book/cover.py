"""The picture on the first page: one signal, ten layers, four ways to start.

Run ``python book/cover.py`` to compute it again and write ``book/assets/signal.svg``.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn

from deeplearn.activations import ReLU
from deeplearn.diagnostics import record_activations
from deeplearn.init import kaiming_normal_, xavier_normal_
from deeplearn.models import mlp
from deeplearn.plots import MARKERS, PALETTE, use_style

FIGURE = Path(__file__).parent / "assets" / "signal.svg"
UNITS, LAYERS, INPUTS = 500, 10, 1000


@torch.no_grad()
def twice_he_(weight: Tensor, generator: Generator | None = None) -> Tensor:
    """Fill a weight with He's initialization times two."""
    return kaiming_normal_(weight, generator=generator).mul_(2)


# What the label of a line says of it, and how its weights start, from the strongest signal down.
STARTS: dict[str, Callable[..., Tensor]] = {
    "twice He\nexplodes": twice_he_,
    "He\nlasts": kaiming_normal_,
    "Xavier\nfades": xavier_normal_,
    "0.01\nvanishes": partial(nn.init.normal_, std=0.01),
}


def signal(init_: Callable[..., Tensor], *, seed: int = 0) -> list[float]:
    """Return the standard deviation of the input and of each layer's output, top layer last."""
    generator = Generator().manual_seed(seed)
    X = torch.randn(INPUTS, UNITS, generator=generator).double()
    model = mlp([UNITS] * (LAYERS + 2), ReLU, init_, generator=generator).double()
    with torch.no_grad(), record_activations(model, "activation.*") as seen:
        model(X)
    # Four digits: more than the eye sees, fewer than differ between two machines.
    return [float(f"{layer.std().item():.4g}") for layer in (X, *seen.values())]


def draw(signals: dict[str, list[float]]) -> Figure:
    """Draw the standard deviations against depth, each line labeled at its end."""
    figure, ax = plt.subplots(figsize=(5.6, 4.2))
    for (label, stds), color, marker in zip(signals.items(), PALETTE, MARKERS, strict=False):
        ax.plot(range(LAYERS + 1), stds, marker=marker, color=color)
        ax.annotate(
            label,
            (LAYERS, stds[-1]),
            (12, 0),
            textcoords="offset points",
            va="center",
            linespacing=1,
        )
    ax.set_yscale("log")
    ax.set_xticks(range(LAYERS + 1), ["input", *map(str, range(1, LAYERS + 1))])
    ax.set_xlabel("layer")
    ax.set_ylabel("standard deviation of the signal")
    return figure


def write(path: Path) -> None:
    """Compute the signals and write the picture: the same bytes at every run."""
    with plt.style.context(["default", {"svg.hashsalt": "signal", "svg.fonttype": "path"}]):
        use_style()
        figure = draw({label: signal(init_) for label, init_ in STARTS.items()})
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


if __name__ == "__main__":
    write(FIGURE)
    print(f"wrote {FIGURE}")
