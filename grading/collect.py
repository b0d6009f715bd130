"""Collect what students handed in from the exports of learning platforms."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from grading.archives import Limits, Unreadable
from grading.companions import Companions
from grading.course import Course, CourseError
from grading.exports import Export
from grading.finds import Candidate, Line, Other, look
from grading.keeping import NotWritten
from grading.layouts import is_notebook
from grading.matching import Sources, Unknown
from grading.namesakes import Namesake, Namesakes
from grading.submitted import NUMBERED, Submitted, alike, digest


def collect(
    course: Course,
    paths: Iterable[Path],
    assignments: Iterable[str] = (),
    *,
    dry_run: bool = False,
    limits: Limits | None = None,
    progress: bool = False,
) -> list[Line]:
    """Copy the notebooks of an export, and what lies beside them, to where grading looks for them.

    Whoever handed in is found from the platform's names, the assignment from the cells. The export
    is not changed. What was there before and differs is kept in ``.earlier``.

    Args:
        course: the course.
        paths: folders or zips as the platform exported them.
        assignments: take these only; default: all of the course.
        dry_run: find out only, and write nothing.
        limits: what is read at most.
        progress: whether to show a bar.

    Returns:
        A line for each file, those of a student together; what came along with a notebook is
        named in the notebook's line.

    Raises:
        CourseError: if a path does not exist or is within the submissions, or an assignment does
            not exist, or the record of earlier collections is damaged, or another collection is at
            work in this course.
    """
    wanted = set(course.choose(assignments))
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(_alone(course))
        return _collect(course, paths, wanted, Submitted(course, dry_run), limits, progress)


@contextmanager
def _alone(course: Course) -> Iterator[None]:
    """Hold the lock of collections; a process that ends in any way lets go of it."""
    try:
        with FileLock(course.work / "collect.lock", timeout=0):
            yield
    except Timeout:
        raise CourseError(
            f"another collect is at work in {course.root}; wait until it ends, or end it"
        ) from None


def _collect(
    course: Course,
    paths: Iterable[Path],
    wanted: set[str],
    submitted: Submitted,
    limits: Limits | None,
    progress: bool,
) -> list[Line]:
    exports = [_check_path(Path(path), submitted.root) for path in paths]
    sources = Sources(course)
    names = course.assignments(), {notebook for _, notebook in sources.notebooks}
    lines: list[Line] = []
    with ExitStack() as stack:
        candidates: list[Candidate] = []
        others: list[Other] = []
        for path in exports:
            export = stack.enter_context(Export(path, limits))
            found = look(export, names, lines, progress)
            candidates += found[0]
            others += found[1]
        matched = _match(candidates, sources, wanted, lines)
        settled = _settle(matched, submitted, lines)
        known = _strangers(settled, submitted, lines)
        companions = Companions(others, submitted, sources.notebooks)
        try:
            for group in _groups(known):
                lines += _take(group, submitted, companions)
        finally:
            submitted.save()
    ids = {candidate.item: candidate.origin.student for candidate in settled}
    ids = {one.origin.student: ids[one.item] for one in matched if one.item in ids}
    lines = _told(lines + companions.rest(), ids)
    return sorted(lines, key=lambda line: (line.student, line.assignment, line.path))


def _check_path(path: Path, submitted: Path) -> Path:
    if not path.exists():
        raise CourseError(
            f"PATH {path} does not exist; give the folder or the zip that the platform exported"
        )
    whole, target = path.resolve(), submitted.resolve()
    if whole == target or whole in target.parents or target in whole.parents:
        raise CourseError(
            f"PATH {path} and {submitted} lie within each other; put the export into a folder of "
            "its own and collect that"
        )
    if not (whole.is_dir() or is_notebook(whole.name) or whole.suffix.lower() == ".zip"):
        raise CourseError(f"PATH {path} is no folder, zip or notebook; other archives: unpack them")
    return whole


def _settle(
    candidates: list[Candidate], submitted: Submitted, lines: list[Line]
) -> list[Candidate]:
    """Give each student of Moodle one id in all assignments."""
    namesakes = Namesakes(submitted.records, candidates)
    settled = []
    for candidate in candidates:
        try:
            settled.append(namesakes.settle(candidate))
        except Namesake as error:
            lines.append(candidate.line("not taken", str(error)))
    return settled


def _strangers(
    candidates: list[Candidate], submitted: Submitted, lines: list[Line]
) -> list[Candidate]:
    """Leave out students whose id would be somebody else's too."""
    people: dict[str, set] = {}
    for candidate in candidates:
        who = candidate.origin
        platform = who.platform if who.platform in NUMBERED else ""
        number = "" if platform == "moodle" else who.number  # another one in each assignment
        people.setdefault(alike(who.student), set()).add((platform, number, who.unlike))
    kept = []
    for candidate in candidates:
        who = candidate.origin
        same = people[alike(who.student)]
        reason = submitted.stranger(who)
        if len(same) > 1:
            names = " and ".join(sorted(repr(name) for _, _, name in same))
            reason = f"{names} would be one student, {who.student}: rename one of them"
        if reason:
            lines.append(candidate.line("not taken", reason))
        else:
            kept.append(candidate)
    return kept


