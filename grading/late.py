"""Points taken off for late work, worked out anew from what the gradebook holds now.

nbgrader does that once, when a submission is graded. Points that a person gives later, another due
date and an extension would change nothing, and work that is to get no points would get some.
"""

from nbgrader.api import Assignment, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import or_
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Query

from grading.course import Course, CourseError, unreachable


def renew_penalties(course: Course, assignment: str) -> None:
    """Let nbgrader's rule say again what each late notebook loses.

    Raises:
        CourseError: if the rule of ``c.AssignLatePenalties.plugin_class`` fails, or the gradebook
            cannot be written.
    """
    step = AssignLatePenalties(config=course.settings)
    step.init_plugin()
    with course.gradebook() as gradebook:
        try:
            for notebook in _late(gradebook, assignment):
                penalty = _penalty(step, notebook)
                if (notebook.late_submission_penalty or 0) != penalty:
                    notebook.late_submission_penalty = penalty
            if gradebook.db.dirty:
                gradebook.db.commit()
        except DatabaseError as error:
            raise unreachable(course.directory.db_url, error) from error


def _late(gradebook, assignment: str) -> Query:
    """The notebooks that came after the due date of all, or have lost points for that."""
    return (
        gradebook.db.query(SubmittedNotebook)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(
            Assignment.name == assignment,
            or_(
                SubmittedAssignment.timestamp > Assignment.duedate,
                SubmittedNotebook.late_submission_penalty > 0,
            ),
        )
    )


def _penalty(step: AssignLatePenalties, notebook: SubmittedNotebook) -> float:
    """What a notebook loses, at most what it has."""
    student = notebook.assignment.student_id
    late = notebook.assignment.total_seconds_late
    if not late:
        return 0.0
    try:
        found = step.plugin_inst.late_submission_penalty(student, notebook.score, late)
        return min(max(0.0, found or 0.0), notebook.score)
    except Exception as error:
        rule = f"c.AssignLatePenalties.plugin_class {type(step.plugin_inst).__name__}"
        raise CourseError(
            f"{rule} fails for {student}, {late:g} seconds late: "
            f"{type(error).__name__}: {error}; mend it"
        ) from error
