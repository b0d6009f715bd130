"""Files beside a notebook come along with it, and only those."""

import os
import random

import pytest

from grading.archives import MB, Limits
from grading.collect import collect
from grading.intake import Intake
from tests.collecting import MOODLE, OTHER, TOY, beside, handed_in, notebook, packed, reasons, tree

CHANGED = TOY.replace(b"answer", b"changed")
NOISE = random.Random(0).randbytes(999)  # packed it is as it was
EXCHANGE = "ada+toy+2026-11-18 10:00:00 UTC"


@pytest.mark.parametrize("form", ["export", "export.zip"])
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"ada/toy/toy.ipynb": TOY, "ada/toy/d/a.csv": b"1"}, "ada/toy/d/a.csv",
                     id="nbgrader"),
        pytest.param({f"{EXCHANGE}/toy.ipynb": TOY, f"{EXCHANGE}/a.csv": b"1"}, "ada/toy/a.csv",
                     id="exchange"),
        pytest.param({f"{MOODLE}/w/toy.ipynb": TOY, f"{MOODLE}/w/d/a.csv": b"1"},
                     "ada_lovelace_123456/toy/d/a.csv", id="moodle"),
        pytest.param({f"{MOODLE}toy.ipynb": TOY, f"{MOODLE}a.csv": b"1"},
                     "ada_lovelace_123456/toy/a.csv", id="moodle, flat"),
        pytest.param({f"{MOODLE}/w.zip": packed({"w/toy.ipynb": TOY, "w/d/a.csv": b"1"})},
                     "ada_lovelace_123456/toy/d/a.csv", id="zip within moodle"),
        pytest.param({"ada_1_2_toy.ipynb": TOY, "ada_1_3_a_1_2.csv": b"1"}, "ada_1/toy/a_1_2.csv",
                     id="canvas"),
        pytest.param({"ada_1_2_w.zip": packed({"toy.ipynb": TOY, "d/a.csv": b"1"})},
                     "ada_1/toy/d/a.csv", id="zip within canvas"),
        pytest.param({"ada/toy.ipynb": TOY, "ada/d/a.csv": b"1"}, "ada/toy/d/a.csv", id="plain"),
        pytest.param({"ada.zip": packed({"b.zip": packed({"toy.ipynb": TOY, "a.csv": b"1"})})},
                     "ada/toy/a.csv", id="zip within a zip"),
    ],
)  # fmt: skip
def test_what_lies_beside_a_notebook_comes_along(course, export, files, expected, form):
    path = export(files, form)
    (line,) = collect(course, [path])
    assert beside(course) == {expected: b"1"}
    assert line.files == [expected.split("/toy/")[1]]
    # once more: nothing changes
    before = tree(course.root / "submitted")
    assert [again.status for again in collect(course, [path])] == ["unchanged"]
    assert tree(course.root / "submitted") == before


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({"ada/a.csv": b"1", "ada/w/toy.ipynb": TOY}, "not beside one", id="above"),
        pytest.param({"ada/d/a.csv": b"1", "ada/w/toy.ipynb": TOY}, "not beside one", id="aside"),
        pytest.param({"ada/toy.ipynb": TOY, "ada/d.zip": packed({"a.csv": b"1"})},
                     "not beside one", id="in a zip beside it"),
        pytest.param({"ada/toy.ipynb": TOY, "ada/d.zip": b"cut off"}, "damaged", id="zip"),
        pytest.param({"ada/toy.ipynb": TOY, "ada/d.tar.gz": b"1"}, "archive", id="archive"),
        pytest.param({f"{MOODLE}toy.ipynb": TOY,
                      "Ada Lovelace_123456_assignsubmission_onlinetext_onlinetext.html": b"1"},
                     "typed into a field of Moodle", id="typed"),
        pytest.param({"ada_1_2_toy.ipynb": TOY, "ada_1_text.html": b"1"}, "typed", id="typed too"),
        pytest.param({"ada_1_2_toy.ipynb": TOY, "eve_2_3_a.csv": b"1"}, "not a notebook",
                     id="of another student"),
        pytest.param({"ada/toy.ipynb": TOY, "ada/x.ipynb": notebook("last_year")},
                     "another course", id="another notebook"),
        pytest.param({"ada/toy.ipynb": TOY, "ada/TOY.IPYNB": CHANGED}, "same student",
                     id="another notebook in capitals"),
        pytest.param({"ada/toy.ipynb": TOY, "ada/x.ipynb.txt": b"1"}, "damaged", id="broken one"),
        pytest.param({"ada.zip": packed({"toy.ipynb": TOY, "../x": b"1"})}, "leads out", id="../"),
        pytest.param({"ada.zip": packed({"toy.ipynb": TOY, "/x": b"1"})}, "absolute", id="/"),
        pytest.param({"Ada_1_assignsubmission_file_toy.ipynb": TOY,
                      "Ada_1_assignsubmission_file_..": b"1"}, "leads elsewhere", id="dots"),
        pytest.param({"ada.zip": packed({"toy.ipynb": TOY, "TOY.ipynb/x": b"1"})},
                     "in the place of the notebook", id="a folder for the notebook"),
        pytest.param({"ada.zip": packed({"toy.ipynb": TOY, "toy.ipynb.": b"1"})},
                     "in the place of the notebook", id="the notebook's name for Windows"),
        pytest.param({"ada.zip": packed({"toy.ipynb": TOY, "Timestamp.txt/x": b"1"})},
                     "or of the time", id="a folder for the time"),
        pytest.param({"ada.zip": packed({"toy.ipynb": TOY, "x/" * 40 + "x": b"1"})},
                     "folders in each other", id="deep"),
        pytest.param({"ada.zip": packed({"toy.ipynb": TOY, "x" * 300: b"1"})},
                     "File name too long", id="long"),
        pytest.param({"ada.zip": packed({"toy.ipynb": TOY, "x": NOISE}).replace(
                     NOISE[:20], bytes(20))}, "damaged", id="damaged"),
        pytest.param({"ada/toy.ipynb": TOY, "ada/timestamp.txt": b"2001-01-01 00:00 UTC"},
                     "a student's", id="time"),
    ],
)  # fmt: skip
def test_what_does_not_come_along_has_a_reason(course, export, tmp_path, files, reason):
    path = export(files, "export.zip")
    outside = {name: data for name, data in tree(tmp_path).items() if "/submitted/" not in name}
    lines = collect(course, [path])
    assert beside(course) == {}
    assert [name.split("/")[1:] for name in handed_in(course)] == [["toy", "toy.ipynb"]]
    (other,) = (line for line in lines if line.status not in ("taken", "replaced"))
    assert reason in other.reason
    after = {name: data for name, data in tree(tmp_path).items() if "/submitted/" not in name}
    assert {name for name in after if name not in outside} <= {"course/_build/grading/collect.lock"}


