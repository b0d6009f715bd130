"""The gradebook: looked at before it is used, and written at once or not at all."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import nbgrader.api
from sqlalchemy import Connection, NullPool, create_engine, inspect, make_url, text
from sqlalchemy.exc import OperationalError

from grading.course import CourseError, unreachable

PATIENCE = 30  # seconds to wait for another program that writes to the gradebook


class OneConnection(Connection):
    """A connection that nbgrader takes for an engine."""

    def dispose(self) -> None:
        """Stay open: nbgrader closes the gradebook after each of its steps."""


def transactions(url: str) -> Callable[[], AbstractContextManager[None]]:
    """A function that gives a ``with`` block; what nbgrader writes inside is written at its end.

    nbgrader opens the gradebook anew for each step of a submission, and commits after each cell.
    Stopped between two cells it would leave a submission half written, and the many commits take
    most of the time. Inside the block all its sessions share one connection and one transaction,
    which an exception undoes. What the database module knows of nbgrader's queries is kept from one
    block to the next.

    Args:
        url: the gradebook's address, as in ``CourseDirectory.db_url``.
    """
    waits = {"timeout": PATIENCE} if url.startswith("sqlite:") else {}
    engine = create_engine(url, connect_args=waits, poolclass=NullPool)

    @contextmanager
    def transaction() -> Iterator[None]:
        with OneConnection(engine) as connection, connection.begin():
            nbgrader.api.create_engine = lambda *_, **__: connection
            try:
                yield
            finally:
                nbgrader.api.create_engine = create_engine

    return transaction


def mend_gradebook(url: str) -> None:
    """See that a gradebook is in order; remove a half-made one, so that nbgrader makes it anew.

    nbgrader makes the tables first and writes their version last. A gradebook without the version
    works for now and cannot be upgraded later. Only a file is removed: a database on a server is
    the administrator's.

    Args:
        url: the gradebook's address, as in ``CourseDirectory.db_url``.

    Raises:
        CourseError: if it is damaged or cannot be read, or is half made and holds submissions or is
            on a server.
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
        raise unreachable(url, error) from error
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
    connection = sqlite3.connect(path, timeout=PATIENCE)
    try:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(f"database disk image is malformed: {damage}")
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
