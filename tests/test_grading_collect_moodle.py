"""Moodle numbers its participants anew in each assignment: one student keeps one id."""

import json

import pytest

from grading.collect import collect
from grading.csv_files import identities, moodle_csv
from grading.results import Result
from grading.submitted import Submitted
from tests.collecting import OTHER, TOY, handed_in, record


def file(name, number):
    return f"{name}_{number}_assignsubmission_file_/work.ipynb"


def taken(lines):
    return sorted((line.student, line.assignment) for line in lines if line.status == "taken")


def identifier(course, assignment, student):
    """How Moodle finds the student in the grading worksheet of an assignment."""
    people = identities([student], Submitted(course, dry_run=True).people(assignment), {})
    row = moodle_csv([Result(assignment, student)], people).decode().splitlines()[1]
    return row.split(",")[0]


def test_a_student_has_one_id_in_all_assignments(course, export):
    first = {file("Ada Lovelace", 11): TOY, file("Bob Byte", 12): TOY}
    second = {file("Bob Byte", 27): OTHER, file("Ada Lovelace", 28): OTHER}
    collect(course, [export(first, "first.zip")])
    lines = collect(course, [export(second, "second.zip")])
    assert taken(lines) == [("ada_lovelace_11", "other"), ("bob_byte_12", "other")]
    assert sorted(record(course)) == ["ada_lovelace_11", "bob_byte_12"]


def test_the_same_for_two_exports_at_once(course, export):
    paths = [
        export({file("Ada Lovelace", 28): OTHER}, "b"),
        export({file("Ada Lovelace", 11): TOY}, "a"),
    ]
    assert len({student for student, _ in taken(collect(course, paths))}) == 1


def test_scores_go_back_with_the_number_of_each_assignment(course, export):
    collect(course, [export({file("Ada Lovelace", 11): TOY}, "first")])
    collect(course, [export({file("Ada Lovelace", 28): OTHER}, "second")])
    student = "ada_lovelace_11"
    assert identifier(course, "toy", student) == "Participant 11"
    assert identifier(course, "other", student) == "Participant 28"
    assert identifier(course, "pair", student) == ""


def test_a_later_file_of_the_same_assignment_replaces_the_first(course, export):
    collect(course, [export({file("Ada Lovelace", 11): TOY}, "first")])
    changed = TOY.replace(b"answer", b"changed")
    collect(course, [export({file("Ada Lovelace", 11): changed}, "second")])
    assert handed_in(course) == {"ada_lovelace_11/toy/toy.ipynb": changed}


@pytest.fixture
def two_adas(course, export):
    """Two students with one name, who handed in the first assignment."""
    both = {file("Ada Lovelace", 11): TOY, file("Ada Lovelace", 12): TOY}
    lines = collect(course, [export(both, "first")])
    assert taken(lines) == [("ada_lovelace_11", "toy"), ("ada_lovelace_12", "toy")]
    return course


def test_two_with_one_name_are_not_taken_for_one(two_adas, export):
    lines = collect(two_adas, [export({file("Ada Lovelace", 28): OTHER}, "second")])
    assert [line.status for line in lines] == ["not taken"]
    assert "several students are named Ada Lovelace" in lines[0].reason
    assert "write the student's id (ada_lovelace_11, ada_lovelace_12)" in lines[0].reason


def test_two_with_one_name_are_told_apart_in_the_same_assignment(two_adas, export):
    changed = TOY.replace(b"answer", b"changed")
    lines = collect(two_adas, [export({file("Ada Lovelace", 12): changed}, "again")])
    assert [(line.student, line.status) for line in lines] == [("ada_lovelace_12", "replaced")]


def test_the_id_may_be_written_in_place_of_the_name(two_adas, export):
    lines = collect(two_adas, [export({file("ada_lovelace_12", 28): OTHER}, "second")])
    assert taken(lines) == [("ada_lovelace_12", "other")]
    assert record(two_adas)["ada_lovelace_12"]["name"] == "Ada Lovelace"
    assert identifier(two_adas, "other", "ada_lovelace_12") == "Participant 28"


def test_a_second_ada_in_a_later_assignment_is_not_guessed(course, export):
    collect(course, [export({file("Ada Lovelace", 11): TOY}, "first")])
    both = {file("Ada Lovelace", 28): OTHER, file("Ada Lovelace", 29): OTHER}
    lines = collect(course, [export(both, "second")])
    assert [line.status for line in lines] == ["not taken", "not taken"]


def test_hidden_names_are_never_one_student(course, export):
    collect(course, [export({file("Participant", 11): TOY}, "first")])
    lines = collect(course, [export({file("Participant", 28): OTHER}, "second")])
    assert taken(lines) == [("participant_28", "other")]


def test_numbers_that_were_written_down_before_assignments_had_their_own(course, export):
    collect(course, [export({file("Ada Lovelace", 11): TOY}, "first")])
    found = record(course)
    del found["ada_lovelace_11"]["notebooks"]["toy/toy"]["number"]
    (course.root / "submitted" / ".collected.json").write_text(json.dumps(found), "utf-8")
    assert identifier(course, "toy", "ada_lovelace_11") == "Participant 11"


def test_what_lies_beside_the_notebook_goes_to_the_first_id_too(course, export):
    collect(course, [export({file("Ada Lovelace", 11): TOY}, "first")])
    top = "Ada Lovelace_28_assignsubmission"
    second = {f"{top}_file_/w/a.ipynb": OTHER, f"{top}_file_/w/x.csv": b"1"}
    second |= {f"{top}_file_/y.csv": b"1", f"{top}_onlinetext_/onlinetext.html": b"1"}
    lines = collect(course, [export(second, "second")])
    assert handed_in(course)["ada_lovelace_11/other/x.csv"] == b"1"
    assert {line.student for line in lines} == {"ada_lovelace_11"}
    assert sorted(line.status for line in lines) == ["ignored", "ignored", "taken"]
