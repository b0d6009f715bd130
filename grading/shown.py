"""What of this machine a room shows: Python with its packages, `deeplearn`, and the data set."""

import functools
import importlib.util
import os
import sys
import sysconfig
from pathlib import Path

import platformdirs

DATA = "*-ubyte*"  # the files of MNIST, packed or not


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
        complete = len([*cache.glob(DATA)]) == 4
        return (str(cache), [cache]) if complete else ("digits", [])
    folder = Path(wanted).expanduser()
    if wanted != "digits" and any(folder.glob(DATA)):
        return str(folder.absolute()), [folder]
    return wanted, []


def closed_path() -> str:
    """A path of these that root alone may read: in a room another user does. Empty if none is."""
    shown = [*python_folders(), *Path(sysconfig.get_path("purelib")).iterdir()]
    for folder in data_set()[1]:
        shown += [folder, *folder.glob(DATA)]
    for path in shown if os.geteuid() == 0 else ():
        right = 0o005 if path.is_dir() else 0o004
        if path.exists() and path.stat().st_mode & right != right:
            return str(path)
    return ""
