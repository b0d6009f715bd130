"""Random damage to a notebook and to zips: refused with a reason, or read; never an exception."""

import json
import random
import re
import shutil

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbgrader.utils import is_solution
from traitlets.config import Config, LoggingConfigurable

from grading.archives import Limits
from grading.collect import collect
from grading.notebooks import Refused, decode, read_submission
from grading.transplant import InstructorCopy, transplant
from tests.collecting import handed_in, make_courses, packed
from tests.toy_course import Submission, source_notebook

FIXED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TEXT = st.text(max_size=8) | st.sampled_from(["\ud800", "\0", "double", "test_double", "toy-3"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["delete", "replace", "text", "duplicate", "move", "swap", "rename"]),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        VALUES,
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def instructor(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "toy.ipynb"
    nbformat.write(source_notebook(), path)
    settings = Config({"ClearMarkScheme": {"enforce_metadata": False}})
    return InstructorCopy(path, parent=LoggingConfigurable(config=settings))


@pytest.fixture(scope="module")
def good():
    return nbformat.writes(Submission(source_notebook()).nb)


def nodes(data, found):
    """Every place in a notebook's data: the container, and the key in it."""
    for key in list(data) if isinstance(data, dict) else range(len(data)):
        found.append((data, key))
        if isinstance(data[key], dict | list):
            nodes(data[key], found)
    return found


def hurt(data, step):
    """Do one thing to one place."""
    kind, first, second, value = step
    places = nodes(data, [])
    if kind == "text":
        places = [(here, key) for here, key in places if isinstance(here[key], str)]
    if not places:
        return
    (here, key), (there, other) = places[first % len(places)], places[second % len(places)]
    if kind == "delete":
        del here[key]
    elif kind in ("replace", "text"):
        here[key] = value if kind == "replace" else f"{here[key]}{value}\ud800"
    elif kind == "duplicate" and isinstance(here, list):
        here.insert(second % (len(here) + 1), json.loads(json.dumps(here[key])))
    elif kind == "move" and isinstance(here, list):
        here.insert(second % len(here), here.pop(key))
    elif kind == "swap":
        copies = [json.loads(json.dumps(value)) for value in (here[key], there[other])]
        there[other], here[key] = copies
    elif kind == "rename" and isinstance(here, dict):
        here[str(value)] = here.pop(key)


def read(content):
    """The cells that were handed in, or the reason why there are none."""
    try:
        return read_submission(decode(content))
    except Refused as error:
        return str(error)


def check(instructor, content):
    """What is graded is sound, whatever was handed in."""
    submitted = read(content)
    assert submitted
    if isinstance(submitted, str):
        return
    graded = transplant(instructor, submitted)
    nbformat.validate(graded)
    nbformat.writes(graded).encode("utf-8")
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in graded.cells]
    own = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in instructor.nb.cells]
    assert [name for name in names if name] == [name for name in own if name]
    kept = [cell for cell in graded.cells if "grading" in cell.metadata]
    given = [cell for cell in instructor.nb.cells if not is_solution(cell)]
    assert [cell.source for cell in kept] == [cell.source for cell in given]
    assert [cell.cell_type for cell in kept] == [cell.cell_type for cell in given]


@settings(FIXED, max_examples=800)
@given(steps=STEPS)
def test_any_node_of_a_notebook_may_be_damaged(instructor, good, steps):
    data = json.loads(good)
    for step in steps:
        hurt(data, step)
    check(instructor, json.dumps(data).encode())


@settings(FIXED, max_examples=150)
@given(data=VALUES)
def test_any_json_may_be_handed_in(instructor, data):
    check(instructor, json.dumps(data).encode())
    check(instructor, json.dumps({"cells": [data, {"source": data}]}).encode())


@settings(FIXED, max_examples=300)
@given(seed=st.integers(0, 2**32), flips=st.integers(1, 30), cut=st.floats(0, 1))
def test_any_byte_may_flip_and_the_end_be_missing(instructor, good, seed, flips, cut):
    content, draw = bytearray(good.encode()), random.Random(seed)
    for _ in range(flips):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    check(instructor, bytes(content))
    check(instructor, good.encode()[: int(cut * len(good))])


@settings(FIXED, max_examples=200)
@given(content=st.binary(max_size=300))
def test_any_bytes_may_be_handed_in(instructor, content):
    check(instructor, content)


NAMES = st.text(st.sampled_from("ab./\\:*_é~ -toy"), min_size=1, max_size=20) | st.sampled_from(
    ["../x.ipynb", "/tmp/x.ipynb", "toy.ipynb", "toy/toy.ipynb", "a_1_2_toy.ipynb", "x.zip"]
)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return make_courses(tmp_path_factory.mktemp("zips") / "course")


@settings(FIXED, max_examples=200)
@given(
    files=st.dictionaries(NAMES, st.binary(max_size=60), max_size=5),
    seed=st.integers(0, 2**32),
    flips=st.integers(0, 8),
    cut=st.floats(0.5, 1),
    nested=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_any_zip_may_be_collected(course, good, tmp_path_factory, files, seed, flips, cut, nested):
    inner = bytearray(packed({"toy.ipynb": good, **files}))
    draw = random.Random(seed)
    for _ in range(flips):
        inner[draw.randrange(len(inner))] ^= 1 << draw.randrange(8)
    content = bytes(inner[: max(1, int(cut * len(inner)))])
    folder = tmp_path_factory.mktemp("export")
    path = folder / "export.zip"
    path.write_bytes(packed({"ada.zip": content, "bob.ipynb": good}) if nested else content)
    shutil.rmtree(course.root / "submitted", ignore_errors=True)
    before = {item.name for item in course.root.parent.iterdir()}
    lines = collect(course, [path], limits=Limits(unpacked=10**6, notebook=10**6))
    assert all(line.reason for line in lines if line.status in ("not taken", "ignored"))
    assert not nested or any(line.student == "bob" and not line.reason for line in lines)
    assert {item.name for item in course.root.parent.iterdir()} == before
    # what lies beside a notebook comes along
    named = {"toy.ipynb"} | {part for name in files for part in re.split(r"[/\\]", name)}
    assert {name.rpartition("/")[2] for name in handed_in(course)} <= named
    assert {name.split("/")[1] for name in handed_in(course)} <= {"toy"}
