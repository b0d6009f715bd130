"""Checkpoints: everything that a run needs to go on as if it had never been interrupted."""

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

import safetensors.torch
import torch
from torch import Tensor, nn

from deeplearn._check import check_tensor, check_type

__all__ = ["ModelZoo", "load_checkpoint", "save_checkpoint"]
_RANDOM_STATE = "random_state"


@contextmanager
def _written_whole(path: Path) -> Iterator[BinaryIO]:
    """Write beside ``path``, then move over it: it holds the old content or the new, never half."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _all_or_nothing(path: Path, objects: Mapping[str, Any]) -> Iterator[None]:
    """Give all objects their states back if one does not fit."""
    before = {name: deepcopy(value.state_dict()) for name, value in objects.items()}
    try:
        yield
    except Exception as error:
        for name, value in objects.items():
            value.load_state_dict(before[name])
        raise ValueError(f"a state in {path} does not fit its object: {error}") from error


def save_checkpoint(path: str | Path, **objects: Any) -> Path:
    """Write the state of the named objects, and the random states of torch, to one file.

    An object with a ``state_dict`` is saved through it. Anything else is saved as it is: numbers,
    strings, tensors, lists and dictionaries of those. The file is written beside ``path`` and then
    moved over it. So whenever the machine stops, ``path`` holds either the old checkpoint or the
    new one. The path is returned.

    Raises:
        TypeError: if a value is of a kind that :func:`load_checkpoint` would refuse.
        ValueError: if nothing is named, or if something is named ``random_state``.
        FileNotFoundError: if the folder of ``path`` does not exist.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = save_checkpoint(Path(folder) / "run.pt", model=torch.nn.Linear(2, 1), epoch=3)
    ...     load_checkpoint(path, model=torch.nn.Linear(2, 1))
    {'epoch': 3}
    """
    path = Path(path)
    if not objects:
        raise ValueError("nothing to save; name what belongs to the run: model=model, epoch=3")
    if _RANDOM_STATE in objects:
        raise ValueError(f"{_RANDOM_STATE} is saved by itself; choose another name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path needs an existing folder, got {path}; create {path.parent}")
    content = {
        name: value.state_dict() if hasattr(value, "state_dict") else value
        for name, value in objects.items()
    }
    content[_RANDOM_STATE] = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    with _written_whole(path) as file:
        torch.save(content, file)
        file.flush()
        if refused := torch.serialization.get_unsafe_globals_in_checkpoint(file.name):
            wanted = f"{', '.join(objects)} must hold tensors and plain values"
            raise TypeError(f"{wanted}, got {sorted(refused)}; convert them: float(x), str(x)")
    return path


def load_checkpoint(path: str | Path, **objects: Any) -> dict[str, Any]:
    """Give the named objects their saved states, restore the random state, return the other values.

    Objects that are not named are left out, so ``load_checkpoint(path, model=model)`` takes the
    model alone; what was saved of the others is in the dictionary that is returned. Nothing but
    tensors and plain values is unpickled, so a file from a stranger runs no code. After an error
    every object is as it was before.

    Raises:
        TypeError: if an object has no ``load_state_dict``.
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or no checkpoint, if a name is not in it, or if a state
            does not fit its object.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = save_checkpoint(Path(folder) / "run.pt", epoch=3)
    ...     load_checkpoint(path)["epoch"]
    3
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be a checkpoint, got {path}; no such file")
    for name, value in objects.items():
        if not hasattr(value, "load_state_dict"):
            wanted = f"{name} must be an object with load_state_dict"
            raise TypeError(f"{wanted}, got {value!r}; take it from the dictionary returned")
    content, random_state = _read(path)
    if missing := sorted(set(objects) - set(content)):
        raise ValueError(f"{path} holds no {', '.join(missing)}; it has {sorted(content)}")
    with _all_or_nothing(path, objects):
        for name, value in objects.items():
            value.load_state_dict(content.pop(name))
        torch.set_rng_state(random_state[0])
        torch.cuda.set_rng_state_all(random_state[1:])
    return content


def _read(path: Path) -> tuple[dict[str, Any], list[torch.Tensor]]:
    with path.open("rb") as file:
        try:
            # torch.load does not compare the checksums, so a flipped bit would become a weight.
            with ZipFile(file) as archive:
                if archive.testzip() is not None:
                    raise BadZipFile("a checksum does not fit")
            file.seek(0)
            content = torch.load(file, map_location="cpu", weights_only=True)
            return content, content.pop(_RANDOM_STATE)
        except Exception as error:
            wanted = f"path must be a whole checkpoint, got {path}, damaged or something else"
            raise ValueError(f"{wanted}; use an earlier one") from error


