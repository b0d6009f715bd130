"""The folder of submissions: written so that nothing is lost, and nothing beside it is touched."""

import hashlib
import json
import os
import unicodedata
from pathlib import Path

from grading.course import Course, CourseError
from grading.keeping import Keeping, NotWritten
from grading.layouts import Origin, timestamp

RECORD = ".collected.json"
NUMBERED = ("moodle", "canvas")


class Submitted:
    """The submissions of a course, with a record of where each came from.

    Args:
        course: the course.
        dry_run: whether to find out only, and write nothing.

    Raises:
        CourseError: if the record is damaged.
    """

    def __init__(self, course: Course, dry_run: bool = False):
        self.course = course
        self.dry_run = dry_run
        self.root = course.folder("submitted", ".")
        self.records = self._read_records()
        self._changed = False
        self._keeping = Keeping(self.root)
        there = self.root.iterdir() if self.root.is_dir() else ()
        self._folders = {alike(path.name): path.name for path in there}

    def _read_records(self) -> dict[str, dict]:
        path = self.root / RECORD
        try:
            records = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(records, dict) and all(isinstance(r, dict) for r in records.values()):
                return records
        except FileNotFoundError:
            return {}
        except ValueError:
            pass
        raise CourseError(
            f"{path} is damaged; take it from a backup, or move it away and collect everything "
            "again (it holds the names and numbers with which scores go back)"
        )

    def stranger(self, origin: Origin) -> str:
        """Why this student cannot be the one who has the same id here, or nothing."""
        there = self._folders.get(alike(origin.student), origin.student)
        if unicodedata.normalize("NFC", there) != origin.student:
            return f"{self.root.name}/{there} is there, and differs only in capitals: rename one"
        known = self.records.get(origin.student)
        if known is None:
            return ""
        ours = origin.platform, origin.number, origin.name
        if not _same(ours, tuple(known.get(key) for key in ("platform", "number", "name"))):
            name = f"{known.get('name')!r} ({known.get('platform')})"
            return f"the id {origin.student} is {name}, collected before: rename one"
        return ""

    def later(self, origin: Origin, time: str, target: tuple[str, str]) -> bool:
        """Whether what is there was handed in later than this."""
        known = self._known(origin.student, target)
        attempt = known.get("attempt") or 0
        folder = self.course.folder("submitted", target[0], origin.student)
        if not (folder / f"{target[1]}.ipynb").is_file():
            return False
        if attempt and origin.attempt and origin.platform == known.get("platform"):
            return origin.attempt < attempt
        there = self._time(folder)
        return bool(time and there and time < there)

    def put(
        self, student: str, assignment: str, place: tuple[str, ...], time: str, data: bytes
    ) -> str:
        """Put a file in its place, and what was there among the earlier ones.

        Args:
            student: the id of who handed it in.
            assignment: the assignment's name.
            place: its path in the student's folder for that assignment.
            time: when it was handed in, as nbgrader writes it, or nothing.
            data: the file's content.

        Returns:
            ``taken``, ``replaced`` or ``unchanged``.

        Raises:
            NotWritten: if that is not possible.
        """
        folder = self.course.folder("submitted", assignment, student)
        path = folder.joinpath(*place)
        try:
            self._keeping.refuse_links(path.parent)
            status = "unchanged" if _holds(path, data) else "replaced"
            if not os.path.lexists(path):
                status = "taken"
            if not self.dry_run:
                # first the time: a run that is killed leaves no late file with an early time
                self._write_time(folder, time, keep=status == "unchanged")
                if status != "unchanged":
                    self._keeping.make_room(folder, place)
                    self._keeping.write(path, data)
        except OSError as error:
            raise NotWritten(f"cannot be written: {error.strerror or error}") from error
        return status

    def remember(self, origin: Origin, target: tuple[str, str], time: str, **found: str) -> None:
        """Note where a notebook came from; ``found`` has ``from`` and ``sha256``."""
        record = self.records.setdefault(origin.student, {})
        known = self._known(origin.student, target)
        if known.get("sha256") == found["sha256"] and origin.platform not in NUMBERED:
            return
        before = json.dumps(record)
        if origin.platform in NUMBERED or record.get("platform") not in NUMBERED:
            number = origin.number or None
            record |= {"name": origin.name, "platform": origin.platform, "number": number}
        record |= {"late": origin.late, **found}
        # what comes by mail has no number, and leaves the one that the platform gave
        kept = known if origin.platform not in NUMBERED and known.get("number") else {}
        one = {"platform": kept.get("platform", origin.platform), "late": origin.late}
        one |= {"number": kept.get("number", origin.number or None), "time": time or None}
        one |= {"attempt": origin.attempt or None, **found}
        record.setdefault("notebooks", {})["/".join(target)] = one
        self._changed |= json.dumps(record) != before

    def people(self, assignment: str) -> dict[str, dict]:
        """The record of each student, with the number that Moodle gave for this assignment."""
        return {
            student: {**record, "number": numbers(record).get(assignment)}
            if record.get("platform") == "moodle" and record.get("notebooks")
            else record
            for student, record in self.records.items()
        }

    def save(self) -> None:
        """Write the record, if it changed."""
        if self._changed and not self.dry_run:
            text = json.dumps(self.records, indent=1, ensure_ascii=False, sort_keys=True)
            self._keeping.write(self.root / RECORD, text.encode("utf-8", "replace"), keep=False)
            self._changed = False

    def _known(self, student: str, target: tuple[str, str]) -> dict:
        notebooks = self.records.get(student, {}).get("notebooks")
        known = notebooks.get("/".join(target)) if isinstance(notebooks, dict) else None
        return known if isinstance(known, dict) else {}

    def _time(self, folder: Path) -> str:
        path = folder / "timestamp.txt"
        if path.is_symlink() or not path.is_file():
            return ""
        with path.open("rb") as file:
            return timestamp(file.read(100).decode("utf-8", "replace"))

    def _write_time(self, folder: Path, time: str, keep: bool) -> None:
        """The file that nbgrader reads; of the same file handed in twice the first time counts."""
        path = folder / "timestamp.txt"
        there = self._time(folder)
        if (keep and there) or there == time:
            return
        if time:
            self._keeping.write(path, time.encode())
        elif os.path.lexists(path):
            self._keeping.move_away(path)


def _same(ours: tuple, known: tuple) -> bool:
    """Whether two of platform, number and name with one id are one person."""
    if ours[0] == known[0] == "moodle":  # its numbers differ between assignments
        return alike(ours[2]) == alike(str(known[2]))
    if ours[0] in NUMBERED and known[0] in NUMBERED:
        return ours[:2] == known[:2]
    return ours[2] == known[2] or ours[0] in NUMBERED or known[0] in NUMBERED


def numbers(record: dict) -> dict[str, str]:
    """A student's number on the platform, by assignment."""
    notebooks = record.get("notebooks")
    return {
        target.partition("/")[0]: str(one.get("number") or record.get("number") or "")
        for target, one in (notebooks.items() if isinstance(notebooks, dict) else ())
        if isinstance(one, dict) and one.get("platform") == record.get("platform")
    }


def _holds(path: Path, data: bytes) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != len(data):
        return False
    return path.read_bytes() == data


def digest(data: bytes) -> str:
    """The SHA-256 of a file's content."""
    return hashlib.sha256(data).hexdigest()


def alike(name: str) -> str:
    """What two names share that some systems take for one: capitals and accents aside.

    >>> alike("Ada") == alike("ada")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