def test_a_damaged_file_does_not_hold_the_place_of_another(course, export):
    data = packed({"toy.ipynb": TOY, "X": NOISE, "x": b"1"}).replace(NOISE[:20], bytes(20))
    lines = collect(course, [export({"ada.zip": data})])
    assert beside(course) == {"ada/toy/x": b"1"}
    assert reasons(lines, "not taken") == {"ada.zip/X": "damaged or cut off in the zip"}


def test_links_beside_a_notebook_are_not_followed(course, export, tmp_path):
    path = export({"ada/toy.ipynb": TOY})
    (tmp_path / "secret").write_bytes(b"secret")
    (path / "ada/soft").symlink_to(tmp_path / "secret")
    (path / "ada/hard").hardlink_to(tmp_path / "secret")
    os.mkfifo(path / "ada/pipe")
    lines = collect(course, [path])
    assert beside(course) == {}
    assert set(reasons(lines, "not taken")) == {"ada/soft", "ada/hard", "ada/pipe"}


@pytest.mark.parametrize("name", ["kernel.json", "torch.py", ".hidden", "large.json", "e\u0301"])
def test_the_name_of_a_file_means_nothing(course, export, name):
    content = b" " * 2 * MB
    collect(course, [export({"ada/toy.ipynb": TOY, f"ada/{name}": content}, "export.zip")],
            limits=Limits(notebook=MB))  # fmt: skip
    assert beside(course) == {f"ada/toy/{name}".replace("e\u0301", "\u00e9"): content}


def test_grading_takes_in_what_came_along(course, export):
    files = {"ada/toy/toy.ipynb": TOY, "ada/toy/help.py": b"x = 1", "ada/toy/d/a.csv": b"1"}
    files["ada/toy/timestamp.txt"] = b"2026-11-18T11:00+01:00"
    collect(course, [export(files)])
    found = Intake().read(course.folder("submitted", "toy", "ada"), ["toy"])
    time = {"timestamp.txt": b"2026-11-18 10:00:00.000000 UTC"}
    assert found.files == {"help.py": b"x = 1", "d/a.csv": b"1"} | time
    assert found.notebooks == {"toy": TOY}
    assert found.problems == []


def test_a_file_goes_to_each_assignment_beside_it(course, export):
    (_, _) = collect(course, [export({"ada/a.ipynb": TOY, "ada/b.ipynb": OTHER, "ada/x": b"1"})])
    assert beside(course) == {"ada/toy/x": b"1", "ada/other/x": b"1"}


@pytest.mark.parametrize(
    "names", [("a.csv", "A.csv"), ("\u00e9", "e\u0301"), ("d", "D/x"), ("D/x", "d"), ("x", "x.")]
)
def test_of_two_names_that_some_systems_take_for_one_the_first_is_taken(course, export, names):
    files = {"ada.zip": packed({"toy.ipynb": TOY, names[0]: b"1", names[1]: b"2"})}
    lines = collect(course, [export(files)])
    assert list(beside(course).values()) == [b"1"]
    assert list(reasons(lines, "not taken")) == [f"ada.zip/{names[1]}"]


def test_two_notebooks_of_an_assignment_may_not_bring_different_files_of_one_name(course, export):
    one, two = notebook("p1", "p2", "p3"), notebook("q1", "q2", "q3")
    files = {"ada/1/a.ipynb": one, "ada/1/x": b"1", "ada/2/b.ipynb": two, "ada/2/x": b"2"}
    lines = collect(course, [export(files)])
    assert beside(course) == {"ada/pair/x": b"1"}
    assert "has this name" in reasons(lines, "not taken")["ada/2/x"]
