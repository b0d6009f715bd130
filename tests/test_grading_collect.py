"""Collecting from exports: who, which notebook, what is refused, and that nothing is lost."""

import argparse
import hashlib
import io
import json
import os
import re
import stat
import unicodedata
import zipfile

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.utils import parse_utc

import grading.exports
from grading.archives import Limits
from grading.collect import collect
from grading.commands import collect as command
from grading.course import Course, CourseError
from grading.layouts import origins, recognise, timestamp
from grading.student_ids import numbered_id, plain_id
from tests.toy_course import make_course, nbgrader, source_notebook

MOODLE = "Ada Lovelace_123456_assignsubmission_file_"


def notebook(*names, text="answer"):
    """A submission whose cells have these names."""
    cells = [new_code_cell(f"{text} = {n}", metadata=nbgrader(n, solution=True)) for n in names]
    return json.dumps(new_notebook(cells=cells)).encode()


TOY = notebook("double", "test_double", "halve", "test_halve", "explain")
OTHER = notebook("first", "second")
PLAIN = json.dumps(new_notebook(cells=[new_code_cell("x = 1")])).encode()
CUT = TOY[:200]


@pytest.fixture
def course(tmp_path):
    """A course of three assignments; one of them has two notebooks."""
    root = make_course(tmp_path / "course")
    for assignment, name, cells in (
        ("other", "other", ("first", "second")),
        ("pair", "part_1", ("p1", "p2", "p3")),
        ("pair", "part_2", ("q1", "q2", "q3")),
    ):
        folder = root / "solutions" / assignment
        folder.mkdir(exist_ok=True)
        nb = nbformat.reads(notebook(*cells).decode(), as_version=4)
        nbformat.write(nb, folder / f"{name}.ipynb")
    return Course(root)


@pytest.fixture
def export(tmp_path):
    """Write an export of files, as a folder or as a zip."""

    def write(files, name="export"):
        path = tmp_path / name
        if path.suffix == ".zip":
            path.write_bytes(packed(files))
        else:
            for inner, content in files.items():
                (path / inner).parent.mkdir(parents=True, exist_ok=True)
                (path / inner).write_bytes(content)
        return path

    return write


def packed(files, **options):
    """A zip of files, in memory."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tree(folder):
    """Every file below a folder that is not a record: path → content."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def handed_in(course):
    """What grading will find: path → content."""
    files = tree(course.root / "submitted")
    return {path: content for path, content in files.items() if not path.startswith(".")}


def record(course):
    return json.loads((course.root / "submitted" / ".collected.json").read_text("utf-8"))


def endings(lines):
    """student, assignment and status of each file that is told of."""
    return sorted((x.student, x.assignment, x.status) for x in lines if x.status != "ignored")


