"""Exercise 10: same digit or not? Then ten digits from 500 labels of each; test accuracy."""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial

from torch import Generator, Tensor, nn

from deeplearn.data import MNIST, TensorLoader, stratified_split
from deeplearn.losses import binary_cross_entropy_with_logits
from deeplearn.metrics import accuracy
from deeplearn.models import mlp
from deeplearn.siamese import SiameseNet, sample_pairs
from deeplearn.transfer import freeze
from tools.results.recipe import (
    Augmented,
    Line,
    Row,
    Set,
    accuracy_on,
    one_cycle,
    seeded,
    stopwatch,
)

HIDDEN = [784, 100, 100, 100, 100, 100]
NUM_PAIRS, PAIR_EPOCHS, PAIR_BATCH = 25_600, 60, 256
EPOCHS, LONG, BATCH = 20, 60, 100  # of training on labels; LONG with augmentation


class Pairs:
    """A loader that draws new pairs for each epoch; all at once, as each draw sorts the labels."""

    def __init__(self, X: Tensor, y: Tensor, generator: Generator) -> None:
        self.X, self.y, self.generator = X, y, generator

    def __len__(self) -> int:
        return NUM_PAIRS // PAIR_BATCH

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        pairs = sample_pairs(self.X, self.y, NUM_PAIRS, generator=self.generator)
        yield from TensorLoader(*pairs, batch_size=PAIR_BATCH, shuffle=False)


def hidden_layers(generator: Generator) -> nn.Sequential:
    return mlp([*HIDDEN, 1], batch_norm=True, generator=generator)[:-1]


def pair_accuracy(output: Tensor, target: Tensor) -> float:
    return accuracy((output > 0).long(), target.long())


def train_on_pairs(
    first_part: Set, test: Set, shared: bool, generator: Generator
) -> tuple[nn.Sequential, float]:
    """Train two networks, or one that is used twice; return the first, and its accuracy."""
    first = hidden_layers(generator)
    second = None if shared else hidden_layers(generator)
    model = SiameseNet(first, second, num_features=100, generator=generator)
    trainer = one_cycle(
        model, Augmented(Pairs(*first_part, generator), generator), PAIR_EPOCHS, max_lr=0.01,
        loss_fn=binary_cross_entropy_with_logits, metrics={"accuracy": pair_accuracy},
    )  # fmt: skip
    pairs = sample_pairs(*test, len(test[1]) // 2 * 2, generator=generator)
    return first, trainer.evaluate(pairs)["accuracy"]


def classify(
    hidden: nn.Sequential, second_part: Set, test: Set, generator: Generator, *,
    frozen: bool = False, augmented: bool = False, max_lr: float = 0.003,
) -> float:  # fmt: skip
    """Train hidden layers under a new output layer on few labels; return the test accuracy."""
    hidden = deepcopy(hidden)
    if frozen:
        freeze(hidden, ".*")
    model = nn.Sequential(hidden, mlp([HIDDEN[-1], 10], generator=generator))
    loader = TensorLoader(*second_part, batch_size=BATCH, generator=generator)
    batches = Augmented(loader, generator) if augmented else loader
    one_cycle(model, batches, LONG if augmented else EPOCHS, max_lr=max_lr)
    return accuracy_on(model, test)


def pairs(data: MNIST, seed: int, *, shared: bool) -> dict[str, float]:
    """Train on pairs of 55,000 images; reuse network A for the ten digits of the other 5,000."""
    generator, test, values = seeded(seed), (data.X_test, data.y_test), {}
    num_labeled = min(5000, len(data.y_train) // 2)
    parts = stratified_split(
        data.X_train, data.y_train, valid_size=num_labeled, generator=generator
    )
    first_part, second_part = parts[:2], parts[2:]
    with stopwatch(values, "pairs_seconds"):
        hidden, values["pairs"] = train_on_pairs(first_part, test, shared, generator)
    run = partial(classify, second_part=second_part, test=test, generator=generator)
    ways = {
        "frozen": partial(run, hidden, frozen=True, max_lr=0.01),
        "tuned": partial(run, hidden),
        "tuned_augmented": partial(run, hidden, augmented=True),
        "scratch": partial(run, hidden_layers(generator), max_lr=0.01),
        "scratch_augmented": partial(run, hidden_layers(generator), augmented=True, max_lr=0.01),
    }
    if shared:  # from scratch there is nothing to share
        ways = {name: way for name, way in ways.items() if not name.startswith("scratch")}
    for name, way in ways.items():
        with stopwatch(values, f"{name}_seconds"):
            values[name] = way()
    return values


# --- the table ------------------------------------------------------------------------------------


def _lines(networks: str, shared: bool) -> list[Line]:
    """Return the lines of a row; the variant with shared weights has no reference."""
    trained = f"{NUM_PAIRS * PAIR_EPOCHS:,} pairs, batch norm, AdamW, 1cycle, augmentation"
    few, many = f"5,000 labels, {EPOCHS} epochs", f"5,000 labels, {LONG} epochs"
    lines = [
        ("pairs", f"pairs, {networks}", trained, ".9765", 0.985),
        ("frozen", f"10 classes, {networks}, frozen", few, ".9654", 0.970),
        ("tuned", f"10 classes, {networks}, fine-tuned", few, "", 0.980),
        ("tuned_augmented", f"10 classes, {networks}, fine-tuned, augmentation", many, "", 0.985),
        ("scratch", "10 classes, from scratch", few, ".9458", 0.9458),
        ("scratch_augmented", "10 classes, from scratch, augmentation", many, "", None),
    ]
    return [
        Line(technique, configuration, metric, "" if shared else reference, goal,
             seconds=f"{metric}_seconds")
        for metric, technique, configuration, reference, goal in lines
        if not (shared and metric.startswith("scratch"))
    ]  # fmt: skip


ROWS = [
    Row("pairs", partial(pairs, shared=False), _lines("two networks", shared=False)),
    Row("pairs_shared", partial(pairs, shared=True), _lines("shared weights", shared=True)),
]
