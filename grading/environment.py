"""What a grade depends on beside the submission: the course, this package, its libraries."""

import hashlib
import importlib.util
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from grading.shown import data_set

# modules of this package that neither score nor write what students get
WITHOUT_EFFECT = {
    *("collect", "exports", "layouts", "archives", "doctor", "report", "report_page"),
    *("csv_files", "item_analysis", "audit", "answers", "leaks", "sample", "hand_in", "__main__"),
    *("leftovers", "cures", "settings", "config_file", "out_of_date", "questions", "late"),
}


def environment_key(files: Iterable[Path], folders: Iterable[Path]) -> str:
    """A hash of these files, of all files in these folders, and of the environment.

    The environment is Python, all packages that are installed, this package, `deeplearn` and the
    data set that submissions are given, by the names and sizes of its files.

    Args:
        files: each counts with its name.
        folders: all that lies in them counts, with its path inside; what is hidden does not.
    """
    digest = hashlib.sha256(repr(_data()).encode())
    digest.update("\0".join([platform.python_version(), *_installed()]).encode())
    code = [_package_folder(name) for name in ("grading", "deeplearn")]
    counted = [(path.name, path) for path in files]
    counted += [
        (path.name, path)
        for folder in code
        if folder
        for path in sorted(folder.glob("*.py"))
        if path.stem not in WITHOUT_EFFECT
    ]
    for folder in folders:
        inside = [(path.relative_to(folder), path) for path in sorted(folder.rglob("*"))]
        counted += [(name.as_posix(), path) for name, path in inside if not is_hidden(name)]
    for name, path in counted:
        if path.is_file():
            digest.update(os.fsencode(name) + f"\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def is_hidden(path: Path) -> bool:
    """Whether a file lies where Jupyter, Python or a system keeps what nobody wrote.

    Args:
        path: relative to the folder that is looked at.
    """
    return any(part.startswith((".", "__pycache__")) for part in path.parts)


def package_files(folder: Path) -> dict[str, bytes]:
    """All files below a folder but notebooks, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".ipynb" and not is_hidden(path.relative_to(folder))
    }


def _installed() -> list[str]:
    """All installed packages, each as ``name-version.dist-info``.

    The names of the folders are read, and no metadata: that would take a hundred times as long.
    Python is asked for its own folders alone; what else is on the path differs from start to start.
    """
    folders = [Path(name) for name in sys.path]
    ours = [folder for folder in folders if folder.name in ("site-packages", "dist-packages")]
    return sorted({found.name for folder in ours for found in folder.glob("*.dist-info")})


def _data() -> list[tuple[str, int]] | str:
    """What tells the data set from another one, wherever it lies."""
    wanted, folders = data_set()
    found = [(path.name, path.stat().st_size) for place in folders for path in place.iterdir()]
    return sorted(found) or wanted


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
