"""The command `collect`: its table, its arguments, its errors."""

import argparse
import json
import re

import pytest

from grading.commands import collect as command
from grading.course import CourseError
from tests.collecting import (
    MOODLE,
    OTHER,
    TOY,
    handed_in,
)


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


def test_a_table_counts_what_came_along_and_json_names_it(course, export):
    files = {f"ada_LATE_1_{n}_{n}.csv": b"1" for n in range(2, 5)}
    files |= {"ada_LATE_1_9_toy.ipynb": TOY, "bob_2_10_toy.ipynb": TOY, "bob_2_11_x": b"1"}
    (answer,) = run(course, export(files))
    assert [line.split("ipynb")[-1].strip() for line in answer.text.splitlines()[1:3]] == [
        "late; with 3 other files",
        "with 1 other file",
    ]
    assert answer.text.endswith("\n2 taken")
    assert answer.data["files"][0]["files"] == ["2.csv", "3.csv", "4.csv"]
    assert json.loads(json.dumps(answer.data)) == answer.data


def test_of_many_files_that_are_not_taken_the_table_shows_the_first(course, export):
    files = {f"ada/{n:03}.csv": b"1" for n in range(300)}
    (answer,) = run(course, export({**files, "bob/toy.ipynb": TOY}))
    lines = answer.text.splitlines()
    assert len(lines) == 1 + 10 + 1 + 1 + 2
    assert "a .csv file, not a notebook" in lines[10]
    assert lines[11].split() == ["ada", "not", "taken", "290", "more", "--json", "names", "them"]
    assert {line["reason"] for line in answer.data["files"] if line["student"] == "ada"} == {
        "a .csv file, not a notebook"
    }


def test_what_else_a_student_handed_in_is_named_where_nothing_could_be_taken(course, export):
    files = {"ada/x.ipynb": b"{}", "ada/a.pdf": b"1", "bob/toy.ipynb": TOY, "bob/b.rar": b"1"}
    (answer,) = run(course, export(files))
    assert "ada/a.pdf" in answer.text
    assert "bob/b.rar" not in answer.text
    assert answer.text.endswith("1 taken, 2 not taken, 1 other file ignored")


def test_only_a_path_is_required(course, capsys):
    with pytest.raises(SystemExit):
        run(course)
    assert capsys.readouterr().err.endswith("the following arguments are required: PATH\n")