EXPORTS = {
    "nbgrader": (
        {
            "ada/toy/toy.ipynb": TOY,
            "ada/toy/timestamp.txt": b"2024-01-31 12:00:00.000000 UTC",
            "bob/other/other.ipynb": OTHER,
            "bob/other/data.csv": b"1,2",
        },
        {
            "ada/toy/toy.ipynb": TOY,
            "ada/toy/timestamp.txt": b"2024-01-31 12:00:00.000000 UTC",
            "bob/other/other.ipynb": OTHER,
        },
        {"ada": ("ada", "nbgrader", None, False), "bob": ("bob", "nbgrader", None, False)},
    ),
    "exchange": (
        {
            "ada+toy+2024-01-31 12:00:00.123456 UTC/toy.ipynb": TOY,
            "ada+toy+2024-01-30 12:00:00.123456 UTC/toy.ipynb": CUT,
            "bob+other+2024-01-31 12:00:00.000000 UTC+Ab3_-6789012/other.ipynb": OTHER,
        },
        {
            "ada/toy/toy.ipynb": TOY,
            "ada/toy/timestamp.txt": b"2024-01-31 12:00:00.123456 UTC",
            "bob/other/other.ipynb": OTHER,
            "bob/other/timestamp.txt": b"2024-01-31 12:00:00.000000 UTC",
        },
        {"ada": ("ada", "nbgrader", None, False), "bob": ("bob", "nbgrader", None, False)},
    ),
    "moodle": (
        {
            f"{MOODLE}/toy.ipynb": TOY,
            f"{MOODLE}/sub/final FINAL.ipynb": OTHER,
            "Ada Lovelace_123456_assignsubmission_onlinetext_/onlinetext.html": b"<p>done</p>",
            "李 明_42_assignsubmission_file/homework.ipynb": TOY,
        },
        {
            "ada_lovelace_123456/toy/toy.ipynb": TOY,
            "ada_lovelace_123456/other/other.ipynb": OTHER,
            "李_明_42/toy/toy.ipynb": TOY,
        },
        {
            "ada_lovelace_123456": ("Ada Lovelace", "moodle", "123456", False),
            "李_明_42": ("李 明", "moodle", "42", False),
        },
    ),
    "moodle, flat": (
        {
            f"{MOODLE}toy.ipynb": TOY,
            "Ada Lovelace_123456_assignsubmission_onlinetext_onlinetext.html": b"<p>done</p>",
            "José Núñez_7_assignsubmission_file_toy (1).ipynb": TOY,
        },
        {"ada_lovelace_123456/toy/toy.ipynb": TOY, "josé_núñez_7/toy/toy.ipynb": TOY},
        {
            "ada_lovelace_123456": ("Ada Lovelace", "moodle", "123456", False),
            "josé_núñez_7": ("José Núñez", "moodle", "7", False),
        },
    ),
    "canvas": (
        {
            "lovelaceada_12345_67890_toy.ipynb": CUT,
            "lovelaceada_12345_67999_toy-1.ipynb": TOY,
            "hopperg_LATE_222_68000_other-1.ipynb": OTHER,
            "hopperg_LATE_222_68001_notes.txt": b"sorry",
            "anon_x1Y2z_69000_toy.ipynb": TOY,
        },
        {
            "lovelaceada_12345/toy/toy.ipynb": TOY,
            "hopperg_222/other/other.ipynb": OTHER,
            "anon_x1Y2z/toy/toy.ipynb": TOY,
        },
        {
            "lovelaceada_12345": ("lovelaceada", "canvas", "12345", False),
            "hopperg_222": ("hopperg", "canvas", "222", True),
            "anon_x1Y2z": ("anon", "canvas", "x1Y2z", False),
        },
    ),
    "plain": (
        {
            "ada.ipynb": TOY,
            "bob.ipynb.txt": OTHER,
            "carl.json": TOY,
            "dora/my work/final FINAL.ipynb": OTHER,
            "emil.zip": packed({"work/hand_in.ipynb": TOY, "work/data.csv": b"1"}),
            "fay (2).ipynb": TOY,
        },
        {
            "ada/toy/toy.ipynb": TOY,
            "bob/other/other.ipynb": OTHER,
            "carl/toy/toy.ipynb": TOY,
            "dora/other/other.ipynb": OTHER,
            "emil/toy/toy.ipynb": TOY,
            "fay/toy/toy.ipynb": TOY,
        },
        {name: (name, "plain", None, False) for name in ("ada", "bob", "carl", "dora", "emil")}
        | {"fay": ("fay", "plain", None, False)},
    ),
}


@pytest.mark.parametrize("form", ["export", "export.zip"])
@pytest.mark.parametrize("kind", EXPORTS)
def test_an_export_is_collected_and_stays_as_it_is(course, export, tmp_path, kind, form):
    files, expected, people = EXPORTS[kind]
    path = export(files, form)
    before = path.read_bytes() if path.is_file() else tree(path)
    lines = collect(course, [path])
    assert handed_in(course) == expected
    assert (path.read_bytes() if path.is_file() else tree(path)) == before
    found = record(course)
    fields = ("name", "platform", "number", "late")
    assert {who: tuple(one[f] for f in fields) for who, one in found.items()} == people
    for one in found.values():
        content = files.get(one["from"])
        if content is not None:
            assert one["sha256"] == hashlib.sha256(content).hexdigest()
    assert not [line for line in lines if line.status == "not taken"]
    # once more: nothing changes
    after = tree(course.root / "submitted")
    again = collect(course, [path])
    assert tree(course.root / "submitted") == after
    assert {line.status for line in again} <= {"unchanged", "older", "ignored"}
    assert sum(line.status == "unchanged" for line in again) == sum(
        line.status == "taken" for line in lines
    )


def test_the_times_are_read_by_nbgrader(course, export):
    collect(course, [export(EXPORTS["exchange"][0])])
    assert course.api.get_submitted_timestamp("toy", "ada") == parse_utc(
        "2024-01-31 12:00:00.123456 UTC"
    )
    assert course.api.get_submitted_students("toy") == {"ada"}
    assert course.misplaced() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31 12:00:00.5 CET", "2024-01-31 11:00:00.500000 UTC"),
        ("2024-01-31 12:00:00 +0100", "2024-01-31 11:00:00.000000 UTC"),
        ("2024-01-31 12:00:00\n", "2024-01-31 12:00:00.000000 UTC"),
        ("2024-13-31 12:00:00 UTC", ""),
        ("yesterday", ""),
        ("2024-01-31 12:00:00 /etc/passwd", ""),
    ],
)
def test_times(text, expected):
    assert timestamp(text) == expected


