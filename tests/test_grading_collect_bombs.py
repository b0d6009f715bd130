"""Archives made to fill memory or disk, to leave their place, or to hide a file."""

import functools
import io
import struct
import tarfile
import tracemalloc
import zipfile

import pytest

from grading.archives import MB, Limits
from grading.collect import collect
from grading.course import CourseError
from tests.collecting import TOY, endings, handed_in, packed, tree

LIMITS = Limits(notebook=MB, zipped=MB, unpacked=5 * MB, entries=50)
TAKEN = ("bob", "toy", "taken")


@functools.cache
def large():
    """A thousandth of what it holds."""
    return packed({"toy.ipynb": b" " * 50 * MB})


def overlapping(number):
    """Entries of the directory that all point to the same bytes."""
    data = packed({"000.ipynb": b" " * 900_000})
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    names = (f"{n:03}.ipynb".encode() for n in range(number))
    directory = b"".join(data[start:end].replace(b"000.ipynb", name) for name in names)
    counts = struct.pack("<HHHHLLH", 0, 0, number, number, len(directory), start, 0)
    return data[:start] + directory + b"PK\x05\x06" + counts


def many(number):
    """A directory of this many entries without content."""
    one = packed({"a": b""})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    directory = one[start:end] * number
    counts = struct.pack("<HHHHLLH", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, 0)
    return one[:start] + directory + b"PK\x05\x06" + counts


def nested(depth):
    data = packed({"toy.ipynb": TOY})
    for _ in range(depth):
        data = packed({"inner.zip": data})
    return data


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(large, "larger than 1 MB", id="ratio"),
        pytest.param(lambda: overlapping(40), "in all|damaged", id="overlapping"),
        pytest.param(lambda: many(1_000_000)[: 900_000], "more than 50 files", id="many, cut off"),
        pytest.param(lambda: many(15_000), "more than 50 files", id="many"),
        pytest.param(lambda: many(1_000_000), "larger than 1 MB", id="a million"),
        pytest.param(lambda: nested(3), "a zip in 2 other zips", id="nested"),
        pytest.param(lambda: packed({f"{n}.zip": large() for n in range(8)}), "larger|in all",
                     id="ratio, nested"),
        pytest.param(
            lambda: packed({f"{n}.zip": packed({"toy.ipynb": b" " * 900_000}) for n in range(9)}),
            "in all", id="wide"),
    ],
)  # fmt: skip
def test_a_bomb_costs_a_little_memory_and_nobody_else(course, export, tmp_path, make, reason):
    path = export({"ada.zip": make(), "bob.ipynb": TOY})
    before = {name: data for name, data in tree(tmp_path).items() if "_build/" not in name}
    tracemalloc.start()
    lines = collect(course, [path], limits=LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * MB
    assert handed_in(course) == {"bob/toy/toy.ipynb": TOY}
    after = tree(tmp_path)
    written = {name for name in after if before.get(name) != after[name]}
    beside = {name for name in written if not name.startswith(("course/submitted/", "course/_b"))}
    assert beside == set()
    said = " ".join(line.reason for line in lines if line.student == "ada")
    assert any(word in said for word in reason.split("|")), said


def with_names(*names, content=TOY):
    """A zip with these names, also those that occur twice, as they are."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, content.replace(b"answer", b"answer%d" % number))
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names",
    [("toy.ipynb", "toy.ipynb"), ("toy.ipynb", "TOY.IPYNB"), ("a/toy.ipynb", "b/toy.ipynb")],
)
def test_of_files_with_one_name_one_is_taken_and_the_other_told(course, export, names):
    lines = collect(course, [export({"ada.zip": with_names(*names)})])
    assert endings(lines) == [("ada", "toy", "older"), ("ada", "toy", "taken")]
    assert len(handed_in(course)) == 1
    (other,) = (line for line in lines if line.status == "older")
    assert "another of the same student; chosen: ada.zip/" in other.reason


def test_backslashes_are_folders(course, export):
    path = export({"ada.zip": with_names("work\\final\\toy.ipynb")})
    (line,) = collect(course, [path])
    assert (line.path, line.status) == ("ada.zip/work/final/toy.ipynb", "taken")


@pytest.mark.parametrize("name", ["..\\..\\toy.ipynb", "a/../../toy.ipynb", "\\\\host\\toy.ipynb"])
def test_a_path_that_leads_elsewhere_is_refused(course, export, name):
    path = export({"ada.zip": with_names(name), "bob.ipynb": TOY})
    lines = collect(course, [path])
    assert endings(lines) == [("ada", "", "not taken"), TAKEN]


def test_a_zip_within_moodles_zip_is_opened(course, export):
    name = "Ada Lovelace_12_assignsubmission_file_"
    path = export({f"{name}/my work.zip": with_names("a/toy.ipynb")}, "export.zip")
    assert endings(collect(course, [path])) == [("ada_lovelace_12", "toy", "taken")]


def tar(mode):
    """A device, links and a notebook in a tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for kind, name in (
            (tarfile.CHRTYPE, "dev"),
            (tarfile.SYMTYPE, "l"),
            (tarfile.LNKTYPE, "h"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("../../toy.ipynb")
        info.size = len(TOY)
        archive.addfile(info, io.BytesIO(TOY))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "mode"), [("ada.tar", "w"), ("ada.tar.gz", "w:gz"), ("ada.tgz", "w:gz")]
)
def test_a_tar_is_not_opened(course, export, tmp_path, name, mode):
    path = export({name: tar(mode), "bob.ipynb": TOY})
    lines = collect(course, [path])
    assert endings(lines)[-1] == TAKEN
    (line,) = (line for line in lines if line.path == name)
    assert (line.status, "archive, which is not opened" in line.reason) == ("not taken", True)
    with pytest.raises(CourseError, match="other archives: unpack them"):
        collect(course, [path / name])
