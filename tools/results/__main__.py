"""Train every row of the page on results, over several seeds, and write its tables.

    python -m tools.results                     all rows, 5 seeds; what is stored is not run again
    python -m tools.results --rows l1 dropout   only these
    python -m tools.results --try --rows l1     on validation data, once; nothing is stored
    python -m tools.results --table             the tables of the page, from what is stored

It needs MNIST, in DEEPLEARN_DATA or by download. A run is stored as soon as it ends, so start it
again after an interruption. Two processes may work at once on different rows.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from deeplearn.data import MNIST, load_mnist
from tools.results import store
from tools.results.recipe import Row, split
from tools.results.table import NUM_SEEDS, ROWS, write


def mnist() -> MNIST:
    return load_mnist("mnist")


def without_test_set(data: MNIST) -> MNIST:
    """Let the validation set stand for the test set: choices are made on this."""
    (X, y), (X_valid, y_valid), _ = split(data)
    return MNIST(X, y, X_valid, y_valid, data.source)


def run(row: Row, data: MNIST, seed: int) -> dict[str, float]:
    """Run a row once; add the seconds on the wall and on the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout draws from the global generator, as in torch
        values = row.run(data, seed)
    seconds = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    return {name: float(value) for name, value in values.items()} | seconds


def run_missing(
    rows: list[Row], num_seeds: int, path: Path, load: Callable[[], MNIST], *, force: bool = False
) -> int:
    """Run and store what is not stored yet, seed by seed; return the number of runs."""
    store.check_machine(path, store.read(path))
    data, done = None, 0
    for seed in range(num_seeds):
        for row in rows:
            if not force and store.has(path, row.name, seed):
                continue
            data = load() if data is None else data
            values = run(row, data, seed)
            store.add(path, row.name, seed, values)
            done += 1
            print(f"{row.name}, seed {seed}: {shown(values)}", flush=True)
    return done


def shown(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW",
                        help=f"all if left out: {', '.join(ROWS)}")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=NUM_SEEDS, help="how many, from 0 on")
    parser.add_argument("--force", action="store_true", help="run again what is stored")
    parser.add_argument("--try", action="store_true", dest="tried", help="on validation data")
    parser.add_argument("--table", action="store_true", help="write the tables, run nothing")
    parser.add_argument("--file", type=Path, default=store.FILE, help="the stored results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.table:
        print(*write(store.read(options.file), options.file.parent), sep="\n")
        return 0
    rows = [ROWS[name] for name in options.rows]
    if options.tried:
        data = without_test_set(mnist())
        for row in rows:
            print(f"{row.name}: {shown(run(row, data, 0))}", flush=True)
        return 0
    try:
        run_missing(rows, options.seeds, options.file, mnist, force=options.force)
    finally:  # what was measured before an interruption is shown, too
        write(store.read(options.file), options.file.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
