"""The gradebook in a PostgreSQL server of the test's own, reached through a local socket."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import sqlalchemy

from grading.course import Course, CourseError
from grading.grade import grade
from grading.release import release
from grading.sample import open_class
from tests.toy_course import TEST_DOUBLE, WRONG_DOUBLE, Submission, hand_in, make_course

PROGRAMS = ("initdb", "pg_ctl")
PLACES = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
)


def what_is_missing() -> str:
    """Why there can be no server here; empty if there can."""
    if importlib.util.find_spec("psycopg") is None:
        return "the driver is missing: pip install 'psycopg[binary]'"
    missing = [name for name in PROGRAMS if shutil.which(name, path=PLACES) is None]
    if missing:
        return f"PostgreSQL's server is missing ({', '.join(missing)}): apt-get install postgresql"
    if os.geteuid() == 0 and not (shutil.which("setpriv") and server_user()):
        return "root may not run PostgreSQL, and there is no user postgres, or no setpriv"
    return ""


def server_user() -> pwd.struct_passwd | None:
    """The user who runs the server where we are root, which PostgreSQL refuses."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


pytestmark = [
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing()),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]


def run(folder: Path, program: str, *arguments: str | Path) -> None:
    """Run one of the server's programs, as a user who is not root."""
    command = [shutil.which(program, path=PLACES), *map(str, arguments)]
    if os.geteuid() == 0:
        user = server_user()
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        command = ["setpriv", *ids, *command]
    # pg_ctl hands its outputs to the server: a pipe would not end
    with (folder / "programs.log").open("a+") as log:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.seek(0)
        assert done.returncode == 0, log.read()


@contextmanager
def server():
    """The address of an empty database; a socket's path must be short, so not in tmp_path."""
    with tempfile.TemporaryDirectory(prefix="gradebook-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, server_user().pw_uid, server_user().pw_gid)
        data = folder / "data"
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run(
            folder, "initdb", "-D", data, "-U", "teacher", "--auth=trust", "--no-sync", "-E", "UTF8"
        )
        run(folder, "pg_ctl", "-D", data, "-o", options, "-l", folder / "server.log", "-w", "start")
        try:
            yield f"postgresql+psycopg://teacher@/postgres?host={folder}"
        finally:
            run(folder, "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture(scope="module")
def address():
    with server() as address:
        yield address


@pytest.fixture
def database(address, request):
    """A database for one test."""
    engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f'CREATE DATABASE "{request.node.name}"'))
    engine.dispose()
    return address.replace("/postgres?", f"/{request.node.name}?")


@pytest.fixture
def course(tmp_path, database):
    course = Course(make_course(tmp_path, f"c.CourseDirectory.db_url = {database!r}"))
    release(course, "toy")
    released = nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)
    hand_in(course.root, "ada", Submission(released).nb)
    hand_in(course.root, "Żofia ☃", Submission(released).answer("double", WRONG_DOUBLE).nb)
    return course


def scores(results):
    return {result.student: (result.score, result.needs_manual) for result in results}


def grade_by_hand(course, student, points, comment):
    """What formgrader does when points and a comment are saved."""
    with course.gradebook() as gradebook:
        found = gradebook.find_grade("explain", "toy", "toy", student)
        found.manual_score, found.needs_manual_grade = points, False
        gradebook.find_comment("explain", "toy", "toy", student).manual_comment = comment
        gradebook.db.commit()


def by_hand(course, student):
    with course.gradebook() as gradebook:
        found = gradebook.find_grade("explain", "toy", "toy", student)
        comment = gradebook.find_comment("explain", "toy", "toy", student).comment
        return found.manual_score, comment, found.needs_manual_grade


def test_a_class_is_graded_by_program_by_hand_and_again(course):
    first = {"ada": (5, True), "Żofia ☃": (3, True)}
    assert scores(grade(course, "toy")) == first
    assert scores(grade(course, "toy")) == first
    assert not (course.root / "gradebook.db").exists()

    grade_by_hand(course, "ada", 4.5, "Right: ½ + ½.")
    assert scores(grade(course, "toy"))["ada"] == (9.5, False)

    path = course.folder("submitted", "toy", "ada") / "toy.ipynb"
    again = Submission(nbformat.read(path, as_version=4)).answer("double", WRONG_DOUBLE)
    nbformat.write(again.nb, path)
    assert scores(grade(course, "toy"))["ada"] == (7.5, True)
    assert by_hand(course, "ada") == (4.5, "Right: ½ + ½.", True)

    path = course.folder("source", "toy") / "toy.ipynb"
    source = nbformat.read(path, as_version=4)
    test = next(cell for cell in source.cells if cell.source == TEST_DOUBLE)
    test.source += "\nassert double(2) == 4"
    nbformat.write(source, path)
    release(course, "toy")
    grade(course, "toy")
    assert by_hand(course, "ada") == (4.5, "Right: ½ + ½.", True)


def test_no_connection_stays_open(course, address):
    grade(course, "toy")
    name = sqlalchemy.make_url(course.directory.db_url).database
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = :name"
    engine = sqlalchemy.create_engine(address)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text(query), {"name": name}).scalar_one() == 0
    engine.dispose()


def test_a_sample_class_has_a_gradebook_of_its_own(course):
    sample = open_class(course, course.root / "_build" / "sample" / "toy", "toy", [])
    release(sample, "toy")
    with sample.gradebook() as gradebook:
        gradebook.add_student("nobody")
    with course.gradebook() as gradebook:
        assert not gradebook.students


def test_a_half_made_gradebook_is_not_used(course, database):
    engine = sqlalchemy.create_engine(database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM alembic_version"))
    engine.dispose()
    with pytest.raises(CourseError, match=r"left half made.*empty the database"):
        grade(course, "toy")


def test_a_server_that_does_not_answer_is_named(course, tmp_path):
    nowhere = f"postgresql+psycopg://teacher:secret@/postgres?host={tmp_path}"
    config = course.root / "nbgrader_config.py"
    config.write_text(f"{config.read_text()}\nc.CourseDirectory.db_url = {nowhere!r}\n")
    silent = Course(course.root)
    for open_it in (silent.gradebook, lambda: grade(silent, "toy")):
        with pytest.raises(CourseError, match=r"cannot be opened.*start its server") as caught:
            open_it()
        assert "secret" not in str(caught.value)