@pytest.mark.parametrize(
    ("top", "student", "number", "late", "file"),
    [
        ("Ada M. O_1_assignsubmission_file_a_2_assignsubmission_file_b", "ada_m_o_1", "1", False,
         ("a_2_assignsubmission_file_b",)),
        ("Default group_assignsubmission_file_toy.ipynb", "default_group", "", False,
         ("toy.ipynb",)),
        ("Participant_9_assignsubmission_file_toy.ipynb", "participant_9", "9", False,
         ("toy.ipynb",)),
        ("a_LATE_1_2_b_3_4.ipynb", "a_1", "1", True, ("b_3_4.ipynb",)),
        ("LATE_anon_Ab1Cd_2_b.ipynb", "anon_Ab1Cd", "Ab1Cd", True, ("b.ipynb",)),
        ("lovelaceada_12345_text.html", "lovelaceada_12345", "12345", False, ("text.html",)),
        ("a+b+toy+2024-01-31 12:00:00 +0100", plain_id("a+b"), "", False, ()),
    ],
)  # fmt: skip
def test_names_that_platforms_give(top, student, number, late, file):
    found = recognise(top)
    assert (found.student, found.number, found.late, found.file) == (student, number, late, file)


@pytest.mark.parametrize("name", ["ada.ipynb", "hw_1_toy.ipynb", "a+b+c", "_assignsubmission_x_"])
def test_names_that_no_platform_gives(name):
    assert recognise(name) is None


HOSTILE = [
    "../../etc", "a/b", "a+b", ".hidden", "", "...", "x" * 500, "李" * 300, "con", "a\0b", "-rf",
    "\x1b[31mred", "\u202eevil", "a*b?[c]", "=cmd()", "a\nb", "ada ", "\U0001f600", "a\\b",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_ids_are_safe(name):
    for student in (plain_id(name), numbered_id(name, "12345")):
        assert re.fullmatch(r"[\w][\w.@-]*", student)
        assert len(student.encode()) <= 140
        assert unicodedata.normalize("NFC", student) == student
        assert student.lower() not in {"con", "nul"}
        assert plain_id(student) == student
    assert numbered_id(name, "12345").endswith("_12345")


def test_ids_are_different_for_different_names():
    assert len({plain_id(name) for name in HOSTILE}) == len(HOSTILE)
    assert plain_id("Jose\u0301") == plain_id("Jos\u00e9") == "Jos\u00e9"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("toy.ipynb", OTHER, "other"),  # the cells count, not the name
        ("x.ipynb", notebook("halve"), "toy"),
        ("x.ipynb", notebook("p1", "p2", "first"), "pair/part_1"),
        ("toy.ipynb", PLAIN, "toy"),
        ("my_toy-final.ipynb", PLAIN, "toy"),
        ("toy (1).ipynb", CUT, "toy"),
        ("toy-Copy1.ipynb.txt", CUT, "toy"),
        ("Kopie von Toy.ipynb", b"", "toy"),
        ("toy/x.ipynb", CUT, "toy"),
        ("pair/part_2.ipynb", PLAIN, "pair/part_2"),
        ("toy.ipynb", b"\xff\xfe", "toy"),
        ("toy.ipynb", b"[" * 100_000, "toy"),
        ("toy.ipynb", notebook("double").replace(b'"double"', b'{"a": 1}'), "toy"),
    ],
)
def test_the_notebook_is_found(course, export, name, content, expected):
    lines = collect(course, [export({f"Ada_1_assignsubmission_file_/{name}": content})])
    assert [(line.status, line.student) for line in lines] == [("taken", "ada_1")]
    place = expected if "/" in expected else f"{expected}/{expected}"
    assert handed_in(course) == {f"ada_1/{place}.ipynb": content}


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


def test_what_systems_leave_is_skipped_silently(course, export):
    junk = {"__MACOSX/._ada.ipynb": b"x", ".DS_Store": b"x", "ada/.ipynb_checkpoints/t.ipynb": TOY}
    for form in ("folder", "export.zip"):
        lines = collect(course, [export({"ada/toy.ipynb": TOY, **junk}, form)])
        assert [line.path for line in lines] == ["ada/toy.ipynb"]


