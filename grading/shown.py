"""What of this machine a room shows: Python with its packages, `deeplearn`, and the data set."""

import functools
import importlib.util
import os
import shlex
import sys
import sysconfig
from pathlib import Path

import platformdirs

DATA = "*-ubyte*"  # the files of MNIST, packed or not
FILES = [f"{p}-{k}-ubyte" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")]


@functools.cache
def python_folders() -> list[Path]:
    """The folders of this Python, its packages, and `deeplearn`."""
    spec = importlib.util.find_spec("deeplearn")
    found = [Path(sys.prefix), Path(sys.base_prefix)]
    return found + ([Path(spec.origin).parent] if spec and spec.origin else [])


def data_set() -> tuple[str, list[Path]]:
    """What ``DEEPLEARN_DATA`` is in a room, where nothing can be downloaded, and its folder."""
    wanted = os.environ.get("DEEPLEARN_DATA", "")
    cache = platformdirs.user_cache_path("training-deep-networks") / "mnist"
    if not wanted:
        complete = all((cache / f"{name}.gz").is_file() for name in FILES)
        return (str(cache), [cache]) if complete else ("digits", [])
    folder = Path(wanted).expanduser().absolute()
    if wanted != "digits" and any(folder.glob(DATA)):
        return str(folder), [folder]
    return wanted, []


def closed() -> str:
    """What of this only root may read, where a room's user is another one, and the cure.

    Returns:
        A sentence, or nothing if all can be read.
    """
    if os.geteuid() != 0:
        return ""
    places = [(folder, [folder]) for folder in python_folders()]
    for kind in ("purelib", "platlib"):
        folder = Path(sysconfig.get_path(kind))
        places.append((folder, [folder, *filter(_is_package, folder.glob("*"))]))
    for folder, paths in places:
        for path in filter(_is_closed, paths):
            return f"{path} is closed to a room's user: chmod -R o+rX {shlex.quote(str(folder))}"
    for folder in data_set()[1]:
        files = [folder / f"{name}{end}" for name in FILES for end in ("", ".gz")]
        for path in filter(_is_closed, [folder, *files]):
            place = shlex.quote(str(folder))
            return f"{path} is closed to a room's user: chmod o+rX {place} {place}/{DATA}"
    return ""


def _is_package(path: Path) -> bool:
    return path.is_dir() and path.name.isidentifier() and path.name != "__pycache__"


def _is_closed(path: Path) -> bool:
    right = 0o005 if path.is_dir() else 0o004
    return path.exists() and path.stat().st_mode & right != right