def _match(
    candidates: list[Candidate], sources: Sources, wanted: set[str], lines: list[Line]
) -> list[Candidate]:
    """Find the notebook that each is an answer to."""
    matched = []
    for candidate in candidates:
        who = candidate.origin
        try:
            target = sources.find(candidate.content, who.file, who.assignment)
        except Unknown as error:
            lines.append(candidate.line("not taken", str(error)))
            continue
        candidate = replace(candidate, target=target)
        if target[0] in wanted:
            matched.append(candidate)
        else:
            reason = f"belongs to {target[0]}, which was not asked for"
            lines.append(candidate.line("not taken", reason))
    return matched


def _groups(candidates: list[Candidate]) -> list[list[Candidate]]:
    """The candidates for each student's notebook, the best one first."""
    groups: dict[tuple, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault((candidate.origin.student, candidate.target), []).append(candidate)
    return [sorted(group, key=Candidate.rank, reverse=True) for group in groups.values()]


def _take(group: list[Candidate], submitted: Submitted, companions: Companions) -> list[Line]:
    """Take the first of a student's files for one notebook, unless what is there is later."""
    best, *others = group
    lines = [other.line("older", _why_older(other, best)) for other in others]
    if submitted.later(best.origin, best.time, best.target):
        return [best.line("older", "what is there was handed in later"), *lines]
    try:
        data = best.export.read(best.item, best.export.limits.notebook)
        if digest(data) != best.sha256:
            raise Unreadable("it changed while it was read: collect again")
        place = (f"{best.target[1]}.ipynb",)
        status = submitted.put(best.origin.student, best.target[0], place, best.time, data)
    except (Unreadable, NotWritten) as error:
        return [best.line("not taken", str(error)), *lines]
    found = {"from": best.path, "sha256": best.sha256}
    submitted.remember(best.origin, best.target, best.time, **found)
    names, left = companions.take(best)
    broken = "" if best.content.is_notebook else "damaged; taken for its name"
    return [best.line(status, broken, names), *left, *lines]


def _why_older(other: Candidate, best: Candidate) -> str:
    if other.mark != best.mark:
        return f"a later one is {best.path}"
    if other.sha256 == best.sha256:
        return f"the same as {best.path}"
    return f"another of the same student; chosen: {best.path}"


def _told(lines: list[Line], ids: dict[str, str]) -> list[Line]:
    """Say more of what is no notebook: it matters where a student handed in nothing else."""
    others = {line.student for line in lines if line.notebook}
    told = []
    for line in lines:
        if not line.notebook:
            line = replace(line, student=ids.get(line.student, line.student))
        if line.status == "ignored" and line.student:
            if line.student not in others:
                line = replace(line, status="not taken")
            elif line.reason.endswith("not a notebook"):
                line = replace(line, reason=f"{line.reason}, and not beside one that was taken")
        told.append(line)
    return told