def test_names_in_other_encodings(course, export, tmp_path):
    """A zip that does not say that its names are UTF-8, and one in the old code page."""
    for name, raw in (("José", "José".encode()), ("Zoë", "Zoë".encode("cp437"))):
        place = "_" * len(raw)
        data = packed({f"{place}_1_assignsubmission_file_toy.ipynb": TOY})
        path = export({}, f"{name}.zip")
        path.write_bytes(data.replace(place.encode() + b"_1", raw + b"_1"))
        collect(course, [path])
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / os.fsdecode(b"Andr\x82_2_assignsubmission_file_toy.ipynb")).write_bytes(TOY)
    collect(course, [folder])
    assert {path.split("/")[0] for path in handed_in(course)} == {"josé_1", "zoë_1", "andré_2"}
    assert record(course)["andré_2"]["name"] == "André"


@pytest.mark.parametrize(
    "names", [("Ada", "ada"), ("Jose\u0301", "Jos\u00e9"), ("Ada Lovelace", "Ada_Lovelace")]
)
def test_two_names_never_become_one_student(course, export, names):
    files = {f"{name}.ipynb": TOY for name in names} | {"bob.ipynb": TOY}
    lines = collect(course, [export(files, "export.zip")])
    assert list(handed_in(course)) == ["bob/toy/toy.ipynb"]
    refused = [line for line in lines if line.status == "not taken"]
    assert len(refused) == 2
    assert all("rename one" in line.reason for line in refused)


def test_the_same_name_with_other_numbers_is_two_students(course, export):
    files = {f"Ada Lovelace_{n}_assignsubmission_file_toy.ipynb": TOY for n in (1, 2)}
    assert [line.student for line in collect(course, [export(files)])] == [
        "ada_lovelace_1",
        "ada_lovelace_2",
    ]


def test_a_stranger_does_not_take_the_place_of_one_collected_before(course, export):
    collect(course, [export({"Ada Lovelace.ipynb": TOY, "bob.ipynb": TOY}, "first")])
    before = tree(course.root / "submitted")
    changed = TOY.replace(b"answer", b"changed")
    lines = collect(course, [export({"Ada_Lovelace.ipynb": changed, "BOB.ipynb": changed}, "next")])
    assert [line.status for line in lines] == ["not taken", "not taken"]
    assert tree(course.root / "submitted") == before


def test_students_cannot_write_the_names_of_others(course, export):
    """Only the name that the platform wrote counts."""
    inner = f"Victim_1_assignsubmission_file_{'/'}toy.ipynb"
    files = {
        f"Eve_2_assignsubmission_file_/{inner}": TOY,
        "Mallory_3_assignsubmission_file_/x.zip": packed({inner: TOY}),
    }
    lines = collect(course, [export(files)])
    assert endings(lines) == [("eve_2", "toy", "taken"), ("mallory_3", "toy", "taken")]


def test_an_export_within_a_folder_is_not_taken_for_a_student(course, export):
    files = {f"week 1/{MOODLE}/toy.ipynb": TOY, "week 1/Bob_2_assignsubmission_file_/b.ipynb": TOY}
    lines = collect(course, [export({**files, "toy/ada.ipynb": TOY, "toy.ipynb": TOY})])
    assert {line.status for line in lines} == {"not taken"}
    reasons = " ".join(line.reason for line in lines)
    assert "export of Moodle" in reasons
    assert "named as the assignment toy" in reasons
    assert "must be the student's" in reasons
    assert handed_in(course) == {}


def test_a_zip_may_wrap_an_export_into_a_folder(course, export):
    files = {f"week 1/{name}": content for name, content in EXPORTS["moodle"][0].items()}
    collect(course, [export(files, "week 1.zip")])
    assert handed_in(course) == EXPORTS["moodle"][1]
    assert origins([("a", "b")], [], [], True)[0].student == "a"


