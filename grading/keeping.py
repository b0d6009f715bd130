"""Files written such that nothing is lost: whole or not at all, and what was there is kept."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

EARLIER = ".earlier"
PART = ".part"  # what is being written: a run that was killed leaves this alone


class NotWritten(Exception):
    """A file that could not be put in its place; the message says why."""


class Keeping:
    """A folder in which what is replaced moves to ``.earlier``.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path):
        self.root = root
        self._now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")

    def write(self, path: Path, data: bytes, keep: bool = True) -> None:
        """Write a file such that it is there whole; what was there is kept among the earlier."""
        part = self.root / PART
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)  # a link would be written through
        if keep and path.is_file() and not path.is_symlink():
            # a copy, so that there is a file at every moment
            shutil.copy2(path, part)
            part.replace(self._earlier(path))
        elif keep and os.path.lexists(path):
            self.move_away(path)
        part.write_bytes(data)
        part.replace(path)

    def move_away(self, path: Path) -> None:
        """Put a file or a folder among the earlier ones."""
        path.rename(self._earlier(path))

    def make_room(self, folder: Path, place: tuple[str, ...]) -> None:
        """Move away a file of this folder that lies where a file's own folder has to be."""
        for name in place[:-1]:
            folder /= name
            if folder.is_file():
                self.move_away(folder)

    def refuse_links(self, folder: Path) -> None:
        """Raise `NotWritten` if this folder, or one around it, is a link."""
        while folder not in (self.root, folder.parent):
            if folder.is_symlink():
                name = folder.relative_to(self.root.parent)
                raise NotWritten(f"{name} is a link; nothing is written through it: remove it")
            folder = folder.parent

    def _earlier(self, path: Path) -> Path:
        """A free place for what is to be replaced, in a folder that is named after the time."""
        inside = path.parent.relative_to(self.root)
        folder = self.root / EARLIER / inside / self._now
        number = 1
        while os.path.lexists(folder / path.name):
            number += 1
            folder = folder.with_name(f"{self._now}-{number}")
        self.refuse_links(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / path.name
