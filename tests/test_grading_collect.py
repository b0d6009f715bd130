"""Exports of each platform are collected, and the notebook is found by its cells."""

import hashlib
import json

import nbformat
import pytest
from nbgrader.utils import parse_utc

from grading.collect import collect
from grading.course import Course
from grading.layouts import origins
from tests.collecting import (
    CUT,
    MOODLE,
    OTHER,
    PLAIN,
    TOY,
    handed_in,
    notebook,
    packed,
    record,
    tree,
)
from tests.toy_course import make_course, source_notebook

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
            "bob/other/data.csv": b"1,2",
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
            "hopperg_222/other/notes.txt": b"sorry",
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
            "emil/toy/data.csv": b"1",
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


def test_cells_are_compared_with_the_real_source(course, export):
    """As handed out by nbgrader, solved, with a format of 2014."""
    old = json.dumps(nbformat.convert(source_notebook(), 3)).encode()
    assert collect(course, [export({"ada.ipynb": old})])[0].assignment == "toy"


def test_all_notebooks_of_an_assignment_are_taken(course, export):
    one, two = notebook("p1", "p2", "p3"), notebook("q1", "q2", "q3")
    files = {"ada/pair.zip": packed({"a.ipynb": one, "b.ipynb": two, "img.png": b"x"})}
    lines = collect(course, [export(files)])
    expected = {"ada/pair/part_1.ipynb": one, "ada/pair/part_2.ipynb": two}
    assert handed_in(course) == expected | {"ada/pair/img.png": b"x"}
    assert [(line.status, line.files) for line in lines] == [("taken", ["img.png"])] * 2


def test_a_zip_may_wrap_an_export_into_a_folder(course, export):
    files = {f"week 1/{name}": content for name, content in EXPORTS["moodle"][0].items()}
    collect(course, [export(files, "week 1.zip")])
    assert handed_in(course) == EXPORTS["moodle"][1]
    assert origins([("a", "b")], [], [], True)[0].student == "a"


def test_what_systems_leave_is_skipped_silently(course, export):
    junk = {"__MACOSX/._ada.ipynb": b"x", ".DS_Store": b"x", "ada/.ipynb_checkpoints/t.ipynb": TOY}
    for form in ("folder", "export.zip"):
        lines = collect(course, [export({"ada/toy.ipynb": TOY, **junk}, form)])
        assert [line.path for line in lines] == ["ada/toy.ipynb"]


def test_folders_may_have_other_names(tmp_path, export):
    settings = "c.CourseDirectory.submitted_directory = 'eingereicht'"
    course = Course(make_course(tmp_path / "c", settings))
    collect(course, [export({"ada.ipynb": TOY})])
    assert (course.root / "eingereicht/ada/toy/toy.ipynb").read_bytes() == TOY
    assert (course.root / "eingereicht/.collected.json").is_file()
    assert not (course.root / "submitted").exists()
