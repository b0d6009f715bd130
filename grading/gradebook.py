"""A gradebook whose creation was interrupted: found, and remade if nothing is lost by it."""

import sqlite3
from pathlib import Path

from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError

from grading.course import CourseError, unreachable


def mend_gradebook(url: str) -> None:
    """Remove a half-made gradebook, so that nbgrader makes it anew.

    nbgrader makes the tables first and writes their version last. A gradebook without the version
    works for now and cannot be upgraded later. Only a file is removed: a database on a server is
    the administrator's.

    Args:
        url: the gradebook's address, as in ``CourseDirectory.db_url``.

    Raises:
        CourseError: if it cannot be read, or is half made and holds submissions or is on a server.
    """
    if not url.startswith("sqlite:///"):
        _check_server(url)
        return
    path = Path(url.removeprefix("sqlite:///"))
    if not path.exists():
        return
    try:
        version, submissions = _inspect(path)
    except sqlite3.DatabaseError as error:
        raise CourseError(
            f"{path} is not a gradebook ({error}); move it away, then run `release` again"
        ) from error
    if version:
        return
    if submissions:
        raise CourseError(
            f"{path} was left half made, and it holds {submissions} submissions: it lacks its "
            "version. Copy the file to a safe place; then move it away, run `release` and "
            "`grade` again, and enter grades given by hand from the copy"
        )
    path.unlink()


def _check_server(url: str) -> None:
    version = None
    try:
        engine = create_engine(url)
        with engine.connect() as connection:
            tables = inspect(connection).get_table_names()
            if "alembic_version" in tables:
                query = text("SELECT version_num FROM alembic_version")
                version = connection.execute(query).scalar()
        engine.dispose()
    except (OperationalError, ModuleNotFoundError) as error:
        raise unreachable(url, error) from error
    if tables and not version:
        place = make_url(url).render_as_string(hide_password=True)
        raise CourseError(
            f"{place} was left half made: it lacks its version. If nothing was graded yet, empty "
            "the database, then run `release` again"
        )


def _inspect(path: Path) -> tuple[str | None, int]:
    """The gradebook's version (None if it was never written) and its number of submissions."""
    # not `with`: that ends a transaction and leaves the connection open
    connection = sqlite3.connect(path)
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        version, submissions = None, 0
        if "alembic_version" in tables:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            version = row[0] if row else None
        if "submitted_assignment" in tables:
            query = "SELECT COUNT(*) FROM submitted_assignment"
            submissions = connection.execute(query).fetchone()[0]
        return version, submissions
    finally:
        connection.close()
