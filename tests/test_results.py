"""The page on results: all that it promises was measured, and its tables are what was stored."""

import re
from pathlib import Path

import pytest
import torch

from deeplearn.data import load_mnist
from deeplearn.models import mlp
from deeplearn.optim import SGD
from deeplearn.trainer import Trainer
from tests.book_rules import measured_numbers
from tools.results import store
from tools.results.__main__ import run, without_test_set
from tools.results.recipe import Augmented, Line, seeded
from tools.results.table import NUM_SEEDS, ROWS, TABLES, line_of, verdict, write
from tools.results.techniques import MaxNormOfOutgoing

BOOK = Path(__file__).parents[1] / "book"
PAGE = (BOOK / "results.md").read_text(encoding="utf-8")

rows = pytest.mark.parametrize("name", ROWS)

# What others measured; each figure must stand in some line of its table.
REFERENCE = {
    "techniques": ".9788 .970 .8952 .9742 .288 .7936 .9612 .9708 .9712 .9678 .9602 .958 .9590 .9688"
    " .9726 .9804 .9820 .9214 .9720 .9844 .9854",
    "digits": ".9726 .9891 .9942 .9949 .9862 .9889 46.9",
    "transfer": ".6402 .6116 1.45 .6910 .7809 .9134 .8482",
    "pairs": ".9765 .9654 .9458",
}


# What is stored


@pytest.fixture(scope="module")
def results() -> dict:
    return store.read(store.FILE)


@pytest.mark.parametrize("name", REFERENCE)
def test_every_figure_of_the_reference_has_its_line(name):
    shown = " ".join(line.reference for row in TABLES[name] for line in row.lines)
    assert set(REFERENCE[name].split()) <= set(re.findall(r"\d*\.\d+", shown))


@rows
def test_row_was_run_with_every_seed(name, results):
    assert set(map(str, range(NUM_SEEDS))) <= results["rows"].get(name, {}).keys()


@rows
def test_values_are_sane(name, results):
    for run_ in results["rows"].get(name, {}).values():
        assert run_["seconds"] > 0
        assert run_["cpu_seconds"] > 0
        for line in ROWS[name].lines:
            assert line.seconds in run_
            if line.form == Line.form:
                assert 0 <= run_[line.metric] <= 1


def test_only_known_rows_are_stored(results):
    assert results["rows"].keys() <= ROWS.keys()
    assert {"cpu", "cores", "torch", "threads", "date"} == results["machine"].keys()


def test_stored_tables_are_what_the_results_give(results, tmp_path):
    for path in write(results, tmp_path):
        stored = BOOK / "assets" / path.name
        assert stored.read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), (
            f"{stored.name} differs from {store.FILE.name}: run python -m tools.results --table"
        )


def test_page_shows_every_table_and_no_typed_figure():
    for name in (*TABLES, "machine", "behind"):
        assert f"```{{include}} assets/results_{name}.txt\n```" in PAGE
    assert measured_numbers(PAGE.split("---", 2)[2]) == []


# Running


@pytest.mark.data
def test_choices_never_see_the_test_set():
    data = load_mnist("digits")
    tried = without_test_set(data)
    num_valid = len(data.y_train) // 10
    assert torch.equal(tried.X_test, data.X_train[:num_valid])
    assert torch.equal(tried.X_train, data.X_train[num_valid:])


@pytest.mark.data
def test_a_row_runs_on_the_built_in_digits():
    data = load_mnist("digits")
    first, again = (run(ROWS["exponential"], data, seed=3) for _ in range(2))
    assert 0.5 < first["first"] <= 1
    assert 0.9 < first["accuracy"] <= 1
    assert first["cpu_seconds"] > 0
    assert [first[name] for name in ("first", "accuracy")] == [
        again[name] for name in ("first", "accuracy")
    ]


def test_augmented_batches_are_new_each_time_and_keep_their_labels():
    X, y = torch.rand(6, 784, generator=seeded(0)), torch.arange(6)
    loader = Augmented([(X, X.clone(), y)], seeded(1))
    (first, second, labels), (other, *_) = next(iter(loader)), next(iter(loader))
    assert len(loader) == 1
    assert labels is y
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_faulty_max_norm_holds_what_leaves_an_input():
    model = mlp([20, 30, 10, 5], generator=seeded(0))
    trainer = Trainer(model, SGD(model.parameters()), torch.nn.functional.cross_entropy)
    MaxNormOfOutgoing().on_step_end(trainer)
    assert model.hidden1.weight.norm(dim=0).max() <= 1
    assert model.hidden1.weight.norm(dim=1).max() > 1


# The tables


@pytest.mark.parametrize(
    ("line", "values", "said"),
    [
        (Line("", "", "x"), [0.5], ""),
        (Line("", "", "x", goal=0.98), [0.97, 0.99, 0.985], "ahead by 0.0050"),
        (Line("", "", "x", goal=0.98), [0.98004], "reached"),
        (Line("", "", "x", goal=0.98), [0.96, 0.97, 0.975], "**behind** by 0.0100"),
        (
            Line("", "", "x", goal=0.98),
            [0.96, 0.97, 0.98],
            "**behind** by 0.0100, the best seed reaches it",
        ),
        (
            Line("", "", "x", goal=0.98),
            [0.96, 0.97, 0.97996],  # shown as the goal is
            "**behind** by 0.0100, the best seed reaches it",
        ),
        (Line("", "", "x", goal=3.0, at_most=True, form="{:.1f}"), [2.0], "ahead by 1.0"),
        (Line("", "", "x", goal=3.0, at_most=True, form="{:.1f}"), [4.5], "**behind** by 1.5"),
        (Line("", "", "x", goal=0.0, form="{:+.4f}"), [0.01], "ahead by 0.0100"),
    ],
)
def test_verdicts(line, values, said):
    assert verdict(line, values) == said


def test_a_line_shows_median_and_range_and_what_is_missing():
    line = Line("a", "b", "x", ".97", goal=0.98)
    runs = {str(n): {"x": x, "cpu_seconds": 2.0} for n, x in enumerate([0.97, 0.99, 0.985])}
    start = "| a<br><small>b</small> | .97 |"
    shown = "0.9850<br>(0.9700 to 0.9900), 3 of 5 seeds | ≥ 0.9800<br>ahead by 0.0050 | 2.0 |"
    assert line_of(line, runs) == f"{start} {shown}"
    assert line_of(line, {}) == f"{start} not measured yet | ≥ 0.9800 |  |"