class ModelZoo:
    """A catalog of trained models in a folder: one file each, weights with what is known of them.

    The files are safetensors, in which no code can hide. An entry is a dictionary of ``name,
    description, metrics, metadata, created, sha256, size``; ``size`` is in bytes. It is kept in the
    header of the file as JSON, with the SHA-256 of the file (counted with that of the JSON in its
    place).

    Raises:
        FileNotFoundError: if ``folder`` does not exist.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = ModelZoo(folder).save("elu", nn.Linear(2, 1), metrics={"accuracy": 0.98}, lr=0.1)
    ...     entry = ModelZoo(folder).load("elu", nn.Linear(2, 1))
    >>> entry["name"], entry["metrics"], entry["metadata"]
    ('elu', {'accuracy': 0.98}, {'lr': 0.1})
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"folder must exist, got {folder}; create it: Path.mkdir")

    def save(
        self, name: str, model: nn.Module, *, metrics: Mapping[str, float] | None = None,
        description: str = "", overwrite: bool = False, **metadata: Any,
    ) -> Path:  # fmt: skip
        """Write the state of a model with its entry, and return the path of the file.

        ``metadata`` are plain values of your choice, such as sizes and ``lr``.

        Raises:
            TypeError: if ``model`` is not a module, or if a value of the entry is not plain.
            ValueError: if ``name`` holds anything but letters, digits and ``_ .+=-``.
            FileExistsError: if the name is taken; ``overwrite=True`` replaces the file.
        """
        check_type("model", model, nn.Module)
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w .+=-]*", name):
            raise ValueError(f"name must be made of letters, digits and _ .+=-, got {name!r}")
        if (path := self.folder / f"{name}.safetensors").exists() and not overwrite:
            raise FileExistsError(f"name is taken, got {name!r}; choose another or overwrite=True")
        entry = {"description": description, "metrics": metrics or {}, "metadata": metadata}
        entry["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            text = json.dumps(entry)
        except TypeError as error:
            raise TypeError(f"metadata must be plain: float(x), str(x); got {entry}") from error
        state = model.state_dict()
        for key, value in state.items():
            check_tensor(f"state_dict()[{key!r}]", value)
            # Memory of its own for each key: the format does not know tied weights, or strides.
            state[key] = value.clone(memory_format=torch.contiguous_format)
        blank = sha256(text.encode()).hexdigest()
        content = safetensors.torch.save(state, {"entry": text, "sha256": blank})
        with _written_whole(path) as file:
            file.write(content.replace(blank.encode(), sha256(content).hexdigest().encode()))
        return path

    def load(self, name: str, model: nn.Module) -> dict[str, Any]:
        """Give a model the weights of that name, all or none, and return the entry.

        Raises:
            TypeError: if ``model`` is not a module.
            FileNotFoundError: if there is no model of that name.
            ValueError: if the file is damaged, or if the weights do not fit ``model``.
        """
        check_type("model", model, nn.Module)
        paths = {path.stem: path for path in self.folder.glob("*.safetensors")}
        if name not in paths:
            raise FileNotFoundError(f"name must be one of {sorted(paths)}, got {name!r}")
        entry, state = _read_model(paths[name])
        with _all_or_nothing(paths[name], {"model": model}):
            model.load_state_dict(state)
        return entry

    def list(self) -> list[dict[str, Any]]:
        """Return the entries by name; a damaged file is left out, with a warning that names it."""
        entries = []
        for path in sorted(self.folder.glob("*.safetensors")):
            try:
                entries.append(_read_model(path)[0])
            except ValueError as error:
                warnings.warn(str(error), stacklevel=2)
        return entries


def _read_model(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        content = path.read_bytes()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        text, digest = header["entry"], header["sha256"]
        blank = sha256(text.encode()).hexdigest()
        if sha256(content.replace(digest.encode(), blank.encode())).hexdigest() != digest:
            raise ValueError("another hash")
        entry = {"name": path.stem, **json.loads(text), "sha256": digest, "size": len(content)}
        return entry, safetensors.torch.load(content)
    except (
        OSError,  # a folder of that name
        RecursionError,  # a header nested too deeply
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        safetensors.SafetensorError,
    ) as error:
        raise ValueError(f"{path} must be a model of a zoo, got a damaged file") from error
