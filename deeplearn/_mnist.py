"""Where the digits come from: IDX files in a folder, a cached download, or scikit-learn's own.

``deeplearn.data.load_mnist`` chooses between the three.
"""

import gzip
import hashlib
import logging
import math
import queue
import struct
import sys
import tempfile
import threading
import time
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad
from tqdm import tqdm

with warnings.catch_warnings():
    # In a notebook without ipywidgets this import warns on stderr, and nbgrader then scores 0.
    warnings.simplefilter("ignore")
    import pooch

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# SHA-256 of what each file holds once unpacked, in the order that load_mnist returns them.
CONTENTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
# SHA-256 of the .gz files that the mirrors send.
ARCHIVES = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
CONNECT_SECONDS, SILENCE_SECONDS = 3.0, 5.0
SLOWEST = 10_000  # bytes a second: below, the download would take longer than a lesson has
RETRY_SECONDS = 3600.0

Arrays = tuple[Tensor, Tensor, Tensor, Tensor]


class DownloadError(OSError):
    """MNIST is not in the cache and could not be downloaded. The message says why, and the cure."""


# IDX files in a folder


def read_folder(folder: Path, *, verify: bool) -> Arrays:
    """Return X_train, y_train, X_test, y_test from the four IDX files in ``folder``."""
    candidates = {name: (folder / f"{name}.gz", folder / name) for name in CONTENTS}
    paths = {name: next(filter(Path.is_file, two), None) for name, two in candidates.items()}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        lacks = "lacks" if folder.is_dir() else "is not a folder with"
        cure = f"put them there from {MIRRORS[0]}, with or without .gz, give an absolute path, or"
        raise FileNotFoundError(
            f"DEEPLEARN_DATA names {folder.absolute()}, which {lacks} {', '.join(missing)}; {cure} "
            "unset DEEPLEARN_DATA"
        )
    tensors = {name: _read_file(path, name, verify) for name, path in paths.items()}
    for kind in ("train", "t10k"):
        images, labels = (name for name in tensors if name.startswith(kind))
        if (number := len(tensors[images])) != len(tensors[labels]):
            expected = f"a label for each of the {number:,} images in {paths[images].name}"
            raise _broken(paths[labels], expected, f"{len(tensors[labels]):,} labels")
    return tuple(tensors.values())


def _read_file(path: Path, name: str, verify: bool) -> Tensor:
    """Return the images (N, 784) in [0, 1] or the labels (N,) that one IDX file holds."""
    content = _unpack(path)
    # The structure before the hash: it says more about what went wrong.
    items = _parse(path, content, (28, 28) if "images" in name else ())
    if "labels" in name and items.max() > 9:
        raise _broken(path, "labels from 0 to 9", f"label {items.max()}")
    found = hashlib.sha256(content).hexdigest()
    if verify and found != CONTENTS[name]:
        otherwise = ", or pass verify=False if it is another data set on purpose"
        raise _broken(path, f"MNIST, content with SHA-256 {CONTENTS[name]}", found, otherwise)
    if "images" in name:
        scaled = np.divide(items, 255, dtype=np.float32)
        return torch.from_numpy(scaled).reshape(len(items), 784)
    return torch.from_numpy(items.astype(np.int64))


