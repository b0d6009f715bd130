"""Checkpoints: everything that a run needs to go on as if it had never been interrupted."""

import os
from copy import deepcopy
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch

__all__ = ["load_checkpoint", "save_checkpoint"]

_RANDOM_STATE = "random_state"


def save_checkpoint(path: str | Path, **objects: Any) -> Path:
    """Write the state of the named objects, and torch's random state on the CPU, to one file.

    An object with a ``state_dict`` is saved through it; anything else (numbers, strings, tensors,
    lists and dictionaries of those) as it is. The file is written beside ``path`` and then moved
    over it: whenever the machine stops, ``path`` holds either the old checkpoint or the new one.

    Raises:
        TypeError: if a value is of a kind that :func:`load_checkpoint` would refuse.
        ValueError: if nothing is named.
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
    content[_RANDOM_STATE] = torch.get_rng_state()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        if refused := torch.serialization.get_unsafe_globals_in_checkpoint(temporary):
            raise TypeError(
                f"{', '.join(objects)} must hold tensors and plain values, got {sorted(refused)}; "
                "convert them: float(x), torch.as_tensor(x), str(x)"
            )
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def load_checkpoint(path: str | Path, **objects: Any) -> dict[str, Any]:
    """Give the named objects their saved states, restore the random state, return the plain values.

    Objects that are not named are left out, so that ``load_checkpoint(path, model=model)`` takes
    the model alone. Nothing but tensors and plain values is unpickled, so a file from a stranger
    runs no code.

    Raises:
        TypeError: if a named object has no ``load_state_dict``; plain values are returned.
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or not a checkpoint, if a name is not in it, or if a
            state does not fit its object; then every object is as it was before.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be a checkpoint, got {path}; no such file")
    for name, value in objects.items():
        if not hasattr(value, "load_state_dict"):
            raise TypeError(
                f"{name} must be an object with load_state_dict, got {value!r}; "
                "leave it out and take it from the dictionary that is returned"
            )
    content, random_state = _read(path)
    missing = sorted(set(objects) - set(content))
    if missing:
        raise ValueError(f"{path} holds no {', '.join(missing)}; it has {sorted(content)}")
    before = {name: deepcopy(value.state_dict()) for name, value in objects.items()}
    try:
        for name, value in objects.items():
            value.load_state_dict(content.pop(name))
        torch.set_rng_state(random_state)
    except Exception as error:
        for name, value in objects.items():
            value.load_state_dict(before[name])
        raise ValueError(f"a state in {path} does not fit its object: {error}") from error
    return content


def _read(path: Path) -> tuple[dict[str, Any], torch.Tensor]:
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
            raise ValueError(
                f"path must be a whole checkpoint, got {path}, which is damaged or something else; "
                "use an earlier one"
            ) from error
