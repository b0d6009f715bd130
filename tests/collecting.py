"""What the tests of collecting share: a course, exports, and what was taken."""

import io
import json
import zipfile

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from grading.course import Course
from tests.toy_course import make_course, nbgrader

MOODLE = "Ada Lovelace_123456_assignsubmission_file_"


def notebook(*names, text="answer"):
    """A submission whose cells have these names."""
    cells = [new_code_cell(f"{text} = {n}", metadata=nbgrader(n, solution=True)) for n in names]
    return json.dumps(new_notebook(cells=cells)).encode()


TOY = notebook("double", "test_double", "halve", "test_halve", "explain")
OTHER = notebook("first", "second")
PLAIN = json.dumps(new_notebook(cells=[new_code_cell("x = 1")])).encode()
CUT = TOY[:200]


def make_courses(root):
    """A course of three assignments; one of them has two notebooks."""
    make_course(root)
    for assignment, name, cells in (
        ("other", "other", ("first", "second")),
        ("pair", "part_1", ("p1", "p2", "p3")),
        ("pair", "part_2", ("q1", "q2", "q3")),
    ):
        folder = root / "solutions" / assignment
        folder.mkdir(exist_ok=True)
        nb = nbformat.reads(notebook(*cells).decode(), as_version=4)
        nbformat.write(nb, folder / f"{name}.ipynb")
    return Course(root)


def write_export(root, files, name="export"):
    """Write an export of files, as a folder or as a zip."""
    path = root / name
    if path.suffix == ".zip":
        path.write_bytes(packed(files))
    else:
        for inner, content in files.items():
            (path / inner).parent.mkdir(parents=True, exist_ok=True)
            (path / inner).write_bytes(content)
    return path


def packed(files, **options):
    """A zip of files, in memory."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tree(folder):
    """Every file below a folder that is not a record: path → content."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def handed_in(course):
    """What grading will find: path → content."""
    files = tree(course.root / "submitted")
    return {path: content for path, content in files.items() if not path.startswith(".")}


def link_out(course, folder, link, to_file):
    """Make a link of this path among the submissions; return the folder that it leads to."""
    folder.mkdir()
    (folder / "file").write_bytes(b"mine")
    place = course.root / "submitted" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(folder / "file" if to_file else folder)
    return folder


def record(course):
    return json.loads((course.root / "submitted" / ".collected.json").read_text("utf-8"))


def endings(lines):
    """student, assignment and status of each file that is told of."""
    return sorted((x.student, x.assignment, x.status) for x in lines if x.status != "ignored")


def beside(course):
    """What came along: path → content."""
    files = handed_in(course)
    return {
        path: content
        for path, content in files.items()
        if not path.endswith((".ipynb", "/timestamp.txt"))
    }


def reasons(lines, status):
    """The reasons of the files that ended so: path → reason."""
    return {line.path: line.reason for line in lines if line.status == status}
