"""What lies in a folder or a zip that a learning platform exported, found and read safely."""

import os
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grading.archives import (
    Limits,
    Unreadable,
    bad_entry,
    open_zip,
    read_entry,
    size,
    split,
    within,
    zip_name,
)
from grading.intake import JUNK, is_junk

# a link is not followed, a pipe not waited for; not every system has all of these
FLAGS = ("O_RDONLY", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
READ = sum(getattr(os, flag, 0) for flag in FLAGS)


@dataclass(frozen=True)
class Item:
    """A file of an export.

    Attributes:
        parts: its path in the export: folders, zips, its own name.
        place: where it is read: a path on the disk, then the entries of zips, by their number.
        reason: why it cannot be read, or nothing.
    """

    parts: tuple[str, ...]
    place: tuple[Path | int, ...] = ()
    reason: str = ""


class Export:
    """A folder, a zip or a single file. Use it in a ``with`` statement.

    Args:
        path: the folder, zip or file.
        limits: what is read at most.
    """

    def __init__(self, path: Path, limits: Limits | None = None):
        self.path = path
        self.limits = limits or Limits()
        self.is_zip = path.is_file() and path.suffix.lower() == ".zip"
        self._open: dict[tuple, zipfile.ZipFile] = {}
        self._last: dict[tuple, zipfile.ZipFile] = {}  # one at most
        self._entries: Counter = Counter()
        self._unpacked: Counter = Counter()
        self._start = 0
        self._known = False  # whether all files were found, and their sizes with them

    def __enter__(self) -> "Export":
        return self

    def __exit__(self, *_) -> None:
        for archive in self._open.values():
            archive.close()
        self._open.clear()
        self._close_last()

    def items(self) -> Iterator[Item]:
        """Every file, in the order of names in folders and of entries in zips.

        Raises:
            Unreadable: if the export itself is a zip that cannot be opened.
        """
        if self.path.is_dir():
            yield from self._folder(self.path, ())
        elif self.is_zip:
            archive = self._open[(self.path,)] = self._zip((self.path,), "")
            tops = {split(zip_name(info))[0] for info in archive.infolist()}
            tops -= JUNK
            self._start = int(len(tops) == 1)
            yield from self._members(archive, (), (self.path,), 0)
        else:
            yield Item((readable(self.path.name),), (self.path,))
        self._known = True

    def read(self, item: Item, limit: int) -> bytes:
        """The content of a file.

        Raises:
            Unreadable: if it is longer than ``limit``, or damaged, or not a plain file.
        """
        if item.reason:
            raise Unreadable(item.reason)
        return self._read(item.place, limit, self._owner(item.parts))

    def _owner(self, parts: tuple[str, ...]) -> str:
        """What is at the top of the export: each has limits of its own, whatever others send."""
        return parts[min(self._start, len(parts) - 1)]

    def _folder(self, folder: Path, parts: tuple[str, ...]) -> Iterator[Item]:
        if len(parts) > self.limits.folders:
            yield Item(parts, reason=f"more than {self.limits.folders} folders in each other")
            return
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield Item(parts or (".",), reason=f"the folder cannot be read: {error.strerror}")
            return
        for entry in entries:
            if is_junk(entry.name):
                continue
            here = (*parts, readable(entry.name))
            reason = self._count(here) or _link(entry)
            if reason:
                yield Item(here, reason=reason)
            elif entry.is_dir(follow_symlinks=False):
                yield from self._folder(Path(entry.path), here)
            else:
                yield from self._file(here, (Path(entry.path),), 0)

    def _count(self, parts: tuple[str, ...]) -> str:
        """Count a file; the reason if there are too many, or its path is too long."""
        owner = self._owner(parts)
        self._entries[owner] += 1
        if self._entries[owner] > self.limits.entries:
            return f"more than {self.limits.entries:,} files"
        length = len("/".join(parts))
        return f"the name is {length:,} characters long" if length > self.limits.name else ""

    def _file(self, parts: tuple[str, ...], place: tuple, level: int) -> Iterator[Item]:
        """One file, or what is in it if it is a zip; ``level`` counts the zips around it."""
        if not parts[-1].lower().endswith(".zip"):
            yield Item(parts, place)
            return
        if level >= self.limits.depth:
            yield Item(parts, reason=f"a zip in {level} other zips; only {level} are opened")
            return
        try:
            archive = self._open[place] = self._zip(place, self._owner(parts))
        except Unreadable as error:
            yield Item(parts, reason=str(error))
            return
        try:
            yield from self._members(archive, parts, place, level + 1)
        finally:
            del self._open[place]
            archive.close()

    def _zip(self, place: tuple, owner: str) -> zipfile.ZipFile:
        if place == (self.path,):
            return open_zip(self.path, self.limits.export)
        return open_zip(self._read(place, self.limits.zipped, owner), self.limits.entries)

    def _members(
        self, archive: zipfile.ZipFile, parts: tuple[str, ...], place: tuple, level: int
    ) -> Iterator[Item]:
        for number, info in enumerate(archive.infolist()):
            name = zip_name(info)
            names = split(name)
            if name.endswith(("/", "\\")) or any(is_junk(part) for part in names):
                continue
            wrong = bad_entry(info, name)
            here = (*parts, *names)
            reason = self._count(here) or wrong
            if reason:
                # a path that leads elsewhere belongs to nobody: it stays in one piece
                yield Item((*parts, name) if "the name" in wrong else here, reason=reason)
            else:
                yield from self._file(here, (*place, number), level)

    def _read(self, place: tuple, limit: int, owner: str) -> bytes:
        if len(place) == 1:
            return _read_file(place[0], limit)
        around = place[:-1]
        archive = self._open.get(around) or self._again(around, owner)
        data = read_entry(archive, place[-1], limit)
        if not self._known:
            self._unpacked[owner] += len(data)
        if self._unpacked[owner] > self.limits.unpacked:
            raise Unreadable(f"more than {size(self.limits.unpacked)} in all")
        return data

    def _again(self, place: tuple, owner: str) -> zipfile.ZipFile:
        """A zip that was closed; it stays open, for what is read next is often beside it."""
        if place not in self._last:
            self._close_last()
            archive = self._zip(place, owner)
            self._close_last()  # the one around it
            self._last[place] = archive
        return self._last[place]

    def _close_last(self) -> None:
        for archive in self._last.values():
            archive.close()
        self._last.clear()


def _read_file(path: Path, limit: int) -> bytes:
    """Read a plain file; what became a link or a device meanwhile is not followed."""
    try:
        handle = os.open(path, READ)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise Unreadable("not a plain file")
            # as much memory is asked for as is to be read
            return within(file.read(min(limit, found.st_size) + 1), limit)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error


def readable(name: str) -> str:
    """A file's name as text: UTF-8, or else the old code page of zips, cp437."""
    return os.fsencode(name).decode("cp437") if not _is_text(name) else name


def _is_text(name: str) -> bool:
    return not any(unicodedata.category(character) == "Cs" for character in name)


def _link(entry: os.DirEntry) -> str:
    """The reason why this is neither a plain file nor a folder, or nothing."""
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISLNK(found.st_mode):
        return "a symbolic link; it is not followed"
    if stat.S_ISDIR(found.st_mode):
        return ""
    if not stat.S_ISREG(found.st_mode):
        return "a device or a pipe, not a file"
    return "a hard link to another file" if found.st_nlink > 1 else ""
