"""The file of the results: one JSON, replaced whole after every run, shared by two processes."""

import datetime
import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "book" / "assets" / "results.json"


def machine() -> dict[str, str | int]:
    """Return what the times depend on."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")  # platform.processor() is empty on many a Linux
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def read(path: Path) -> dict:
    """Return the results in ``path``: ``machine`` and ``rows``; both empty if there is no file.

    Raises:
        ValueError: if the file is not JSON, or if something is missing in it.
    """
    if not path.exists():
        return {"machine": {}, "rows": {}}
    cure = "restore it from git, or remove it and measure anew"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: it is not JSON ({error}); {cure}") from error
    if problem := _problem(results):
        raise ValueError(f"{path} is damaged: {problem}; {cure}")
    return results


def _problem(results: object) -> str | None:
    if not isinstance(results, dict) or not {"machine", "rows"} <= results.keys():
        return "it must hold machine and rows"
    if not all(isinstance(part, dict) for part in (results["machine"], results["rows"])):
        return "machine and rows must be objects"
    for name, runs in results["rows"].items():
        for seed, run in runs.items() if isinstance(runs, dict) else [("", None)]:
            if not seed.isdecimal() or not isinstance(run, dict):
                return f"row {name!r} must map seeds to runs"
            if not all(isinstance(value, int | float) for value in run.values()):
                return f"row {name!r}, seed {seed}, holds something else than numbers"
    return None


def has(path: Path, row: str, seed: int) -> bool:
    """Say whether this run was stored."""
    return str(seed) in read(path)["rows"].get(row, {})


def add(path: Path, row: str, seed: int, values: dict[str, float]) -> None:
    """Store one run. A reader finds the old file or the new one, and never a part.

    Raises:
        ValueError: if the file holds runs of another machine, or is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        results = read(path)
        check_machine(path, results)
        results["machine"] = machine() | {"date": datetime.date.today().isoformat()}
        runs = results["rows"].setdefault(row, {})
        runs[str(seed)] = {name: round(float(value), 6) for name, value in values.items()}
        results["rows"][row] = dict(sorted(runs.items(), key=lambda item: int(item[0])))
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        partial.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)


def check_machine(path: Path, results: dict) -> None:
    """Refuse to mix the times of two machines in one file.

    Raises:
        ValueError: if the results were measured on another machine, or with another torch.
    """
    known = {name: value for name, value in results["machine"].items() if name != "date"}
    if known and known != (here := machine()):
        raise ValueError(f"{path} was measured on {known}, this is {here}; choose another --file")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # A file of its own: the results themselves are replaced while others wait for the lock.
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
