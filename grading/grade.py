"""Grade all that was handed in; each submission ends with a score, a status and a reason."""

import copy
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from filelock import FileLock, Timeout
from sqlalchemy.exc import DatabaseError
from tqdm import tqdm

from grading import leftovers, workers
from grading.course import Course, CourseError, unreachable
from grading.cures import cure_of
from grading.gradebook import mend_gradebook
from grading.intake import Intake, Submission
from grading.ledger import Ledger, changes, package_files, scores
from grading.results import Result
from grading.room import NoRoom, check_isolation
from grading.student_ids import bad_id
from grading.task import Outcome, Package, fingerprint, instructor_copy, run_submission
from grading.transplant import check_gradebook


def grade(
    course: Course,
    assignment: str,
    *,
    students: Iterable[str] = (),
    force: bool = False,
    jobs: int | None = None,
    sandbox: bool | None = None,
    scheduler: str = "",
    progress: bool = True,
    moved: dict[str, list[str]] | None = None,
) -> list[Result]:
    """Grade every submission of one assignment that is new or changed.

    A submission is graded again if its files, the assignment, the configuration, the grader,
    `deeplearn` or the data set changed. One that failed is tried again each time.

    Args:
        students: grade only these; default: all.
        force: grade again what is up to date, too.
        jobs: processes at work; default: one for each core.
        sandbox: whether submissions run in isolation; default: as ``nbgrader_config.py`` says.
        scheduler: the address of a Dask cluster that does the work.
        moved: if given, is filled with why the score of a student is another one than before.

    Returns:
        One result for each student, in order.

    Raises:
        CourseError: if the assignment was not released from this gradebook, a student handed in
            nothing, this machine cannot isolate, another grading is at work in this course, or
            results cannot be written down.
        KeyboardInterrupt: if it was stopped; it says how many are graded.
        ValueError: if ``jobs`` is no number from 1 up.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be a number from 1 up, got {jobs}")
    chosen = _choose(course, assignment, list(students))
    mend_gradebook(course.directory.db_url)
    if not course.in_gradebook(assignment):
        raise CourseError(
            f"{assignment} is not in the gradebook; run `python -m grading release {assignment}`"
        )
    try:
        with FileLock(course.work / "grade.lock", timeout=0), leftovers.together():
            leftovers.sweep()
            package = make_package(course, assignment, sandbox)
            _check_release(course, assignment, package)
            run = _runner(package, jobs or os.cpu_count() or 1, scheduler)
            before = _grade_all(course, assignment, chosen, package, run, force, progress)
    except DatabaseError as error:
        raise unreachable(course.directory.db_url, error) from error
    except Timeout:
        raise CourseError(
            f"another grading is at work in {course.root}; wait until it ends, or end it"
        ) from None
    results = Ledger(course, assignment).results(chosen)
    if moved is not None:
        lines = {r.student: changes(before[r.student], r) for r in results if r.student in before}
        moved |= {student: found for student, found in lines.items() if found}
    return results


def stored_results(course: Course, assignment: str) -> list[Result]:
    """What is known of those who handed in, without grading anything."""
    return Ledger(course, assignment).results(course.students(assignment))


def _choose(course: Course, assignment: str, students: list[str]) -> list[str]:
    known = course.students(assignment)
    chosen = set(students)
    for student in sorted(chosen.difference(known)):
        where = f"{course.directory.submitted_directory}/{student}/{assignment}"
        raise CourseError(f"--student {student}: there is no folder {where}")
    return [student for student in known if not chosen or student in chosen]


def make_package(course: Course, assignment: str, sandbox: bool | None) -> Package:
    """What workers need of an assignment.

    Raises:
        CourseError: if submissions are to be isolated, and this machine cannot do that.
    """
    settings = copy.deepcopy(course.settings)
    if sandbox is not None:
        settings.SandboxProvisioner.isolate = sandbox
    folder = course.folder("source", assignment)
    names = course.notebooks(assignment)
    return Package(
        key=f"{course.key(folder)} isolated: {settings.SandboxProvisioner.get('isolate', True)}",
        notebooks={name: (folder / f"{name}.ipynb").read_bytes() for name in names},
        files=package_files(folder),
        settings=settings,
    )


def _check_release(course: Course, assignment: str, package: Package) -> None:
    with course.gradebook() as gradebook:
        for name in package.notebooks:
            try:
                check_gradebook(gradebook, assignment, name, instructor_copy(package, name))
            except RuntimeError as error:
                raise CourseError(str(error)) from error


def _runner(package: Package, jobs: int, scheduler: str) -> Callable:
    """A function that runs tasks, here or on a cluster."""
    if scheduler:
        pool = functools.partial(workers.cluster, scheduler)
    else:
        if package.settings.SandboxProvisioner.get("isolate", True):
            try:
                check_isolation()
            except NoRoom as error:
                raise CourseError(str(error)) from error
        pool = functools.partial(workers.local, jobs)
    return functools.partial(workers.run_all, pool, function=run_submission)


def _grade_all(
    course: Course,
    assignment: str,
    students: list[str],
    package: Package,
    run: Callable,
    force: bool,
    progress: bool,
) -> dict[str, Result]:
    """Grade those students who are not up to date; return the results that they had before."""
    ledger, intake = Ledger(course, assignment), Intake(config=course.settings)
    with course.gradebook() as gradebook:
        entered = scores(gradebook, assignment)
    before: dict[str, Result] = {}
    under_way: dict[str, tuple[str, Submission]] = {}
    anew: list[str] = []

    def read(student: str) -> tuple[str, Submission]:
        folder = course.folder("submitted", assignment, student)
        try:
            submission = intake.read(folder, list(package.notebooks), package.files)
        except OSError as error:
            reason = f"the folder cannot be read ({error.strerror})"
            submission = Submission(dict.fromkeys(package.notebooks, reason))
        return f"{package.key} {fingerprint(submission)}", submission

    def tasks() -> Iterator[tuple[str, tuple]]:
        for student in students:
            if bad_id(student):
                bar.update()  # there is no place to write it down: `Ledger.read` says why
                continue
            key, submission = read(student)
            known, result = ledger.read(student)
            if result is not None:
                before[student] = result
            up_to_date = known == key and student in entered and ledger.is_whole(student)
            if up_to_date and not force:
                bar.update()
                continue
            under_way[student] = key, submission
            yield student, (package, submission)

    look = {"desc": f"grading {assignment}", "disable": not progress, "leave": False}
    with tqdm(total=len(students), delay=1, **look) as bar:  # all up to date: nothing to show
        todo = tasks()
        first = next(todo, None)
        if first is None:
            return before  # where all is up to date no process is started
        try:
            with closing(run(itertools.chain([first], todo))) as outcomes:
                for student, outcome in outcomes:
                    _write_down(ledger, student, *under_way.pop(student), outcome)
                    anew.append(student)
                    bar.update()
        except KeyboardInterrupt:
            sound = [s for s in (anew if force else students) if not bad_id(s)]
            done = sum(ledger.read(student)[0] == read(student)[0] for student in sound)
            raise KeyboardInterrupt(_how_far(assignment, done, len(students), force)) from None
        finally:
            leftovers.sweep()  # of those processes that were ended
    return before


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


def nothing_submitted(course: Course, assignments: Iterable[str]) -> str:
    """One line on what to do, for a course to which nobody has handed in anything yet."""
    where = f"{course.directory.submitted_directory}/<student>/<assignment>/<assignment>.ipynb"
    collect = "take what came back with `python -m grading collect PATH`"
    return f"nothing is submitted for {', '.join(assignments)}; {collect}, or put it at {where}"