def _unpack(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            return file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _broken(path, "a complete gzip file", str(error)) from error


def _parse(path: Path, content: bytes, item_shape: tuple[int, ...]) -> np.ndarray:
    """Return the array of bytes that IDX ``content`` describes, once its header fits its length."""
    dims = 1 + len(item_shape)
    header = struct.Struct(f">{1 + dims}I")
    if len(content) < header.size:
        raise _broken(path, f"an IDX header of {header.size} bytes", f"{len(content)} bytes in all")
    magic, count, *shape = header.unpack_from(content)
    if magic != 0x0800 + dims:
        raise _broken(path, f"an IDX file that starts with {0x0800 + dims:#010x}", f"{magic:#010x}")
    if tuple(shape) != item_shape:
        raise _broken(path, f"images of shape {item_shape}", f"shape {tuple(shape)}")
    length = header.size + count * math.prod(item_shape)
    if count == 0:
        raise _broken(path, "an item", "none")
    if len(content) != length:
        expected = f"{length:,} bytes, as its header promises {count:,} items"
        raise _broken(path, expected, f"{len(content):,} bytes")
    return np.frombuffer(content, np.uint8, offset=header.size).reshape(count, *item_shape)


def _broken(path: Path, expected: str, found: str, otherwise: str = "") -> ValueError:
    cure = f"replace it by {MIRRORS[0]}{path.name.removesuffix('.gz')}.gz{otherwise}"
    return ValueError(f"{path}: expected {expected}, found {found}; {cure}")


# A download, kept in a cache


def cache_folder() -> Path:
    """Return the folder where downloads are kept, wherever the operating system wants caches."""
    return pooch.os_cache("training-deep-networks") / "mnist"


def fetch() -> Path:
    """Return the cache folder, after downloading what it lacks of the four archives."""
    folder = cache_folder()
    marker = folder / "download-failed.txt"
    try:
        missing = [name for name in ARCHIVES if not _is_cached(folder, name)]
        if not missing:
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass  # What cannot be kept need not be downloaded.
    except OSError as error:
        raise _unavailable(f"the cache folder cannot be used: {error}") from error
    _respect(marker)
    try:
        mirrors = _answering(missing[0])
        for name in missing:
            _download(name, mirrors, folder)
    except ConnectionError as error:
        with suppress(OSError):
            marker.write_text(str(error), encoding="utf-8")
        raise _unavailable(str(error), marker, time.time()) from error
    marker.unlink(missing_ok=True)
    return folder


def _is_cached(folder: Path, name: str) -> bool:
    path = folder / f"{name}.gz"
    return path.is_file() and pooch.file_hash(str(path)) == ARCHIVES[name]


def _respect(marker: Path) -> None:
    """Raise if a download failed lately: twenty notebooks must not wait for it twenty times."""
    try:
        failed_at = marker.stat().st_mtime
        reason = marker.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if 0 <= time.time() - failed_at < RETRY_SECONDS:
        raise _unavailable(reason, marker, failed_at)


def _unavailable(reason: str, marker: Path | None = None, failed_at: float = 0.0) -> DownloadError:
    retry = ""
    if marker is not None:
        clock = time.strftime("%H:%M", time.localtime(failed_at + RETRY_SECONDS))
        retry = f"The download is tried again after {clock}, or at once if you delete {marker}.\n"
    return DownloadError(
        f"MNIST could not be downloaded: {reason}.\n{retry}"
        f"To use MNIST without a download, put its four files ({', '.join(CONTENTS)}, each with or "
        "without .gz) in a folder, and set the environment variable DEEPLEARN_DATA to that folder."
    )


def _answering(name: str) -> list[str]:
    """Return the mirrors that offer ``name``; give up on the others after a few seconds.

    The question is asked in threads because looking up a host has no time limit of its own, and
    the limit on connecting holds for each of a host's many addresses.
    """
    answers = queue.SimpleQueue()

    def ask(mirror: str) -> None:
        head = pooch.HTTPDownloader(timeout=(CONNECT_SECONDS, SILENCE_SECONDS))
        try:
            found = head(f"{mirror}{name}.gz", None, None, check_only=True)
            answers.put((mirror, None if found else f"does not offer {name}.gz"))
        except OSError as error:
            answers.put((mirror, _root(error)))

    for mirror in MIRRORS:
        threading.Thread(target=ask, args=(mirror,), daemon=True).start()
    troubles = dict.fromkeys(MIRRORS, f"no answer in {SILENCE_SECONDS:g} s")
    deadline = time.monotonic() + SILENCE_SECONDS
    with suppress(queue.Empty):
        for _ in MIRRORS:
            mirror, trouble = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            troubles[mirror] = trouble
    mirrors = [mirror for mirror, trouble in troubles.items() if trouble is None]
    if not mirrors:
        raise _failed(troubles)
    return mirrors


def _download(name: str, mirrors: list[str], folder: Path) -> None:
    """Put ``name`` in ``folder`` from the first mirror that delivers; else raise."""
    # pooch reports each download on stderr, where nbgrader allows nothing; the bar is on stdout.
    pooch.get_logger().setLevel(logging.WARNING)
    troubles = {}
    for mirror in mirrors:
        try:
            # Some total, until pooch knows the true one: it asks for the truth value of the bar.
            with _Progress(desc=name, total=1, unit="B", unit_scale=True, file=sys.stdout) as bar:
                load = pooch.HTTPDownloader(bar, timeout=(CONNECT_SECONDS, SILENCE_SECONDS))
                archive = f"{name}.gz"
                url, sha256 = mirror + archive, ARCHIVES[name]
                path = pooch.retrieve(url, sha256, archive, folder, downloader=load)
            # pooch leaves it to its owner alone; a submission is graded as another user
            with suppress(OSError):
                Path(path).chmod(0o644)
            return
        except (OSError, ValueError) as error:
            troubles[mirror] = _root(error)
    raise _failed(troubles)


class _Progress(tqdm):
    """A progress bar that ends a download which is not silent but crawls."""

    def update(self, n: float = 1) -> bool | None:
        shown = super().update(n)
        elapsed = time.time() - self.start_t
        if elapsed > SILENCE_SECONDS and self.n < SLOWEST * elapsed:
            raise TimeoutError(f"slower than {SLOWEST / 1000:g} kB/s")
        return shown


def _root(error: BaseException) -> str:
    """Return what went wrong first, without the layers of requests and urllib3 around it."""
    while error.__context__ is not None:
        error = error.__context__
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _failed(troubles: dict[str, str]) -> ConnectionError:
    return ConnectionError("; ".join(f"{urlsplit(m).netloc}: {t}" for m, t in troubles.items()))


# The substitute


def digits() -> Arrays:
    """Return scikit-learn's digits as X_train, y_train, X_test, y_test in the shape of MNIST."""
    from sklearn.datasets import load_digits  # a second of import, for those who need it

    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float().unsqueeze(1) / 16
    # As in MNIST, the digit takes the middle 20 × 20 pixels. Bicubic overshoots, hence the clamp.
    enlarged = interpolate(images, size=(20, 20), mode="bicubic", align_corners=False).clamp_(0, 1)
    X, y = pad(enlarged, (4, 4, 4, 4)).flatten(1), torch.from_numpy(bunch.target).long()
    # Every fifth of the rows sorted by digit: each digit keeps its share, without chance.
    test = torch.zeros(len(y), dtype=torch.bool)
    test[y.argsort(stable=True)[::5]] = True
    return X[~test], y[~test], X[test], y[test]
