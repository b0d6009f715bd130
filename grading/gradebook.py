"""A gradebook whose creation was interrupted: found, and remade if nothing is lost by it."""

import sqlite3
from pathlib import Path

from grading.course import CourseError


def mend_gradebook(url: str) -> None:
    """Remove a half-made gradebook, so that nbgrader makes it anew.

    nbgrader makes the tables first and writes their version last. A gradebook without the version
    works for now and cannot be upgraded later. Only SQLite is looked at: other databases are made
    by hand.

    Args:
        url: the gradebook's address, as in ``CourseDirectory.db_url``.

    Raises:
        CourseError: if it cannot be read, or is half made and holds submissions.
    """
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or not path.exists():
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
