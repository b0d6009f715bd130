"""What deeplearn and grading cost: times of ours and of the alternative, taken in turns in one run.

Run ``make bench``, or ``make bench STRICT=--strict`` to fail where a goal is missed. One thread;
MNIST where ``DEEPLEARN_DATA`` is set, else the digits of scikit-learn, repeated.

A repetition times both sides, one right after the other and in changing order. Printed are the
medians of the times on the wall, and the medians of the ratios on the wall and on the processor. A
goal is held against the latter: other work on the machine, however much, hardly moves it. It leaves
out the wait for the disk; the row of ``save_checkpoint`` tells how long that is.

Then classes are graded, in isolation and on all cores, one of them beside plain nbgrader. This part
takes a quarter of an hour; ``--only training`` and ``--only grading`` do one of the two.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from classes import grade_classes
from epochs import peak_memory, trainers, transfer
from parts import parts
from timing import HEADER

MOST_MEMORY = 600  # MB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--strict", action="store_true", help="fail where a goal is missed")
    parser.add_argument(
        "--repetitions", type=int, default=21, help="of an epoch; twice of the rest"
    )
    parser.add_argument("--only", choices=("training", "grading"), help="leave out the other part")
    options = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "grading":
            missed += training(Path(folder), options.repetitions)
        if options.only != "training":
            missed += grade_classes(Path(folder))
    print(f"goals missed: {', '.join(missed)}" if missed else "all goals met")
    return int(options.strict and bool(missed))


def training(folder: Path, repetitions: int) -> list[str]:
    """Print what training costs; return the goals that were missed."""
    torch.set_num_threads(1)
    memory = peak_memory()
    print(HEADER)
    results = trainers(folder, repetitions)
    results.append(transfer(repetitions))
    results += parts(folder, 2 * repetitions)
    print(f"\npeak memory of training {memory:,.0f} MB (goal: below {MOST_MEMORY}), one thread, "
          f"torch {torch.__version__}")  # fmt: skip
    missed = [result.name for result in results if not result.met]
    return missed + (["memory of training"] if memory >= MOST_MEMORY else [])


if __name__ == "__main__":
    sys.exit(main())
