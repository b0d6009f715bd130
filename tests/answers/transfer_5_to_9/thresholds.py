"""How surely does a right solution pass? Run all tests of the assignment with many seeds.

    python tests/answers/transfer_5_to_9/thresholds.py [RUNS]

Each run executes the reference solution and its tests in this process, every seed of the notebook
moved by a multiple of 1000. It prints a table of what failed, and of the accuracies that the
threshold of `test_frozen_accuracy` must allow. Run it once after each change of the
assignment, with MNIST in DEEPLEARN_DATA and without, and keep the table in thresholds.md.
"""

import collections
import contextlib
import io
import statistics
import sys
from pathlib import Path

import matplotlib
import nbformat
import torch

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT / "solutions" / "transfer_5_to_9" / "transfer_5_to_9.ipynb"
ONCE = ("setup", "tools")
# The experiments earn nothing, and take most of the time.
SKIPPED = (*ONCE, "cache_run", "sweep_run", "compare_run")


def measure(runs: int) -> None:
    """Run the tests ``runs`` times, and print the table."""
    nb = nbformat.read(NOTEBOOK, as_version=4)
    code = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nb.cells
        if cell.cell_type == "code"
    }
    base = {"__name__": "assignment"}
    for name in ONCE:
        exec(compile(code[name], name, "exec"), base)
    failed, accuracies = collections.Counter(), []
    for run in range(runs):
        torch.manual_seed(run)
        space = dict(base)
        space["unmoved"] = base["seeded"]
        space["seeded"] = lambda seed, run=run: base["seeded"](seed + 1000 * run)
        # The tools look their names up where they are defined.
        exec(compile(code["tools"], "tools", "exec"), space)
        for name, source in code.items():
            if name in SKIPPED:
                continue
            if name in ("sweep", "test_sweep"):
                # Here the seeds themselves are compared.
                source = source.replace("seeded(seed)", "unmoved(seed)")
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(source, name, "exec"), space)
            except AssertionError as error:
                failed[name] += 1
                print(f"run {run}, {name}: {error}")
        accuracies.append(space["given_measure"](space["frozen_network"], *space["test_set"]))
    accuracies.sort()
    print("\n| data | runs | runs x tests that failed | test accuracy: lowest | median | highest |")
    print("| --- | ---: | --- | ---: | ---: | ---: |")
    print(
        f"| {base['data'].source} | {runs} | {dict(failed) or 'none'} | {accuracies[0]:.4f} | "
        f"{statistics.median(accuracies):.4f} | {accuracies[-1]:.4f} |"
    )


if __name__ == "__main__":
    matplotlib.use("Agg")
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
