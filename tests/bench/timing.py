"""Two sides timed in turns in one run, and the row of the table that tells how they compare."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

CLOCKS = (time.perf_counter, time.process_time)  # on the wall, on the processor
HEADER = f"{'':42}{'ours, ms':>12}{'theirs, ms':>12}{'wall':>8}{'CPU':>8}  {'goal':>6}"


@dataclass
class Result:
    """The times of both sides, one row (wall, processor) in seconds for each repetition."""

    name: str
    goal: float | None
    ours: list[tuple[float, float]]
    theirs: list[tuple[float, float]]

    def ratio(self, clock: int) -> float:
        pairs = zip(self.ours, self.theirs, strict=True)
        return statistics.median(a[clock] / b[clock] for a, b in pairs)

    @property
    def met(self) -> bool:
        return self.goal is None or self.ratio(1) <= self.goal

    def __str__(self) -> str:
        sides = (self.ours, self.theirs)
        times = "".join(f"{1e3 * statistics.median(t[0] for t in side):12.3f}" for side in sides)
        goal = "     –" if self.goal is None else f"≤ {self.goal:.2f}"
        verdict = "" if self.goal is None else "met" if self.met else "MISSED"
        ratios = f"{self.ratio(0):8.3f}{self.ratio(1):8.3f}"
        return f"{self.name:42}{times}{ratios}  {goal}  {verdict}".rstrip()


def timed(run: Callable[[], object]) -> tuple[float, float]:
    start = [clock() for clock in CLOCKS]
    run()
    wall, processor = (clock() - begin for clock, begin in zip(CLOCKS, start, strict=True))
    return wall, processor


def compare(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    repetitions: int,
    goal: float | None = None,
) -> Result:
    """Time both sides in turns, after one repetition that does not count."""
    result = Result(name, goal, [], [])
    ours()
    theirs()
    for number in range(repetitions):
        sides = [(ours, result.ours), (theirs, result.theirs)]
        for run, times in sides if number % 2 else reversed(sides):
            times.append(timed(run))
    print(result, flush=True)
    return result
