"""The files beside a notebook that a room is given: copied, or readable where they are too many."""

import os
from pathlib import Path

PAGE = 4096  # files take whole pages of memory
MOST_COPIED = 2_000  # files and folders


def to_copy(folder: Path, most: int) -> dict[Path, int] | None:
    """The folders and files beside a notebook, folders first, with the memory that a copy takes.

    None if they take more than ``most`` bytes, or are more than a submission may have. What the
    grader cannot read is left out.
    """
    found: dict[Path, int] = {}
    for path in folder.rglob("*"):
        if not os.access(path, os.R_OK) or path.is_symlink():
            continue
        if path.is_dir():
            found[path] = PAGE
        elif path.is_file() and path.suffix != ".ipynb":
            found[path] = PAGE + path.stat().st_size
            most -= found[path]
        if most < 0 or len(found) > MOST_COPIED:
            return None
    return dict(sorted(found.items()))


def to_show(folder: Path, work: str) -> list[str]:
    """What lies beside a notebook, readable at ``work``, as arguments of bubblewrap."""
    paths = [path for path in sorted(folder.iterdir()) if not path.is_symlink()]
    shown = [(str(p), f"{work}/{p.name}") for p in paths if p.suffix != ".ipynb"]
    return [word for source, place in shown for word in ("--ro-bind", source, place)]
