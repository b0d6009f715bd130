"""The questions of an assignment, and how answers of the bank to each were judged."""

from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from grading.answers import Answer, demands
from grading.results import Result


@dataclass
class Question:
    """A solution cell with the checks that follow it, and how answers to it were judged.

    Attributes:
        name: the ``grade_id`` of the solution cell.
        tests: the ``grade_id`` of each check.
        points: what they give in all.
        right: the right answers that got full marks, of those that there are.
        wrong: the wrong answers that lost what they should, of those that there are.
        message: the wrong answers that were told why, of those that demand it.
    """

    name: str
    tests: list[str] = field(default_factory=list)
    points: float = 0.0
    right: tuple[int, int] = (0, 0)
    wrong: tuple[int, int] = (0, 0)
    message: tuple[int, int] = (0, 0)


def find_questions(nb: NotebookNode) -> list[Question]:
    """The solution cells that checks follow, in order."""
    questions: list[Question] = []
    for cell in nb.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if cell.cell_type == "code" and is_solution(cell):
            questions.append(Question(name))
        elif is_grade(cell) and not is_solution(cell):
            questions[-1].tests.append(name)
            questions[-1].points += float(cell.metadata.nbgrader.points)
    return [question for question in questions if question.tests]


def count(question: Question, answer: Answer, result: Result, points: dict[str, float]) -> None:
    """Add an answer to the counts of a question that it answers in its own way."""
    if question.name not in answer.cells:
        return
    got = {name: result.points.get(name, 0.0) for name in question.tests}
    if answer.path.parent.name == "right":
        accepted = all(got[name] == points[name] for name in question.tests)
        question.right = _plus(question.right, accepted)
    elif isinstance(answer.points, dict) and set(answer.points) & set(question.tests):
        wanted = {**points, **answer.points}
        rejected = all(got[name] == wanted[name] for name in question.tests)
        question.wrong = _plus(question.wrong, rejected)
        words = [(name, word) for name in question.tests for word in demands(answer).get(name, [])]
        if words:
            said = {name: result.messages.get(name, "").lower() for name in question.tests}
            named = all(word.lower() in said[name] for name, word in words)
            question.message = _plus(question.message, named)


def _plus(counts: tuple[int, int], passed: bool) -> tuple[int, int]:
    return counts[0] + passed, counts[1] + 1