def test_of_several_attempts_the_latest_is_taken(course, export):
    first, last = TOY.replace(b"answer", b"first"), TOY.replace(b"answer", b"last")
    files = {"a_1_100_toy.ipynb": first, "a_1_99_toy-2.ipynb": last, "a_1_101_other.ipynb": OTHER}
    lines = collect(course, [export(files, "canvas")])
    assert handed_in(course) == {"a_1/toy/toy.ipynb": first, "a_1/other/other.ipynb": OTHER}
    older = [line for line in lines if line.status == "older"]
    assert [(x.path, x.reason) for x in older] == [
        ("a_1_99_toy-2.ipynb", "a later one is a_1_100_toy.ipynb")
    ]
    # an export from before comes too late
    assert collect(course, [export({"a_1_98_toy.ipynb": last}, "old")])[0].status == "older"
    assert collect(course, [export({"a_1_200_toy.ipynb": last}, "new")])[0].status == "replaced"
    # unless what was there is gone
    (course.root / "submitted" / "a_1" / "toy" / "toy.ipynb").unlink()
    assert collect(course, [export({"a_1_98_toy.ipynb": last}, "old")])[0].status == "taken"


def test_an_older_time_does_not_replace_a_later_one(course, export):
    newer, older = "2024-02-02 00:00:00 UTC", "2024-02-01 00:00:00 UTC"
    collect(course, [export({f"ada+toy+{newer}/toy.ipynb": TOY}, "b")])
    lines = collect(course, [export({f"ada+toy+{older}/toy.ipynb": CUT}, "a")])
    assert [(line.status, line.reason) for line in lines] == [
        ("older", "what is there was handed in later")
    ]
    assert handed_in(course)["ada/toy/toy.ipynb"] == TOY


def test_all_notebooks_of_an_assignment_are_taken(course, export):
    one, two = notebook("p1", "p2", "p3"), notebook("q1", "q2", "q3")
    files = {"ada/pair.zip": packed({"a.ipynb": one, "b.ipynb": two, "img.png": b"x"})}
    lines = collect(course, [export(files)])
    assert handed_in(course) == {"ada/pair/part_1.ipynb": one, "ada/pair/part_2.ipynb": two}
    assert [line.status for line in lines] == ["ignored", "taken", "taken"]


def test_what_was_there_is_kept(course, export):
    stamp = "2024-01-31 12:00:00 UTC"
    collect(course, [export({f"ada+toy+{stamp}/toy.ipynb": TOY}, "first")])
    changed = TOY.replace(b"answer", b"changed")
    lines = collect(course, [export({"ada.ipynb": changed}, "second")])
    assert [line.status for line in lines] == ["replaced"]
    assert handed_in(course) == {"ada/toy/toy.ipynb": changed}
    kept = tree(course.root / "submitted" / ".earlier" / "ada" / "toy")
    assert sorted(content for content in kept.values()) == sorted(
        [TOY, b"2024-01-31 12:00:00.000000 UTC"]
    )
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d)?/", path) for path in kept)


def test_an_interrupted_run_can_be_repeated(course, export, monkeypatch):
    path = export({f"s{n}.ipynb": TOY for n in range(5)})
    real = grading.exports.Export.read
    calls = []

    def stop(self, item, limit):
        calls.append(item)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return real(self, item, limit)

    with monkeypatch.context() as patch:
        patch.setattr(grading.exports.Export, "read", stop)
        with pytest.raises(KeyboardInterrupt):
            collect(course, [path])
    assert sorted(record(course)) == ["s0", "s1"]
    statuses = [line.status for line in collect(course, [path])]
    assert statuses == ["unchanged", "unchanged", "taken", "taken", "taken"]
    assert len(record(course)) == 5


@pytest.mark.parametrize(
    "link", ["ada", "ada/toy", "ada/toy/toy.ipynb", "ada/toy/toy.ipynb.new.part"]
)
def test_nothing_is_written_through_links(course, export, tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"mine")
    place = course.root / "submitted" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside / "file" if "ipynb" in link else outside)
    lines = collect(course, [export({"ada.ipynb": TOY})])
    assert tree(outside) == {"file": b"mine"}
    written = "ipynb" in link
    assert (lines[0].status != "not taken") == written
    assert written or "is a link" in lines[0].reason
    if written:
        assert (course.root / "submitted/ada/toy/toy.ipynb").read_bytes() == TOY


def test_the_record_is_merged_and_guarded(course, export):
    collect(course, [export({"a_1_5_toy.ipynb": TOY}, "canvas")])
    # the same student by the id, from a file that the instructor renamed: the number stays
    collect(course, [export({"a_1.ipynb": OTHER, "bob.ipynb": TOY}, "plain")])
    found = record(course)
    assert (found["a_1"]["platform"], found["a_1"]["number"]) == ("canvas", "1")
    assert set(found["a_1"]["notebooks"]) == {"toy/toy", "other/other"}
    assert set(found) == {"a_1", "bob"}
    (course.root / "submitted" / ".collected.json").write_text("{", "utf-8")
    with pytest.raises(CourseError, match=r"collected\.json is damaged"):
        collect(course, [export({"carl.ipynb": TOY}, "more")])


