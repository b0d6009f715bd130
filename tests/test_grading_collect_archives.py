"""What is not taken, and why: hostile and broken zips, links, devices, what is too large."""

import io
import os
import stat
import zipfile

import pytest

import grading.exports
from grading.archives import Limits
from grading.collect import collect
from tests.collecting import (
    CUT,
    MOODLE,
    PLAIN,
    TOY,
    endings,
    handed_in,
    notebook,
    packed,
)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("answer.ipynb", PLAIN, "lost their names"),
        ("answer.ipynb", notebook("last_year"), "another course"),
        ("answer.ipynb", CUT, "damaged"),
        ("answer.ipynb", notebook("first", "p1"), "could be other or pair/part_1"),
        ("toys.ipynb", PLAIN, "lost their names"),
        ("pair.ipynb", PLAIN, "could be pair/part_1 or pair/part_2"),
        ("toy.py", b"print()", ".py file"),
        ("toy.pdf", b"%PDF-1.7", ".pdf file"),
        ("toy.json", b'{"a": 1}', ".json file"),
        ("toy.rar", b"Rar!", "archive"),
        ("toy.ipynb", b" " * 2_000_001, "larger than"),
        ("work.zip", packed({"toy.ipynb": b" " * 2_000_001}), "larger than"),
        ("work.zip", packed({"toy.ipynb": TOY})[:-40], "damaged or cut off"),
        ("work.zip", b"no zip at all", "damaged or cut off"),
        ("work.zip", packed({"../toy.ipynb": TOY}), "leads out"),
        ("work.zip", packed({"/tmp/toy.ipynb": TOY}), "absolute"),
        ("work.zip", packed({"C:\\toy.ipynb": TOY}), "absolute"),
        ("work.zip", packed({"x/" * 600 + "toy.ipynb": TOY}), "characters long"),
        ("work.zip", packed({f"{n}.txt": b"" for n in range(60)}), "more than 50 files"),
        ("work.zip", packed({f"toy{n}.ipynb": b"0" * 900_000 for n in range(9)}), "in all"),
        ("a.zip", packed({"b.zip": packed({"c.zip": packed({"toy.ipynb": TOY})})}), "2 other zips"),
        ("x/" * 40 + "toy.ipynb", TOY, "folders in each other"),
    ],
)
def test_what_is_not_taken_has_a_reason_and_stops_nobody(course, export, name, content, reason):
    files = {f"Eve_1_assignsubmission_file_/{name}": content, f"{MOODLE}/toy.ipynb": TOY}
    limits = Limits(notebook=1_000_000, unpacked=5_000_000, entries=50)
    lines = collect(course, [export(files)], limits=limits)
    assert handed_in(course) == {"ada_lovelace_123456/toy/toy.ipynb": TOY}
    mine = [line for line in lines if line.student in ("eve_1", "")]
    assert any(line.status == "not taken" and reason in line.reason for line in mine), lines
    assert not [line for line in mine if line.status in ("taken", "replaced")]


def entry(name, **changes):
    """An entry of a zip with odd properties."""
    info = zipfile.ZipInfo(name)
    for key, value in changes.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (entry("toy.ipynb", external_attr=(stat.S_IFLNK | 0o777) << 16), "symbolic link"),
        (entry("toy.ipynb", external_attr=(stat.S_IFBLK | 0o777) << 16), "device"),
        (entry("toy.ipynb", compress_type=zipfile.ZIP_LZMA), "unusual"),
    ],
)
@pytest.mark.parametrize("form", ["folder", "export.zip"])
def test_odd_entries_of_zips(course, export, info, reason, form):
    files = {"ada.zip": packed({info: TOY}), "bob.ipynb": TOY}
    lines = collect(course, [export(files, form)])
    assert endings(lines) == [("ada", "", "not taken"), ("bob", "toy", "taken")]
    assert reason in lines[0].reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"toyX.ipynb", b"toy\0.ipynb", "NUL"),
        (None, None, "encrypted"),
        (b"answer", b"ANSWER", "damaged"),
    ],
)
def test_zips_that_were_tampered_with(course, export, old, new, reason):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("toyX.ipynb", TOY)
    data = stream.getvalue()
    if old:
        data = data.replace(old, new)
    else:  # the flag stands in the entry's own header and in the list at the end
        data = bytearray(data)
        for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(mark) + offset] |= 1
    lines = collect(course, [export({"ada.zip": bytes(data)})])
    assert [line.status for line in lines] == ["not taken"]
    assert reason in lines[0].reason
    assert handed_in(course) == {}


def test_a_zip_that_lies_about_its_size(course, export):
    data = bytearray(packed({"toy.ipynb": b" " * 3_000_000}))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(mark) + offset
        data[place : place + 4] = (100).to_bytes(4, "little")
    lines = collect(course, [export({"ada.zip": bytes(data)})])
    assert [line.status for line in lines] == ["not taken"]


def test_links_and_devices_in_folders_are_not_followed(course, export, tmp_path):
    path = export({f"{MOODLE}/toy.ipynb": TOY})
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(TOY)
    for number, make in enumerate(
        (
            lambda to: to.symlink_to(secret),
            lambda to: to.hardlink_to(secret),
            os.mkfifo,
        )
    ):
        folder = path / f"Eve_{number}_assignsubmission_file_"
        folder.mkdir()
        make(folder / "toy.ipynb")
    (path / "Eve_9_assignsubmission_file_").symlink_to(tmp_path)
    lines = collect(course, [path])
    assert handed_in(course) == {"ada_lovelace_123456/toy/toy.ipynb": TOY}
    reasons = {line.student: line.reason for line in lines}
    assert "symbolic link" in reasons["eve_0"]
    assert "hard link" in reasons["eve_1"]
    assert "pipe" in reasons["eve_2"]
    assert "symbolic link" in reasons["eve_9"]


def test_a_folder_that_may_not_be_read(course, export, monkeypatch):
    path = export({"ada/toy.ipynb": TOY, "bob/toy.ipynb": TOY})
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("ada"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(grading.exports.os, "scandir", refuse)
    lines = collect(course, [path])
    assert endings(lines) == [("ada", "", "not taken"), ("bob", "toy", "taken")]
    assert "Permission denied" in lines[0].reason
