"""Who handed something in: the names of platforms, ids, and those who are not the same."""

import os
import re
import unicodedata

import pytest

from grading.collect import collect
from grading.layouts import recognise, timestamp
from grading.student_ids import numbered_id, plain_id
from tests.collecting import (
    MOODLE,
    TOY,
    endings,
    handed_in,
    packed,
    record,
    tree,
)


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


EARLY = b"2001-01-01 00:00:00 UTC"
MINE = {"toy/toy.ipynb": TOY, "toy/timestamp.txt": EARLY}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({f"Ada_1_assignsubmission_file_/{name}": data for name, data in MINE.items()}, None),
        ({"Ada_1_assignsubmission_file_/a.zip": packed(MINE)}, None),
        ({"ada_1_2_a.zip": packed(MINE)}, None),
        ({"ada.zip": packed(MINE)}, None),
        ({"ada/toy/a.zip": packed(MINE)}, None),
        ({f"ada/work/{name}": data for name, data in MINE.items()}, None),
        ({f"ada+toy+2024-01-31 12:00:00 UTC/{name}": data for name, data in MINE.items()},
         b"2024-01-31 12:00:00.000000 UTC"),
        ({"ada+toy+2024-01-31 12:00:00 UTC/toy.ipynb": TOY,
          "ada+toy+2024-01-31 12:00:00 UTC/timestamp.txt": EARLY},
         b"2024-01-31 12:00:00.000000 UTC"),
        ({f"ada/{name}": data for name, data in MINE.items()}, b"2001-01-01 00:00:00.000000 UTC"),
    ],
    ids=["moodle", "moodle zip", "canvas zip", "zip", "zip within", "folder within", "exchange",
         "exchange itself", "nbgrader's own"],
)  # fmt: skip
def test_a_time_that_a_student_wrote_does_not_count(course, export, files, expected):
    collect(course, [export(files)])
    taken = handed_in(course)
    times = [data for name, data in taken.items() if name.endswith("timestamp.txt")]
    assert times == ([expected] if expected else [])
    assert TOY in taken.values()
