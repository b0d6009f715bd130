"""One assignment's submissions, taken one after the other to those who grade, and written down."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from tqdm import tqdm

from grading import leftovers
from grading.course import Course, CourseError
from grading.cures import cure_of
from grading.intake import Intake, Submission
from grading.ledger import Ledger, scores
from grading.results import Result
from grading.student_ids import bad_id
from grading.task import Outcome, Package, fingerprint


class Batch:
    """The students of one assignment, of whom those are graded that are not up to date.

    Args:
        package: the assignment, as it is now.
        force: grade those that are up to date, too.

    Attributes:
        before: the results that students had before this.
    """

    def __init__(self, course: Course, assignment: str, package: Package, *, force: bool):
        self._course, self._assignment, self._package = course, assignment, package
        self._force = force
        self._ledger, self._intake = Ledger(course, assignment), Intake(config=course.settings)
        with course.gradebook() as gradebook:
            self._entered = scores(gradebook, assignment)
        self._under_way: dict[str, tuple[str, Submission]] = {}
        self.before: dict[str, Result] = {}

    def grade(self, students: list[str], run: Callable, *, progress: bool) -> None:
        """Grade those that are not up to date.

        Args:
            run: takes tasks, by student, and gives what came of them, in any order.
            progress: whether to show a bar.

        Raises:
            CourseError: if results cannot be written down.
            KeyboardInterrupt: if it was stopped; it says how many are graded.
        """
        anew: list[str] = []
        look = {"desc": f"grading {self._assignment}", "disable": not progress, "leave": False}
        with tqdm(total=len(students), delay=1, **look) as bar:  # all up to date: nothing to show
            tasks = self._tasks(students, bar.update)
            first = next(tasks, None)
            if first is None:
                return  # where all is up to date no process is started
            try:
                with closing(run(itertools.chain([first], tasks))) as outcomes:
                    for student, outcome in outcomes:
                        key, submission = self._under_way.pop(student)
                        _write_down(self._ledger, student, key, submission, outcome)
                        anew.append(student)
                        bar.update()
            except KeyboardInterrupt:
                sound = [s for s in (anew if self._force else students) if not bad_id(s)]
                done = sum(self._ledger.read(s)[0] == self._read(s)[0] for s in sound)
                said = _how_far(self._assignment, done, len(students), self._force)
                raise KeyboardInterrupt(said) from None
            finally:
                leftovers.sweep()  # of those processes that were ended

    def _tasks(
        self, students: Iterable[str], pass_over: Callable[[], object]
    ) -> Iterator[tuple[str, tuple[Package, Submission]]]:
        """The work on those who are not up to date, each read when it is asked for."""
        for student in students:
            if bad_id(student):
                pass_over()  # there is no place to write it down: `Ledger.read` says why
                continue
            key, submission = self._read(student)
            known, result = self._ledger.read(student)
            if result is not None:
                self.before[student] = result
            whole = student in self._entered and self._ledger.is_whole(student)
            if known == key and whole and not self._force:
                pass_over()
                continue
            self._under_way[student] = key, submission
            yield student, (self._package, submission)

    def _read(self, student: str) -> tuple[str, Submission]:
        """What a student has handed in, and a key that differs where a score may differ."""
        folder = self._course.folder("submitted", self._assignment, student)
        names = list(self._package.notebooks)
        submission = self._intake.take(folder, names, self._package.files)
        return f"{self._package.key} {fingerprint(submission)}", submission


def _how_far(assignment: str, done: int, students: int, force: bool) -> str:
    """What was done when it was stopped, and what comes of starting it again."""
    if not force:
        return f"{assignment}: {done} of {students} are graded"
    again = "with --force all are graded anew; without it the rest keeps its former result"
    return f"{assignment}: {done} of {students} were graded anew; started again {again}"


def _write_down(
    ledger: Ledger, student: str, key: str, submission: Submission, outcome: Outcome | Exception
) -> None:
    """Enter what came of a submission; whatever fails, it may not stop the class.

    Raises:
        CourseError: if nothing at all can be written down now.
    """
    if isinstance(outcome, Exception):
        outcome = Outcome(status="failed", reason=_why(outcome))
    try:
        try:
            ledger.record(student, key, submission, outcome)
        except Exception as error:
            if cure_of(error):
                raise
            ledger.fail(student, f"it could not be written down: {error}")
    except Exception as error:
        why = f"what {student} got cannot be written down ({error})"
        cure = cure_of(error) or "see that you may write there"
        raise CourseError(f"{why}; {cure}; then start again: it goes on here") from error


def _why(error: Exception) -> str:
    name = type(error).__name__
    return f"the process that graded it ended ({name}: {error}), perhaps for want of memory"
