"""The page *Teach*: what it shows is what the commands print, and what it says can be typed."""

import re
import shlex

import pytest
from nbgrader.apps.nbgraderapp import NbGraderApp

from grading.__main__ import parser
from grading.results import MANUAL, STATUSES
from tools.teach.__main__ import STORED, UNTOLD
from tools.teach.story import COMMANDS, ROOT, clean, tell

TEACH, GRADING = (
    (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8") for name in ("teach", "grading")
)
SHOWN = sorted(set(COMMANDS) - UNTOLD)


def typed(page):
    """The lines in a page's blocks that are typed into a shell."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return tell(tmp_path_factory.mktemp("course"))


@pytest.mark.parametrize("name", [name for name in SHOWN if name != "doctor"])
def test_a_command_prints_what_is_stored(told, name):
    stored = (STORED / f"{name}.txt").read_text(encoding="utf-8")
    assert told[name] == stored, "run python -m tools.teach, and read the page again"


def test_doctor_looks_at_what_is_stored(told):
    stored = (STORED / "doctor.txt").read_text(encoding="utf-8")
    looked_at = [
        [line[8:].split(": ")[:-1][:2] for line in text.splitlines()]
        for text in (told["doctor"], stored)
    ]
    assert looked_at[0] == looked_at[1]


def test_a_second_grading_prints_the_same(told):
    assert told["again"] == told["grade"]


def test_what_came_by_mail_goes_back_to_moodle(told):
    assert "without a number of Canvas: 8" in told["report"]
    assert "without a number of Moodle" not in told["report"]


def test_the_page_shows_all_that_is_stored_and_nothing_else():
    shown = set(re.findall(r"^```\{(?:literalinclude|image)\} assets/teach/(\S+)", TEACH, re.M))
    assert shown == {path.name for path in STORED.iterdir()}
    assert {f"{name}.txt" for name in SHOWN} < shown


def test_each_command_of_the_page_was_run():
    lines = [line for line in typed(TEACH) if line.startswith(("grading ", "nbgrader "))]
    assert len(lines) >= 9
    assert set(lines) == set(COMMANDS.values())


def test_the_other_page_has_commands_that_there_are():
    for line in typed(GRADING):
        program, *arguments = shlex.split(line)
        if program == "grading":
            assert parser().parse_args(arguments).command == arguments[0]
        elif program == "nbgrader":
            assert arguments[0] in NbGraderApp().subcommands
        else:
            assert (program, *arguments) == ("make", "bench")


@pytest.mark.parametrize("status", [*STATUSES, MANUAL])
def test_the_page_says_what_a_status_means(status):
    assert re.search(rf"^\| {status} \| [^|]+ \| [^|]+ \|$", TEACH, re.MULTILINE)


def test_each_setting_is_one():
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    known = set(re.findall(r"c\.(\w+\.\w+)", config))
    app = NbGraderApp()
    known |= {f"{part.__name__}.{name}" for part in app.classes for name in part.class_traits()}
    named = set(re.findall(r"`c\.(\w+\.\w+)", TEACH + GRADING))
    assert len(named) >= 8
    assert named <= known, named - known


@pytest.mark.parametrize("path", sorted(STORED.glob("*.png")), ids=lambda path: path.stem)
def test_a_picture_is_light_and_described(path):
    assert path.stat().st_size <= 60_000
    described = rf"assets/teach/{path.name}\n:alt: [^\n]{{80,}}\n"
    assert re.search(described, TEACH)


def test_what_differs_from_machine_to_machine_is_left_out(tmp_path):
    printed = (
        f"ok      system: Linux 6.1.0-13\nok      cores: 8: as many submissions\n"
        f"bubblewrap 0.8.0, /opt/my/bwrap; user 1055324, at {tmp_path}/reports/a.csv"
    )
    assert clean(printed, tmp_path) == (
        "ok      system: Linux …\nok      cores: …: as many submissions\n"
        "bubblewrap …, …/bwrap; user …, at reports/a.csv"
    )
