"""The feedback pages of a class, made side by side: no submission can hold up those of the others.

Some texts keep a library busy for hours: a line of code, a formula, HTML. So each page is made in a
process that the kernel ends at a time limit, whatever that process is doing. The student then gets
a page without what he or she wrote: points, messages, comments.
"""

import contextlib
import functools
import os
import resource
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from traitlets import Float, Integer
from traitlets.config import Configurable

from grading import leftovers, workers
from grading.course import Course, CourseError
from grading.feedback import STAGED, basis, made_of, make_page, note_made


@dataclass
class Page:
    """What became of a student's page.

    Attributes:
        student: whose it is.
        made: whether it was made now; if not, it was up to date, or there is none.
        short: why it holds points and messages alone; empty if it holds all.
        missing: why there is none; empty if there is one.
    """

    student: str
    made: bool = True
    short: str = ""
    missing: str = ""


class FeedbackPages(Configurable):
    """Makes pages, in as many processes as there are processors."""

    time_limit = Float(30, min=1, help="Seconds for one student's page.").tag(config=True)
    memory = Integer(2048, min=512, help="MiB for one student's page.").tag(config=True)

    def write(self, course: Course, assignment: str, students: list[str]) -> Iterator[Page]:
        """Make each student's page, unless it tells of the same grades and comments already.

        Yields:
            What became of each page, in the order in which they are done.

        Raises:
            CourseError: if another process makes pages in this course, or the gradebook cannot be
                read.
        """
        try:
            with FileLock(course.work / "feedback.lock", timeout=0), leftovers.together():
                leftovers.sweep()
                try:
                    yield from self._write(course, assignment, students)
                finally:
                    shutil.rmtree(course.work / STAGED, ignore_errors=True)
        except Timeout:
            raise CourseError(
                f"another feedback is at work in {course.root}; wait until it ends, or end it"
            ) from None

    def _write(self, course: Course, assignment: str, students: list[str]) -> Iterator[Page]:
        due: dict[str, dict] = {}
        for student in students:
            now = basis(course, assignment, student)
            made = made_of(course, assignment, student)
            if made is not None and made | {"short": ""} == now:
                yield Page(student, made=False, short=made.get("short", ""))
            else:
                due[student] = now
        failed: dict[str, str] = {}
        for student, why in self._make(course, assignment, dict.fromkeys(due, "")):
            if why:
                failed[student] = why
            else:
                note_made(course, assignment, student, due[student])
                yield Page(student)
        for student, missing in self._make(course, assignment, failed):
            if missing:
                yield Page(student, made=False, missing=missing)
            else:
                note_made(course, assignment, student, due[student] | {"short": failed[student]})
                yield Page(student, short=failed[student])

    def _make(
        self, course: Course, assignment: str, short: dict[str, str]
    ) -> Iterator[tuple[str, str]]:
        """Make pages; yield each student with the reason why it could not be made, or nothing."""
        if not short:
            return
        limits = self.time_limit, self.memory
        tasks = (
            (name, (course.root, assignment, name, why, *limits)) for name, why in short.items()
        )
        jobs = min(os.cpu_count() or 1, len(short))
        pool = functools.partial(workers.local, jobs, kernels=False)
        for student, error in workers.run_all(pool, tasks, _make_limited):
            yield student, self._cause(error)

    def _cause(self, error: Exception | None) -> str:
        if isinstance(error, BrokenProcessPool):
            return f"it takes more than {self.time_limit:g} s, or than {self.memory} MiB of memory"
        return "" if error is None else str(error) or type(error).__name__


def _make_limited(
    root: Path, assignment: str, student: str, short: str, seconds: float, memory: int
) -> None:
    """Make a page in this process; at the limit the kernel ends it, also in the midst of C code."""
    with contextlib.suppress(ValueError):  # a lower limit holds, or the system has none
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (memory * 2**20, hard))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        make_page(_course(root), assignment, student, short=bool(short))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


_course = functools.cache(Course)
