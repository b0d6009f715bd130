"""What a grade depends on beside the submission: the course, this package, its libraries."""

import hashlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

# modules of this package that neither score nor write what students get
WITHOUT_EFFECT = {
    *("collect", "exports", "layouts", "archives", "doctor", "report", "report_page"),
    *("csv_files", "item_analysis", "audit", "answers", "leaks", "sample", "hand_in", "__main__"),
    *("environment", "leftovers", "cures"),
}


def environment_key(files: Iterable[Path], folders: Iterable[Path]) -> str:
    """A hash of these files, of all files in these folders, and of the environment.

    Args:
        files: each counts with its name.
        folders: all that lies in them counts, in order.
    """
    digest = hashlib.sha256(os.environ.get("DEEPLEARN_DATA", "").encode())
    for package in ("nbgrader", "torch"):
        digest.update(_version(package).encode())
    code = [_package_folder(name) for name in ("grading", "deeplearn")]
    counted = list(files)
    counted += [
        path
        for folder in code
        if folder
        for path in sorted(folder.glob("*.py"))
        if path.stem not in WITHOUT_EFFECT
    ]
    counted += [path for folder in folders for path in sorted(folder.rglob("*"))]
    for path in counted:
        if path.is_file():
            digest.update(os.fsencode(path.name) + f"\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