def test_folders_may_have_other_names(tmp_path, export):
    settings = "c.CourseDirectory.submitted_directory = 'eingereicht'"
    course = Course(make_course(tmp_path / "c", settings))
    collect(course, [export({"ada.ipynb": TOY})])
    assert (course.root / "eingereicht/ada/toy/toy.ipynb").read_bytes() == TOY
    assert (course.root / "eingereicht/.collected.json").is_file()
    assert not (course.root / "submitted").exists()


def test_cells_are_compared_with_the_real_source(course, export):
    """As handed out by nbgrader, solved, with a format of 2014."""
    old = json.dumps(nbformat.convert(source_notebook(), 3)).encode()
    assert collect(course, [export({"ada.ipynb": old})])[0].assignment == "toy"


def run(course, *arguments):
    """The command, as it is called from the command line."""
    parser = argparse.ArgumentParser(description=command.DESCRIPTION)
    command.add_arguments(parser)
    return list(command.run(course, parser.parse_args([str(a) for a in arguments])))


def test_the_command_prints_a_table(course, export):
    files = {f"{MOODLE}/toy.ipynb": TOY, "Eve_1_assignsubmission_file_/toy.pdf": b"%PDF"}
    (answer,) = run(course, export(files))
    assert answer.passed
    lines = answer.text.splitlines()
    assert lines[0].split() == ["student", "assignment", "what", "file", "reason"]
    assert lines[1].split()[:3] == ["ada_lovelace_123456", "toy", "taken"]
    assert "a .pdf file, not a notebook" in lines[2]
    assert lines[-1] == "1 taken, 1 not taken"
    assert {line.index(word) for line, word in zip(lines, ("what", "taken"), strict=False)} == {
        lines[0].index("what")
    }
    assert answer.data["counts"]["taken"] == 1
    assert answer.data["files"][0]["name"] == "Ada Lovelace"
    assert json.loads(json.dumps(answer.data)) == answer.data


def test_a_dry_run_writes_nothing(course, export):
    (answer,) = run(course, "--dry-run", export({"ada.ipynb": TOY}))
    assert "1 taken" in answer.text
    assert "dry run" in answer.text
    assert not (course.root / "submitted").exists()


def test_the_command_takes_several_paths_and_assignments(course, export):
    one = export({"ada.ipynb": TOY, "bob.ipynb": OTHER}, "one")
    two = export({"carl.ipynb": TOY}, "two.zip")
    (answer,) = run(course, one, two, "toy")
    assert answer.data["counts"]["taken"] == 2
    assert "belongs to other, which was not asked for" in answer.text
    assert set(handed_in(course)) == {"ada/toy/toy.ipynb", "carl/toy/toy.ipynb"}


def test_terminal_escapes_are_not_printed(course, export):
    name = "\x1b[2J\x1b]0;owned\x07Eve\u202e_1_assignsubmission_file_toy\x1b[31m.ipynb"
    (answer,) = run(course, export({name: TOY, f"{MOODLE}\x1b[5m.pdf": b"x"}, "export.zip"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", answer.text)
    assert answer.data["counts"]["taken"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.zip"], r"missing\.zip does not exist; give the folder"),
        (["{export}", "nothing"], r"'nothing' is no assignment, and no folder or zip"),
        (["{course}/submitted"], "lie within each other"),
        (["{course}"], "lie within each other"),
        (["{export}/notes.txt"], "is no folder, zip or notebook"),
    ],
)
def test_what_an_instructor_can_mend(course, export, arguments, message):
    (course.root / "submitted").mkdir()
    path = export({"ada.ipynb": TOY, "notes.txt": b"x"})
    filled = [a.format(export=path, course=course.root) for a in arguments]
    with pytest.raises(CourseError, match=message):
        run(course, *filled)
    assert handed_in(course) == {}


def test_an_export_that_is_a_broken_zip(course, export):
    path = export({}, "export.zip")
    path.write_bytes(b"PK\x03\x04 cut off")
    (answer,) = run(course, path)
    assert not answer.passed
    assert "the zip is damaged or cut off" in answer.text


def test_the_size_is_a_setting(course, export):
    (answer,) = run(course, "--max-size", 1, export({"ada.ipynb": b" " * (1 << 21)}))
    assert "larger than 1 MB" in answer.text
    with pytest.raises(SystemExit):
        run(course, "--max-size", "much", export({}))
