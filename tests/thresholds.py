"""How surely does a right solution pass? Run all tests of an assignment with many seeds.

    python tests/thresholds.py ASSIGNMENT [RUNS [FIRST]]

Each run executes the reference solution and its tests in this process, every seed of the notebook
moved by a multiple of 1000. It prints a table of what failed, and of the accuracies that the
assignment's threshold must allow. Run it once after each change of an assignment, with MNIST in
DEEPLEARN_DATA and with DEEPLEARN_DATA=digits, and keep the tables in
tests/answers/<assignment>/thresholds.md.
"""

import collections
import contextlib
import io
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import nbformat
import torch

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Plan:
    """How to run one assignment.

    Attributes:
        accuracy: reads from the notebook's names the number that the threshold is for.
        once: cells that are executed once, beside the setup and the tools.
        skipped: experiments, which earn nothing and take most of the time.
        unmoved: cells that compare the seeds themselves.
    """

    accuracy: Callable[[dict], float]
    once: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    unmoved: tuple[str, ...] = ()


PLANS = {
    "digits_0_to_4": Plan(
        lambda names: names["first_accuracy"],
        once=("sets",),
        skipped=("search", "batch_norm_runs", "dropout_runs"),
        unmoved=("run_seeds", "test_run_seeds"),
    ),
    "transfer_5_to_9": Plan(
        lambda names: names["_given_measure"](names["frozen_network"], *names["test_set"]),
        skipped=("cache_run", "sweep_run", "compare_run"),
        unmoved=("sweep", "test_sweep"),
    ),
    "siamese_pretraining": Plan(
        lambda names: names["pairs_right"],
        skipped=("show_pairs", "two_heads", "loss_figure", "comparison"),
    ),
}


def measure(assignment: str, runs: int = 200, first: int = 0) -> None:
    """Run the tests ``runs`` times, numbered from ``first``, and print the table."""
    plan = PLANS[assignment]
    path = ROOT / "solutions" / assignment / f"{assignment}.ipynb"
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    code = {cell.metadata.nbgrader.grade_id: cell.source for cell in cells}
    events = SimpleNamespace(register=lambda *_: None)
    base = {"__name__": "assignment", "get_ipython": lambda: SimpleNamespace(events=events)}
    for name in ("setup", "tools", *plan.once):
        exec(compile(code.pop(name) if name != "tools" else code[name], name, "exec"), base)
    failed, accuracies = collections.Counter(), []
    for run in range(first, first + runs):
        torch.manual_seed(run)
        names = {**base, "unmoved": base["seeded"]}
        names["seeded"] = lambda seed, run=run: base["seeded"](seed + 1000 * run)
        for name, source in code.items():  # the tools again: they look names up where they stand
            if name in plan.skipped:
                continue
            if name in plan.unmoved:
                source = source.replace("seeded(seed)", "unmoved(seed)")
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(source, name, "exec"), names)
            except AssertionError as error:
                failed[name] += 1
                print(f"run {run}, {name}: {error}")
        accuracies.append(plan.accuracy(names))
        print(f"run {run}: {accuracies[-1]:.4f}", file=sys.stderr)
    accuracies.sort()
    print("\n| data | runs | runs x tests that failed | accuracy: lowest | median | highest |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    print(
        f"| {base['data'].source} | {runs} | {dict(failed) or 'none'} | {accuracies[0]:.4f} | "
        f"{statistics.median(accuracies):.4f} | {accuracies[-1]:.4f} |"
    )


if __name__ == "__main__":
    matplotlib.use("Agg")
    measure(sys.argv[1], *map(int, sys.argv[2:]))
