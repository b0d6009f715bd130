"""The data set that submissions are given, and folders that they could not read."""

import os
import subprocess

import platformdirs
import pytest

from deeplearn._mnist import CONTENTS
from grading.__main__ import main
from grading.room import obstacle
from grading.shown import closed, data_set

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a room's user is another one for root only")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder for downloads, with all of MNIST; the environment names no data set."""
    monkeypatch.delenv("DEEPLEARN_DATA", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in CONTENTS:
        (folder / f"{name}.gz").touch()
    return folder


@pytest.fixture
def fresh():
    """Let the machine be looked at anew."""
    obstacle.cache_clear()
    yield
    obstacle.cache_clear()


def test_what_was_downloaded_is_shown(cache):
    assert data_set() == (str(cache), [cache])


def test_a_download_that_was_not_finished_is_not_shown(cache):
    (cache / "train-images-idx3-ubyte.gz").unlink()
    assert data_set() == ("digits", [])


def test_the_digits_are_used_where_there_is_no_cache(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path / "none")
    assert data_set() == ("digits", [])


def test_a_folder_of_ones_own_goes_before_the_cache(tmp_path, cache, monkeypatch):
    cache.rename(tmp_path / "own")
    monkeypatch.setenv("DEEPLEARN_DATA", str(tmp_path / "own"))
    assert data_set() == (str(tmp_path / "own"), [tmp_path / "own"])


@pytest.mark.parametrize("wanted", ["digits", "/nowhere"])
def test_what_is_no_folder_of_data_is_left_to_the_loader(cache, monkeypatch, wanted):
    monkeypatch.setenv("DEEPLEARN_DATA", wanted)
    assert data_set() == (wanted, [])


def test_what_was_unpacked_in_the_cache_changes_nothing(cache):
    (cache / "train-images-idx3-ubyte").touch()
    assert data_set() == (str(cache), [cache])


@as_root
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        pytest.param("", 0o700, id="folder"),
        pytest.param("t10k-labels-idx1-ubyte.gz", 0o600, id="file"),
    ],
)
def test_data_that_root_alone_may_read_stop_grading_and_have_a_cure(
    cache, fresh, capsys, name, mode
):
    (cache / "notes-ubyte.part").touch(0o600)  # which nobody reads
    assert closed() == ""
    path = cache / name
    path.chmod(mode)
    assert main(["doctor"]) == 1
    said = f"{path} is closed to a room's user: "
    assert said in capsys.readouterr().out
    cure = closed().removeprefix(said)
    subprocess.run(cure, shell=True, check=True)
    assert closed() == ""
    assert (cache / "notes-ubyte.part").exists()


@as_root
@pytest.mark.parametrize("name", ["torch", "."])
def test_packages_that_root_alone_may_read_stop_grading(cache, tmp_path, monkeypatch, name):
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path / "site"))
    assert closed() == ""  # there is no such folder
    for package in ("torch", "numpy", "__pycache__", "~orch"):
        (tmp_path / "site" / package).mkdir(parents=True)
    for package in ("__pycache__", "~orch", name):
        (tmp_path / "site" / package).chmod(0o700)
    path, cure = closed().split(" is closed to a room's user: ")
    assert path == str(tmp_path / "site" / name)
    subprocess.run(cure, shell=True, check=True)
    assert closed() == ""
