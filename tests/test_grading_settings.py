"""What is wrong in nbgrader_config.py is said in one line, before anything is graded."""

import pickle

import pytest
from traitlets.config import Config

from grading.__main__ import main
from grading.course import Course, CourseError
from grading.grade import make_package
from grading.settings import check_settings, for_workers, settings_key
from tests.toy_course import ROOT, make_course


def test_our_own_file_is_in_order():
    check_settings(Course(ROOT).settings)


@pytest.mark.parametrize(
    ("section", "name", "value", "why"),
    [
        pytest.param("ExecuteSubmission", "timeout", "abc", "expected an int", id="type"),
        pytest.param("ExecuteSubmission", "timeout", -1, "may not be below 0", id="no limit"),
        pytest.param("ExecuteSubmission", "time_limit", 0, "not be less than 1", id="no time"),
        pytest.param("ExecuteSubmission", "timeuot", 9, "did you mean timeout or ", id="misspelt"),
        pytest.param("Intake", "zzz", 9, "there are folder_files, folder_size, ", id="unknown"),
        pytest.param("Intake", "notebook_size", 0, "not be less than 1", id="no notebook"),
        pytest.param("SandboxProvisioner", "memory", 0, "not be less than 1", id="no memory"),
        pytest.param("SandboxProvisioner", "isolate", "no", "expected a boolean", id="no boolean"),
        pytest.param("HideTests", "enabled", "no", "expected a boolean", id="feedback"),
    ],
)
def test_a_wrong_setting_is_named(section, name, value, why):
    with pytest.raises(CourseError) as caught:
        check_settings(Config({section: {name: value}}))
    said = str(caught.value)
    assert said.startswith(f"nbgrader_config.py: c.{section}.{name} = {value!r}: ")
    assert why in said


@pytest.mark.parametrize(
    ("section", "meant"),
    [
        ("ExecuteSubmision", "ExecuteSubmission"),
        ("Executesubmission", "ExecuteSubmission"),
        ("SandboxProvisionner", "SandboxProvisioner"),
        ("HideTest", "HideTests"),
    ],
)
def test_a_misspelt_class_is_named(section, meant):
    with pytest.raises(CourseError) as caught:
        check_settings(Config({section: {"timeout": 9}}))
    why = f"c.{section}: there is no such class; did you mean {meant}?"
    assert str(caught.value) == f"nbgrader_config.py: {why}"


@pytest.mark.parametrize("name", ["ExecutePreprocessor", "ClearHiddenTests", "NotebookExporter"])
def test_a_class_of_a_library_is_not_taken_for_one(name):
    check_settings(Config({name: {"enabled": True}}))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"ExecuteSubmission": {"timeout": 0}}, id="the notebook's limit alone"),
        pytest.param({"ExecuteSubmission": {"timeout": None}}, id="none"),
        pytest.param({"ExecuteSubmission": {"startup_timeout": 90}}, id="inherited"),
        pytest.param({"Intake": {"folder_files": 0}}, id="no other files"),
        pytest.param({"Exchange": {"no_setting_of_ours": -1}}, id="nbgrader's own"),
    ],
)
def test_what_has_a_meaning_is_taken(settings):
    check_settings(Config(settings))


def test_it_is_looked_at_before_anything_is_graded(tmp_path):
    course = Course(make_course(tmp_path, "c.ExecuteSubmission.timeout = 'abc'"))
    with pytest.raises(CourseError, match=r"timeout = 'abc': .* expected an int"):
        make_package(course, "toy", sandbox=None)


@pytest.mark.parametrize(
    ("lines", "line", "why"),
    [
        pytest.param(["x = 1", "def f(:"], 2, "SyntaxError: invalid syntax", id="syntax"),
        pytest.param(["", "", "1 / 0"], 3, "ZeroDivisionError: division by zero", id="raises"),
        pytest.param(
            ["def f():", "    return {}['a']", "f()"], 2, "KeyError: 'a'", id="in a function"
        ),
        pytest.param(
            ["import json", "json.loads('{')"], 2, "JSONDecodeError: Expecting", id="in a library"
        ),
    ],
)
def test_a_file_that_python_cannot_run_is_one_line(tmp_path, capsys, lines, line, why):
    root = make_course(tmp_path)
    (root / "nbgrader_config.py").write_text("\n".join(lines), encoding="utf-8")
    assert main(["--course", str(root), "grade"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: nbgrader_config.py, line {line}: {why}")
    assert len(said.splitlines()) == 1


def key_with(root, *, tag="a", timeout=120, place="/here"):
    """The key of a course whose limits stand in a file that its own one reads."""
    (root / "limits.py").write_text(f"get_config().ExecuteSubmission.timeout = {timeout}")
    course = Course(root)
    course.settings.ExecuteSubmission.skip_cells_with_tag = tag
    course.settings.CourseDirectory.root = place
    course.settings.HTMLExporter.extra_template_basedirs = [place]
    course.settings.FeedbackPages.time_limit = len(place)
    return settings_key(course.settings)


def test_a_limit_in_another_file_counts_and_the_place_does_not(tmp_path):
    make_course(tmp_path, "load_subconfig('limits.py')")
    before = key_with(tmp_path)
    assert key_with(tmp_path, tag="b", place="/there") == before
    assert key_with(tmp_path, timeout=121) != before


def test_a_class_of_ones_own_stays_here(tmp_path):
    own = "class Rule: pass\nc.AssignLatePenalties.plugin_class = Rule"
    settings = Course(make_course(tmp_path, own)).settings
    sent = pickle.loads(pickle.dumps(for_workers(settings)))
    assert sent.ExecuteSubmission == settings.ExecuteSubmission
    assert "plugin_class" in settings.AssignLatePenalties
    assert "plugin_class" not in sent.AssignLatePenalties
