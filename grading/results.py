"""What became of a submission: status, score, and the reasons in words."""

import re
import unicodedata
from dataclasses import dataclass, field

STATUSES = ("graded", "timed out", "out of memory", "crashed", "refused", "failed")
WITHOUT_SCORE = ("refused", "failed")
MANUAL = "needs manual grading"


@dataclass
class Result:
    """What became of one submission.

    Attributes:
        status: one of `STATUSES`. ``failed`` means that grading itself went wrong, not the answer.
        reason: why the status is not ``graded``, or which files were left out; else empty.
        needs_manual: whether a person has to read a written answer.
        score: points so far, those given by hand included.
        max_score: points that there are.
        points: the automatic points of each test cell, by ``grade_id``.
        messages: what the student is told, by the ``grade_id`` of the failed cell, in the order
            of the notebook.
        waiting: the written answers that wait for a person, by ``grade_id``.
    """

    assignment: str
    student: str
    status: str = "graded"
    reason: str = ""
    needs_manual: bool = False
    score: float = 0.0
    max_score: float = 0.0
    points: dict[str, float] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    @property
    def ending(self) -> str:
        """The status in words, with what is left to do.

        >>> Result("a", "ada", needs_manual=True).ending
        'needs manual grading'
        """
        if not self.needs_manual:
            return self.status
        return MANUAL if self.status == "graded" else f"{self.status}, {MANUAL}"

    @property
    def why(self) -> str:
        """The reason, and what waits to be read.

        >>> Result("a", "ada", reason="late", waiting=["explain"]).why
        'late; explain waits to be read'
        """
        return "; ".join(filter(None, (self.reason, self._waits)))

    @property
    def _waits(self) -> str:
        verb = "waits" if len(self.waiting) == 1 else "wait"
        return f"{', '.join(self.waiting)} {verb} to be read" if self.waiting else ""

    @property
    def reasons(self) -> list[str]:
        """The reason, one line for each message, and what waits to be read."""
        lines = [self.reason] if self.reason else []
        for name, message in self.messages.items():
            if not message.startswith("NotRun:"):
                lines.append(f"{name}: {message}")
        lines += [self._waits] if self._waits else []
        return [plain_line(line) for line in lines]


def plain_line(text: str) -> str:
    """One line without control characters: what a student wrote may reach a terminal.

    >>> plain_line("one\\n  two \\x1b[31mred")
    'one two red'
    """
    text = re.sub(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?", "", text)
    kept = (" " if c.isspace() else c for c in text if c.isspace() or _is_shown(c))
    return " ".join("".join(kept).split())


def _is_shown(character: str) -> bool:
    # Cc control, Cf direction marks, Cs halves of surrogate pairs, Co and Cn what has no shape
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
