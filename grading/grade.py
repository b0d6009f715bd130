"""Grade all that was handed in; each submission ends with a score, a status and a reason."""

import functools
import os
from collections.abc import Callable, Iterable

from filelock import FileLock, Timeout
from sqlalchemy.exc import DatabaseError

from grading import leftovers, workers
from grading.batch import Batch
from grading.course import Course, CourseError, unreachable
from grading.environment import package_files
from grading.gradebook import mend_gradebook
from grading.late import renew_penalties
from grading.ledger import Ledger, changes
from grading.results import Result
from grading.room import NoRoom, check_isolation
from grading.settings import check_settings, for_workers, settings_key
from grading.task import Package, instructor_copy, run_submission
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
        moved: if given, is filled with why the score of a student is another one than before, also
            if it was stopped.

    Returns:
        One result for each student, in order.

    Raises:
        CourseError: if the assignment was not released from this gradebook, a student handed in
            nothing, a setting is wrong, this machine cannot isolate, another grading is at work in
            this course, or results cannot be written down.
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
            batch = Batch(course, assignment, package, force=force)
            try:
                batch.grade(chosen, run, progress=progress)
            except KeyboardInterrupt:
                _look_back(batch, Ledger(course, assignment), moved)
                raise
            _look_back(batch, Ledger(course, assignment), moved)
    except DatabaseError as error:
        raise unreachable(course.directory.db_url, error) from error
    except Timeout:
        raise CourseError(
            f"another grading is at work in {course.root}; wait until it ends, or end it"
        ) from None
    return Ledger(course, assignment).results(chosen)


def _look_back(batch: Batch, ledger: Ledger, moved: dict[str, list[str]] | None) -> None:
    """Work out the late penalties, and note whose score is another one than before, and why."""
    renew_penalties(ledger.course, ledger.assignment)
    if moved is None:
        return
    for now in ledger.results([*batch.before]):
        if lines := changes(batch.before[now.student], now):
            moved[now.student] = lines


def stored_results(course: Course, assignment: str) -> list[Result]:
    """What is known of those who handed in, without grading anything.

    Raises:
        CourseError: if the rule for late work fails, or the gradebook cannot be written.
    """
    renew_penalties(course, assignment)
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
        CourseError: if a setting of ours is unknown or wrong.
    """
    check_settings(course.settings)
    settings = for_workers(course.settings)
    if sandbox is not None:
        settings.SandboxProvisioner.isolate = sandbox
    folder = course.folder("source", assignment)
    names = course.notebooks(assignment)
    return Package(
        key=f"{course.key(folder)} {settings_key(settings)}",
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


def nothing_submitted(course: Course, assignments: Iterable[str]) -> str:
    """One line on what to do, for a course to which nobody has handed in anything yet."""
    where = f"{course.directory.submitted_directory}/<student>/<assignment>/<assignment>.ipynb"
    collect = "take what came back with `python -m grading collect PATH`"
    return f"nothing is submitted for {', '.join(assignments)}; {collect}, or put it at {where}"
