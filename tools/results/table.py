"""The tables of the page, written from the stored results."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tools.results import digits, pairs, reuse, sanity, techniques, transfer
from tools.results.recipe import Line, Row

TABLES: dict[str, list[Row]] = {
    "techniques": techniques.ROWS + reuse.ROWS,
    "digits": digits.ROWS,
    "transfer": transfer.ROWS,
    "pairs": pairs.ROWS,
    "checks": sanity.ROWS,
}
ROWS = {row.name: row for rows in TABLES.values() for row in rows}
NUM_SEEDS = 5

HEADER = [
    "| Technique | Reference | Median (range) | Goal | Seconds |",
    "| --- | ---: | ---: | --- | ---: |",
]


def verdict(line: Line, values: Sequence[float]) -> str:
    """Say on which side of its goal the median is, and by how much."""
    if line.goal is None:
        return ""
    sign = -1 if line.at_most else 1
    gain = sign * (median(values) - line.goal)
    by = line.form.replace("+", "").format(abs(gain))
    if by == line.form.replace("+", "").format(0):
        return "reached"
    if gain > 0:
        return f"ahead by {by}"
    best = max(values, key=lambda value: sign * value)
    shown_alike = line.form.format(best) == line.form.format(line.goal)
    within = sign * best >= sign * line.goal or shown_alike
    return f"**behind** by {by}{', the best seed reaches it' if within else ''}"


def line_of(line: Line, runs: dict[str, dict[str, float]]) -> str:
    """Return one line of a table; of a row that was not run, it says so."""
    goal = ""
    if line.goal is not None:
        goal = f"{'≤' if line.at_most else '≥'} {line.form.format(line.goal)}"
    cells = [f"{line.technique}<br><small>{line.configuration}</small>", line.reference]
    if not runs:
        return f"| {' | '.join([*cells, 'not measured yet', goal, ''])} |"
    values = [run[line.metric] for run in runs.values()]
    shown = [line.form.format(value) for value in (median(values), min(values), max(values))]
    ours = f"{shown[0]}<br>({shown[1]} to {shown[2]})"
    if len(values) < NUM_SEEDS:
        ours += f", {len(values)} of {NUM_SEEDS} seeds"
    if goal:
        goal += f"<br>{verdict(line, values)}"
    seconds = f"{median(run[line.seconds] for run in runs.values()):.1f}"
    return f"| {' | '.join([*cells, ours, goal, seconds])} |"


def table(rows: Sequence[Row], results: dict) -> str:
    lines = [line_of(line, results["rows"].get(row.name, {})) for row in rows for line in row.lines]
    return "\n".join([*HEADER, *lines]) + "\n"


def machine(results: dict) -> str:
    """Return a sentence on where and when it was measured, and how long it took in all."""
    runs = [run for seeds in results["rows"].values() for run in seeds.values()]
    if not runs:
        return "Nothing was measured yet.\n"
    here = results["machine"]
    minutes = sum(run["cpu_seconds"] for run in runs) / 60
    return (
        f"{len(runs)} runs, {minutes:.0f} minutes of the processor in all, on one thread of "
        f"{here['cpu']} with {here['cores']} cores, torch {here['torch']}. The last run was on "
        f"{here['date']}.\n"
    )


def behind(results: dict) -> str:
    """Return a list of all lines that miss their goal."""
    found = []
    for rows in TABLES.values():
        for row in rows:
            runs = results["rows"].get(row.name, {}).values()
            for line in row.lines if runs else []:
                said = verdict(line, [run[line.metric] for run in runs])
                if said.startswith("**behind**"):
                    found.append(f"- {line.technique}: {said}")
    return "\n".join(found or ["No line is behind its goal."]) + "\n"


def write(results: dict, folder: Path) -> list[Path]:
    """Write the text of each table to a file of ``folder``; return the paths."""
    texts = {name: table(rows, results) for name, rows in TABLES.items()}
    texts |= {"machine": machine(results), "behind": behind(results)}
    paths = []
    for name, text in texts.items():
        paths.append(folder / f"results_{name}.txt")
        paths[-1].write_text(text, encoding="utf-8")
    return paths
