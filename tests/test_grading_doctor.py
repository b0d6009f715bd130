"""What `grading doctor` says of a machine that lacks something."""

import os
from pathlib import Path

import pytest

from grading.__main__ import main
from grading.doctor import NAMESPACES, judge
from grading.room import obstacle

GOOD = {
    **{"network": False, "files": [], "processes": 2, "user": 2**20, "rights": "0" * 16},
    **{"system": False, "filter": True, "links": False},
    "namespaces": dict.fromkeys(NAMESPACES, "of its own"),
}


def test_nothing_is_missing_where_all_is_closed():
    assert [finding.what for finding in judge(GOOD) if not finding.good] == []


@pytest.mark.parametrize(
    ("seen", "what", "words"),
    [
        ({"network": True}, "inside: no network", "reachable: True"),
        ({"files": ["/home"]}, "inside: none of your files", "visible: /home"),
        ({"processes": 80}, "inside: no other process", "80 visible"),
        ({"user": 0}, "inside: no rights", "user 0"),
        ({"rights": "00000000000000ff"}, "inside: no rights", "rights 00000000000000ff"),
        ({"system": True}, "inside: read-only system", "writable: True"),
        ({"links": True}, "inside: no link leads out", "5.10"),
        ({"filter": False}, "inside: filter for calls", "x86_64 and aarch64"),
        ({"namespaces": {"ipc": "1", "mnt": "2"}}, "inside: namespaces", "its own: ipc, mnt"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_is_open_is_named_with_its_cure(seen, what, words):
    (finding,) = (finding for finding in judge(GOOD | seen) if not finding.good)
    assert finding.what == what
    assert words in f"{finding.found}; {finding.cure}"


def test_a_namespace_that_is_the_graders_own_is_missing():
    shared = {"net": str(Path("/proc/self/ns/net").readlink())}
    (finding,) = (
        f for f in judge(GOOD | {"namespaces": GOOD["namespaces"] | shared}) if not f.good
    )
    assert "net" not in finding.found


@pytest.mark.skipif(bool(obstacle()), reason=obstacle())
def test_doctor_names_each_wall_of_this_machine(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for words in ("inside: namespaces: its own: ", "inside: no link leads out", "filter for calls"):
        assert f"ok      {words}" in said or f"ok      inside: {words}" in said
    assert f"user {os.getuid()}," not in said
