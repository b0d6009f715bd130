"""The commands of ``python -m grading``, a module each.

Each has ``HELP`` (a line for the list), ``DESCRIPTION`` (what its ``--help`` teaches),
``add_arguments(parser)``, and ``run(course, options)``, which yields an `Answer` for each thing.
"""

from dataclasses import dataclass


@dataclass
class Answer:
    """What a command found: for a person, for a program, and whether it is as it should be."""

    text: str
    data: dict
    passed: bool = True


def nothing_graded(assignment: str = "", named: bool = False, **data) -> Answer:
    """One line on what to do where nothing is graded.

    Args:
        assignment: of which nothing is graded; default: of all.
        named: whether this one was asked for; then it is an error.
        data: more that a program is told.
    """
    start, command = (f"{assignment}: ", f"grade {assignment}") if assignment else ("", "grade")
    text = f"{start}nothing is graded; run `python -m grading {command}`"
    return Answer(text, {"assignment": assignment or None, **data}, passed=not named)
