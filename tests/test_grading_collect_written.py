"""What collecting writes: nothing is lost, nothing beside it is touched, nothing is half there."""

import os
import re
import signal
from pathlib import Path

import pytest
from filelock import FileLock

import grading.exports
from grading.collect import collect
from grading.course import CourseError
from tests.collecting import (
    CUT,
    OTHER,
    TOY,
    handed_in,
    link_out,
    record,
    tree,
)


def test_of_several_attempts_the_latest_is_taken(course, export):
    first, last = TOY.replace(b"answer", b"first"), TOY.replace(b"answer", b"last")
    files = {"a_1_100_toy.ipynb": first, "a_1_99_toy-2.ipynb": last, "a_1_101_other.ipynb": OTHER}
    lines = collect(course, [export(files, "canvas")])
    assert handed_in(course) == {"a_1/toy/toy.ipynb": first, "a_1/other/other.ipynb": OTHER}
    older = [line for line in lines if line.status == "older"]
    assert [(x.path, x.reason) for x in older] == [
        ("a_1_99_toy-2.ipynb", "a later one is a_1_100_toy.ipynb")
    ]
    # an export from before comes too late
    assert collect(course, [export({"a_1_98_toy.ipynb": last}, "old")])[0].status == "older"
    assert collect(course, [export({"a_1_200_toy.ipynb": last}, "new")])[0].status == "replaced"
    # unless what was there is gone
    (course.root / "submitted" / "a_1" / "toy" / "toy.ipynb").unlink()
    assert collect(course, [export({"a_1_98_toy.ipynb": last}, "old")])[0].status == "taken"


def test_an_older_time_does_not_replace_a_later_one(course, export):
    newer, older = "2024-02-02 00:00:00 UTC", "2024-02-01 00:00:00 UTC"
    collect(course, [export({f"ada+toy+{newer}/toy.ipynb": TOY}, "b")])
    lines = collect(course, [export({f"ada+toy+{older}/toy.ipynb": CUT}, "a")])
    assert [(line.status, line.reason) for line in lines] == [
        ("older", "what is there was handed in later")
    ]
    assert handed_in(course)["ada/toy/toy.ipynb"] == TOY


def test_what_was_there_is_kept(course, export):
    stamp = "2024-01-31 12:00:00 UTC"
    collect(course, [export({f"ada+toy+{stamp}/toy.ipynb": TOY}, "first")])
    changed = TOY.replace(b"answer", b"changed")
    lines = collect(course, [export({"ada.ipynb": changed}, "second")])
    assert [line.status for line in lines] == ["replaced"]
    assert handed_in(course) == {"ada/toy/toy.ipynb": changed}
    kept = tree(course.root / "submitted" / ".earlier" / "ada" / "toy")
    assert sorted(content for content in kept.values()) == sorted(
        [TOY, b"2024-01-31 12:00:00.000000 UTC"]
    )
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d)?/", path) for path in kept)


def test_an_interrupted_run_can_be_repeated(course, export, monkeypatch):
    path = export({f"s{n}.ipynb": TOY for n in range(5)})
    real = grading.exports.Export.read
    calls = []

    def stop(self, item, limit):
        calls.append(item)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return real(self, item, limit)

    with monkeypatch.context() as patch:
        patch.setattr(grading.exports.Export, "read", stop)
        with pytest.raises(KeyboardInterrupt):
            collect(course, [path])
    assert sorted(record(course)) == ["s0", "s1"]
    statuses = [line.status for line in collect(course, [path])]
    assert statuses == ["unchanged", "unchanged", "taken", "taken", "taken"]
    assert len(record(course)) == 5


@pytest.mark.parametrize("link", ["ada", "ada/toy", "ada/toy/toy.ipynb", ".part"])
def test_nothing_is_written_through_links(course, export, tmp_path, link):
    written = link in ("ada/toy/toy.ipynb", ".part")
    outside = link_out(course, tmp_path / "outside", link, to_file=written)
    lines = collect(course, [export({"ada.ipynb": TOY})])
    assert tree(outside) == {"file": b"mine"}
    assert (lines[0].status != "not taken") == written
    assert written or "is a link" in lines[0].reason
    if written:
        assert (course.root / "submitted/ada/toy/toy.ipynb").read_bytes() == TOY


def killed_at(course, path, step):
    """Collect in another process, which is killed at this step of writing; whether it came there.

    A file that is being written is then half there.
    """

    def counted(function):
        def call(self, *arguments, **keywords):
            steps.append(function)
            if len(steps) == step:
                if function is write_bytes:
                    write_bytes(self, arguments[0][: len(arguments[0]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return function(self, *arguments, **keywords)

        return call

    child = os.fork()
    if not child:
        steps, write_bytes = [], Path.write_bytes
        for name in ("write_bytes", "rename", "replace"):
            setattr(Path, name, counted(getattr(Path, name)))
        collect(course, [path])
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_run_killed_at_any_step_leaves_nothing_half_written(course, export):
    old = {f"s{n}.ipynb": TOY for n in range(3)}
    new = {name: TOY.replace(b"answer", b"changed") for name in old}
    exports = [export(old, "old"), export(new, "new")]
    killed, step = True, 0
    while killed:
        collect(course, exports[:1])
        step += 1
        killed = killed_at(course, exports[1], step)
        assert set(handed_in(course).values()) <= {TOY, new["s0.ipynb"]}
        assert [name.rpartition("/")[2] for name in handed_in(course)] == ["toy.ipynb"] * 3
    assert step > 9
    collect(course, exports[1:])
    assert list(handed_in(course).values()) == list(new.values())
    assert len(record(course)) == 3


def test_two_at_once_do_not_mix(course, export):
    path = export({"ada.ipynb": TOY})
    with FileLock(course.work / "collect.lock"):
        with pytest.raises(CourseError, match=r"another collect is at work in .*; wait until"):
            collect(course, [path])
        assert handed_in(course) == {}
        assert [line.status for line in collect(course, [path], dry_run=True)] == ["taken"]
    assert [line.status for line in collect(course, [path])] == ["taken"]


def test_the_record_is_merged_and_guarded(course, export):
    collect(course, [export({"a_1_5_toy.ipynb": TOY}, "canvas")])
    # the same student by the id, from a file that the instructor renamed: the number stays
    collect(course, [export({"a_1.ipynb": OTHER, "bob.ipynb": TOY}, "plain")])
    found = record(course)
    assert (found["a_1"]["platform"], found["a_1"]["number"]) == ("canvas", "1")
    assert set(found["a_1"]["notebooks"]) == {"toy/toy", "other/other"}
    assert set(found) == {"a_1", "bob"}
    (course.root / "submitted" / ".collected.json").write_text("{", "utf-8")
    with pytest.raises(CourseError, match=r"collected\.json is damaged"):
        collect(course, [export({"carl.ipynb": TOY}, "more")])
