"""When something was handed in: a time is read in any form, and one that cannot be read is told."""

import pytest

from grading.collect import collect
from grading.layouts import timestamp
from tests.collecting import MOODLE, TOY, handed_in, packed

TEN = "2026-11-18 10:00:00.000000 UTC"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-18 10:00",
        "2026-11-18 10:00 UTC",
        "2026-11-18 10:00:00 UTC",
        "2026-11-18T10:00:00Z",
        "2026-11-18t10:00z",
        "2026-11-18 10:00:00.000000 UTC\n",
        "2026-11-18T10:00:00,000",
        "2026-11-18 11:00:00+01:00",
        "2026-11-18 11:00:00 +01:00",
        "2026-11-18 11:00:00 +0100",
        "2026-11-18T11:00+01",
        "2026-11-18 04:30-0530",
        "2026-11-19T00:00:00.0000000+14:00",
        "20261118T100000Z",
        "2026-11-18 11:00 CET",
    ],
)
def test_a_time_is_read(text):
    assert timestamp(text) == TEN


NO_TIMES = [
    "", "yesterday", "2026-11-18", "10:00", "18.11.2026 10:00", "11/18/2026 10:00 AM",
    "2026-11-18 10", "2026-11-18 25:00", "2026-02-30 10:00", "2026-11-18 10:00 XYZ",
    "2026-11-18 10:00 UTC+1", "2026-11-18 10:00\n2026-11-19 10:00", "0001-01-01 00:00+01:00",
    "２０２６-11-18 10:00", "2026-11-18 10:00:00 UTC" + " " * 90,
]  # fmt: skip


@pytest.mark.parametrize("text", NO_TIMES[:-1])
def test_what_is_no_date_with_a_time_is_not_guessed(text):
    assert timestamp(text) == ""


def times(course):
    return {name: data for name, data in handed_in(course).items() if name.endswith(".txt")}


@pytest.mark.parametrize("form", ["export", "export.zip"])
@pytest.mark.parametrize("text", ["2026-11-18T11:00+01:00", "\ufeff2026-11-18 10:00 UTC\r\n"])
def test_a_time_that_is_used_is_no_line(course, export, text, form):
    files = {"ada/toy/toy.ipynb": TOY, "ada/toy/timestamp.txt": text.encode()}
    lines = collect(course, [export(files, form)])
    assert [(line.status, line.path) for line in lines] == [("taken", "ada/toy/toy.ipynb")]
    assert times(course) == {"ada/toy/timestamp.txt": TEN.encode()}


@pytest.mark.parametrize(
    "content", [*(text.encode() for text in NO_TIMES), "2026-11-18 10:00".encode("utf-16")]
)
def test_a_time_that_cannot_be_read_is_told(course, export, content):
    files = {"ada/toy/toy.ipynb": TOY, "ada/toy/timestamp.txt": content}
    lines = collect(course, [export(files)])
    assert [(line.status, line.student, line.assignment) for line in lines] == [
        ("not taken", "ada", "toy"),
        ("taken", "ada", "toy"),
    ]
    assert "such as 2030-01-31 12:00:00 UTC" in lines[0].reason
    assert times(course) == {}


EXCHANGE = "ada+toy+2026-11-18 10:00:00 UTC"


@pytest.mark.parametrize(
    ("notebook", "time", "reason"),
    [
        pytest.param("ada/toy/toy.ipynb", "ada/toy/work/timestamp.txt", "a student's", id="deeper"),
        pytest.param("ada/toy/toy.ipynb", "ada/toy/Timestamp.TXT", "a student's", id="capitals"),
        pytest.param("ada/toy.ipynb", "ada/timestamp.txt", "a student's", id="plain"),
        pytest.param(f"{MOODLE}/toy.ipynb", f"{MOODLE}/timestamp.txt", "a student's", id="moodle"),
        pytest.param("ada_1_2_toy.ipynb", "ada_1_3_timestamp.txt", "a student's", id="canvas"),
        pytest.param(f"{EXCHANGE}/toy.ipynb", f"{EXCHANGE}/timestamp.txt", "name of the folder",
                     id="exchange"),
    ],
)  # fmt: skip
def test_a_time_elsewhere_is_ignored_with_a_reason(course, export, notebook, time, reason):
    lines = collect(course, [export({notebook: TOY, time: b"2001-01-01 00:00:00 UTC"})])
    assert {line.path: line.status for line in lines} == {notebook: "taken", time: "ignored"}
    (line,) = (line for line in lines if line.path == time)
    assert reason in line.reason
    assert set(times(course).values()) <= {TEN.encode()}


def test_a_time_without_a_notebook_is_told(course, export):
    lines = collect(course, [export({"ada/toy/timestamp.txt": b"2026-11-18 10:00 UTC"})])
    assert [(line.status, line.reason) for line in lines] == [
        ("not taken", "a time without a notebook")
    ]


def test_a_file_beside_the_same_notebook_that_came_later_moves_the_time(course, export):
    def handed(minute, helper):
        time = f"2026-11-18 10:{minute}:00 UTC"
        return export({f"ada+toy+{time}/toy.ipynb": TOY, f"ada+toy+{time}/a.py": helper}, minute)

    collect(course, [handed("00", b"x = 1")])
    collect(course, [handed("01", b"x = 1")])
    assert times(course) == {"ada/toy/timestamp.txt": TEN.encode()}
    collect(course, [handed("02", b"x = 2")])
    assert times(course) == {"ada/toy/timestamp.txt": TEN.replace(":00:", ":02:").encode()}


def test_a_time_in_a_zip_of_a_student_does_not_come_along(course, export):
    files = {"toy.ipynb": TOY, "timestamp.txt": b"2001-01-01 00:00 UTC", "a.csv": b"1"}
    collect(course, [export({"ada/toy/work.zip": packed(files)})])
    assert set(handed_in(course)) == {"ada/toy/toy.ipynb", "ada/toy/a.csv"}
