"""Files beside a notebook are written with care: in order, through no link, within limits."""

import tracemalloc

import pytest

import grading.exports
from grading.archives import MB, Limits
from grading.collect import collect
from grading.intake import Intake
from tests.collecting import TOY, beside, handed_in, link_out, packed, reasons, tree

CHANGED = TOY.replace(b"answer", b"changed")


def test_of_uploads_to_canvas_the_latest_is_taken(course, export):
    files = {"a_1_9_toy.ipynb": TOY, "a_1_8_x.csv": b"old", "a_1_10_x.csv": b"new"}
    collect(course, [export(files)])
    assert beside(course) == {"a_1/toy/x.csv": b"new"}


def test_canvas_renames_what_is_handed_in_again(course, export):
    first = {"a_1_1_toy.ipynb": TOY, "a_1_2_help.py": b"1", "a_1_3_x-2.csv": b"1"}
    again = {"a_1_4_toy-1.ipynb": TOY, "a_1_5_help-3.py": b"2", "a_1_6_x-2-1.csv": b"2"}
    expected = {"a_1/toy/help.py": b"1", "a_1/toy/x-2.csv": b"1"}
    collect(course, [export(first, "first")])
    assert beside(course) == expected
    collect(course, [export(again, "again")])
    assert beside(course) == dict.fromkeys(expected, b"2")


def test_a_later_submission_replaces_the_files_and_keeps_what_was_there(course, export):
    collect(course, [export({"ada/toy.ipynb": TOY, "ada/x": b"1", "ada/y/z": b"2"}, "first")])
    second = {"ada/toy.ipynb": TOY, "ada/x/new": b"3", "ada/y": b"4"}
    (line,) = collect(course, [export(second, "second")])
    assert (line.status, line.files) == ("unchanged", ["x/new", "y"])
    assert beside(course) == {"ada/toy/x/new": b"3", "ada/toy/y": b"4"}
    kept = tree(course.root / "submitted" / ".earlier")
    assert sorted(kept.values()) == [b"1", b"2"]


def test_an_older_notebook_brings_nothing(course, export):
    def handed(day, content):
        top = f"ada+toy+2026-11-{day} 10:00:00 UTC"
        return export({f"{top}/toy.ipynb": content, f"{top}/x{day}": b"1"}, day)

    collect(course, [handed("18", TOY)])
    lines = collect(course, [handed("17", CHANGED)])
    assert {line.status for line in lines} == {"ignored", "older"}
    assert beside(course) == {"ada/toy/x18": b"1"}


@pytest.mark.parametrize("link", ["ada/toy/d", "ada/toy/d/x"])
def test_nothing_is_written_through_links(course, export, tmp_path, link):
    outside = link_out(course, tmp_path / "outside", link, to_file=link.endswith("x"))
    lines = collect(course, [export({"ada/toy.ipynb": TOY, "ada/d/x": b"1"})])
    assert tree(outside) == {"file": b"mine"}
    refused = reasons(lines, "not taken")
    assert ("is a link" in refused.get("ada/d/x", "")) == link.endswith("d")
    assert handed_in(course)["ada/toy/toy.ipynb"] == TOY


def test_a_dry_run_says_the_same_and_writes_nothing(course, export):
    path = export({"ada/toy.ipynb": TOY, "ada/x": b"1", "ada/X": b"2"})
    dry = collect(course, [path], dry_run=True)
    assert not (course.root / "submitted").exists()
    assert collect(course, [path]) == dry


def test_what_one_student_may_bring_is_limited(course, export):
    files = {f"ada/{n}": b"0" * MB for n in range(5)} | {"ada/toy.ipynb": TOY}
    files |= {"bob/toy.ipynb": TOY, "bob/x": b"1"}
    lines = collect(course, [export(files)], limits=Limits(unpacked=3 * MB))
    assert set(beside(course)) == {"ada/toy/0", "ada/toy/1", "ada/toy/2", "bob/toy/x"}
    assert set(reasons(lines, "not taken").values()) == {"more than 3 MB beside notebooks in all"}


@pytest.mark.parametrize("form", ["folder", "export.zip"])
def test_files_are_read_one_at_a_time(course, export, form):
    files = {f"s{n}.zip": packed({"toy.ipynb": TOY, "x": b"0" * 6 * MB}) for n in range(6)}
    path = export(files, form)
    tracemalloc.start()
    collect(course, [path])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(beside(course)) == 6
    assert peak < 30 * MB


def test_three_thousand_files_open_their_zip_once(course, export, monkeypatch):
    opened = []
    open_zip = grading.exports.open_zip
    monkeypatch.setattr(
        grading.exports, "open_zip", lambda *given: opened.append(given) or open_zip(*given)
    )
    files = {"toy.ipynb": TOY} | {f"{n}.csv": b"1" for n in range(3_000)}
    (line,) = collect(course, [export({"ada/b.zip": packed({"a.zip": packed(files)})})])
    assert len(line.files) == len(beside(course)) == 3_000
    assert len(opened) < 10
    found = Intake().read(course.folder("submitted", "toy", "ada"), ["toy"])
    assert len(found.files) == 200
    assert "there are more than 200 files" in found.problems[0]
