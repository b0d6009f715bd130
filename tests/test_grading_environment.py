"""What makes a grade out of date: what was written and what is installed, and nothing else."""

import importlib.metadata
import platform
import time

import platformdirs
import pytest

from deeplearn._mnist import CONTENTS
from grading.environment import environment_key


@pytest.fixture
def folder(tmp_path):
    """An assignment with a notebook and a data file."""
    for name in ("toy/toy.ipynb", "toy/data/a/points.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "toy"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(".ipynb_checkpoints/toy-checkpoint.ipynb", id="saved in JupyterLab"),
        pytest.param("data/.ipynb_checkpoints/notes.md", id="saved in a folder inside"),
        pytest.param("data/__pycache__/tools.pyc", id="imported"),
        pytest.param(".DS_Store", id="looked at on a Mac"),
    ],
)
def test_what_is_hidden_does_not_count(folder, name):
    before = environment_key([], [folder])
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    assert environment_key([], [folder]) == before


def test_a_course_in_a_hidden_folder_counts(folder):
    moved = folder.rename(folder.with_name(".toy"))
    before = environment_key([], [moved])
    (moved / "toy.ipynb").write_text("another")
    assert environment_key([], [moved]) != before


def test_a_file_that_moves_to_another_folder_counts(folder):
    before = environment_key([], [folder])
    (folder / "data/a").rename(folder / "data/b")
    assert environment_key([], [folder]) != before


def test_the_place_of_the_course_does_not_count(folder):
    before = environment_key([], [folder])
    assert environment_key([], [folder.rename(folder.with_name("elsewhere"))]) == before


def test_another_python_counts(monkeypatch):
    before = environment_key([], [])
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert environment_key([], []) != before


def data_files(folder, content=b"four"):
    folder.mkdir()
    for name in CONTENTS:
        (folder / f"{name}.gz").write_bytes(content)
    return folder


def test_a_data_set_that_appears_in_the_cache_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPLEARN_DATA", "")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path)
    without = environment_key([], [])
    data_files(tmp_path / "mnist")
    assert environment_key([], []) != without


def test_a_longer_data_set_counts_and_its_place_does_not(tmp_path, monkeypatch):
    keys = []
    for name, content in (("one", b"four"), ("two", b"four"), ("three", b"three")):
        monkeypatch.setenv("DEEPLEARN_DATA", str(data_files(tmp_path / name, content)))
        keys.append(environment_key([], []))
    assert keys[0] == keys[1] != keys[2]


def test_another_version_of_any_package_counts(tmp_path, monkeypatch):
    place = tmp_path / "site-packages"
    (place / "pandas-2.0.dist-info").mkdir(parents=True)
    without = environment_key([], [])
    monkeypatch.syspath_prepend(place)
    old = environment_key([], [])
    (place / "pandas-2.0.dist-info").rename(place / "pandas-2.1.dist-info")
    assert len({without, old, environment_key([], [])}) == 3


def test_packages_inside_of_a_package_do_not_count(tmp_path, monkeypatch):
    """Setuptools puts such a folder on the path as soon as somebody imports it."""
    place = tmp_path / "site-packages/setuptools/_vendor"
    (place / "wheel-0.1.dist-info").mkdir(parents=True)
    before = environment_key([], [])
    monkeypatch.syspath_prepend(place)
    assert environment_key([], []) == before


def test_it_takes_little_time(monkeypatch):
    """No metadata is read: with dask in the process, a missing field of it is an error."""
    monkeypatch.setattr(importlib.metadata, "distributions", None)
    begin = time.process_time()
    environment_key([], [])
    assert time.process_time() - begin < 0.05
