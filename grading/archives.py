"""Zips read safely: nothing is unpacked to the disk, and no word of the zip itself is trusted."""

import io
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

MB = 1 << 20
DAMAGED = (
    *(zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError),
    *(struct.error, zlib.error, OverflowError),
)


@dataclass(frozen=True)
class Limits:
    """What is read at most.

    Attributes:
        notebook: bytes of one notebook.
        zipped: bytes of one zip within an export.
        unpacked: bytes read in all from the zips of one folder or file at the top of an export, and
            bytes that one student may bring beside notebooks.
        entries: files in one such folder or file.
        export: files in an export.
        depth: how many zips within each other are opened, not counting the export itself.
        folders: how many folders within each other are entered.
        name: characters of a whole path in an export.
    """

    notebook: int = 20 * MB
    zipped: int = 200 * MB
    unpacked: int = 500 * MB
    entries: int = 10_000
    export: int = 200_000
    depth: int = 2
    folders: int = 30
    name: int = 1_000


class Unreadable(Exception):
    """A file that is not read; the message says why."""


def open_zip(data: bytes | Path, limit: int) -> zipfile.ZipFile:
    """Open a zip on the disk or in memory, if it has no more entries than ``limit``.

    Raises:
        Unreadable: if it has more, or cannot be opened.
    """
    many = f"the zip has more than {limit:,} files"
    # as many entries as there can be: counted before they are made
    if isinstance(data, bytes) and data.count(b"PK\x01\x02") > limit:
        raise Unreadable(many)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data) if isinstance(data, bytes) else data)
    except DAMAGED as error:
        raise Unreadable("the zip is damaged or cut off") from error
    if len(archive.infolist()) > limit:
        archive.close()
        raise Unreadable(many)
    return archive


def read_entry(archive: zipfile.ZipFile, number: int, limit: int) -> bytes:
    """The content of an entry; what the zip says of its length is not trusted.

    Raises:
        Unreadable: if it is longer than ``limit``, or damaged.
    """
    try:
        with archive.open(archive.infolist()[number]) as file:
            return within(file.read(limit + 1), limit)
    except DAMAGED as error:
        raise Unreadable("damaged or cut off in the zip") from error


def within(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise Unreadable(f"larger than {size(limit)}")
    return data


def size(number: int) -> str:
    """A number of bytes in words.

    >>> size(20 * MB), size(300)
    ('20 MB', '300 bytes')
    """
    return f"{number // MB} MB" if number >= MB else f"{number} bytes"


def zip_name(info: zipfile.ZipInfo) -> str:
    """An entry's name; a writer that forgot to say that it is UTF-8 is understood."""
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        try:
            return name.encode("cp437").decode("utf-8")
        except UnicodeError:
            return name
    return name


def split(name: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[/\\]", name) if part not in ("", ".")) or ("",)


def bad_entry(info: zipfile.ZipInfo, name: str) -> str:
    """The reason why an entry of a zip is not read, or nothing."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if "\0" in name:
        return "the name holds a NUL"
    if re.match(r"[/\\]|[A-Za-z]:", name):
        return "the name is an absolute path"
    if ".." in split(name):
        return "the name leads out of the zip (..)"
    if kind == stat.S_IFLNK:
        return "a symbolic link; it is not followed"
    if kind not in (0, stat.S_IFREG):
        return "a device or a pipe, not a file"
    if info.flag_bits & 0x1:
        return "encrypted; ask for it without a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed in an unusual way; ask for an ordinary zip"
    return ""
