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
