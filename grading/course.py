"""A course folder: its nbgrader configuration, its assignments, its gradebook."""

import io
import json
import logging
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters.base import BaseConverter
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError
from traitlets.config import PyFileConfigLoader

from grading.config_file import what_failed
from grading.cures import cure_of
from grading.environment import environment_key

CONFIG_FILE = "nbgrader_config.py"


class CourseError(Exception):
    """Something that the instructor can mend; the message says how."""


class Course:
    """The folder that holds ``nbgrader_config.py``, with nbgrader set up as that file says.

    Args:
        root: the folder.

    Raises:
        CourseError: if the folder holds no ``nbgrader_config.py``, that file raises an error, or
            its path is a pattern.
    """

    def __init__(self, root: Path | str = "."):
        self.root = Path(root).resolve()
        if found := re.search(r"[*?\[]", str(self.root)):
            why = f"nbgrader finds nothing in a folder with {found[0]!r} in its path"
            raise CourseError(f"{self.root}: {why}; rename it")
        if not (self.root / CONFIG_FILE).is_file():
            raise CourseError(
                f"{self.root} holds no {CONFIG_FILE}; run this from the course's folder, "
                "or name it with --course"
            )
        try:
            self.settings = PyFileConfigLoader(CONFIG_FILE, path=str(self.root)).load_config()
        except Exception as error:
            raise CourseError(what_failed(self.root / CONFIG_FILE, error)) from error
        self.log = logging.Logger("grading", level=logging.INFO)
        self.api = NbGraderAPI(config=self.settings, log=self.log)
        self.directory = self.api.coursedir

    @property
    def work(self) -> Path:
        """The folder for stamps and logs."""
        folder = self.root / "_build" / "grading"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def folder(self, step: str, assignment: str, student: str = ".") -> Path:
        """The folder of one assignment at one step, e.g. ``folder("source", "signals")``."""
        name = getattr(self.directory, f"{step}_directory")
        return Path(self.directory.format_path(name, student, assignment))

    def assignments(self) -> list[str]:
        """The names of all assignments that have a source notebook."""
        source = self.folder("source", ".")
        return sorted({path.parent.name for path in source.glob("*/*.ipynb")})

    def choose(self, names: Iterable[str]) -> list[str]:
        """The assignments named, or all if none is.

        Raises:
            CourseError: if one does not exist, or none does.
        """
        known = self.assignments()
        where = f"{self.directory.source_directory}/<name>/<name>.ipynb"
        if not known:
            raise CourseError(f"there is no assignment; write one as {where}")
        for name in names:
            if name not in known:
                raise CourseError(f"there is no assignment {name!r}; there are: {', '.join(known)}")
        return list(names) or known

    def notebooks(self, assignment: str) -> list[str]:
        """The names of an assignment's notebooks, without ``.ipynb``."""
        return sorted(path.stem for path in self.folder("source", assignment).glob("*.ipynb"))

    def students(self, assignment: str) -> list[str]:
        """Who has a folder for this assignment among the submissions."""
        submitted = self.root / self.directory.submitted_directory
        return sorted(path.parent.name for path in submitted.glob(f"[!.]*/{assignment}/"))

    def misplaced(self) -> list[str]:
        """What lies among the submissions where grading does not look, relative to the course."""
        submitted = self.root / self.directory.submitted_directory
        known = set(self.assignments())
        lost = []
        for path in sorted(submitted.glob("[!.]*")):
            folder = path.is_dir() and not path.is_symlink()
            inside = sorted(path.glob("[!.]*")) if folder else [path]
            lost += [item for item in inside if not (item.is_dir() and item.name in known)]
        return [str(path.relative_to(self.root)) for path in lost]

    def closed_folders(self) -> list[str]:
        """The students whose folders cannot be looked into; no other method sees them."""
        submitted = self.root / self.directory.submitted_directory
        folders = [path for path in sorted(submitted.glob("[!.]*")) if path.is_dir()]
        return [path.name for path in folders if not os.access(path, os.R_OK | os.X_OK)]

    def gradebook(self) -> Gradebook:
        """Open nbgrader's gradebook; use it in a ``with`` statement.

        Raises:
            CourseError: if it is damaged or locked, its server does not answer, or the server's
                driver is not installed.
        """
        url = self.directory.db_url
        try:
            return Gradebook(url, self.directory.course_id)
        except (DatabaseError, ModuleNotFoundError) as error:
            raise unreachable(url, error) from error

    def run(
        self,
        converter: type[BaseConverter],
        assignment: str,
        student: str = "*",
        traits: dict | None = None,
        **attrs,
    ) -> None:
        """Run one of nbgrader's converters in this process, its log kept in a file.

        Args:
            converter: for example ``nbgrader.converters.Autograde``.
            assignment: the assignment's name.
            student: the student's id, or ``"*"`` for all.
            traits: settings of the converter for this run alone.
            attrs: attributes of the course directory that hold for this run alone.

        Raises:
            CourseError: if nbgrader fails, with the cause; nbgrader's own error only says that
                there is one, above, in the log.
        """
        stream = io.StringIO()
        logs = self.log, logging.getLogger("tornado.application")  # the gradebook's is the latter
        handlers = [
            logging.StreamHandler(stream),
            logging.FileHandler(self.log_file, encoding="utf-8", errors="replace"),
        ]
        for handler in handlers:
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            for log in logs:
                log.addHandler(handler)
        self.log.info("%s %s %s", converter.__name__, assignment, student)
        attrs = {"assignment_id": assignment, "student_id": student, **attrs}
        before = {name: getattr(self.directory, name) for name in attrs}
        try:
            for name, value in attrs.items():
                setattr(self.directory, name, value)
            app = converter(coursedir=self.directory, parent=self.api)
            for name, value in (traits or {}).items():
                setattr(app, name, value)  # after the configuration, which else wins
            app.force = True
            with warnings.catch_warnings():
                # SQLAlchemy's on how nbgrader uses it: nothing that an instructor could mend
                warnings.simplefilter("ignore")
                app.start()
        except Exception as error:
            self.log.exception("failed")
            cause = _cause(stream.getvalue(), error)
            raise CourseError(f"{cause} (all that nbgrader said: {self.log_file})") from error
        finally:
            for name, value in before.items():
                setattr(self.directory, name, value)
            for handler in handlers:
                for log in logs:
                    log.removeHandler(handler)
                handler.close()

    @property
    def log_file(self) -> Path:
        """Where nbgrader's own words are kept."""
        return self.work / "nbgrader.log"

    def in_gradebook(self, assignment: str) -> bool:
        """Whether the gradebook knows this assignment and all its notebooks."""
        with self.gradebook() as gradebook:
            try:
                known = gradebook.find_assignment(assignment).notebooks
            except MissingEntry:
                return False
            return {notebook.name for notebook in known} == set(self.notebooks(assignment))

    def key(self, *folders: Path) -> str:
        """A hash of all that a grade depends on: these folders' files and the environment."""
        return environment_key([self.root / CONFIG_FILE], folders)

    def read_stamp(self, name: str) -> dict:
        """What was written under this name, or ``{}``."""
        try:
            return json.loads((self.work / f"{name}.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}

    def write_stamp(self, name: str, **values) -> None:
        """Remember that something is done, e.g. with the key of its inputs."""
        write_atomically(self.work / f"{name}.json", json.dumps(values).encode())


def unreachable(url: str, error: Exception) -> CourseError:
    """What to say of a gradebook that cannot be opened; its password is left out."""
    place = make_url(url).render_as_string(hide_password=True)
    why = " ".join(str(getattr(error, "orig", error)).split())
    cure = cure_of(why) or "start its server, or mend CourseDirectory.db_url in nbgrader_config.py"
    if isinstance(error, ModuleNotFoundError):
        cure = "install its driver; PostgreSQL's: pip install 'training-deep-networks[postgresql]'"
    return CourseError(f"the gradebook {place} cannot be opened ({why}); {cure}")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file such that it is there whole, or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _cause(log: str, error: Exception) -> str:
    """The first line of the error that nbgrader logged before it raised its own.

    It logs the errors that came before it as well. One that stops everything is the cause.

    >>> _cause("...\\nRuntimeError: no end solution statement found\\n", Exception("see above"))
    'no end solution statement found'
    """
    causes = re.findall(r"^(?:\w+\.)*(\w+): (\S.*)$", log, re.MULTILINE)
    named = [text for name, text in causes if name.endswith(("Error", "Entry"))]
    graver = [text for text in named if cure_of(text)]
    return (graver + named)[0] if named else f"{type(error).__name__}: {error}"
