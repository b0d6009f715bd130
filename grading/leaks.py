"""Search what students see for what they may not: solutions, hidden tests, answers of the bank."""

import itertools
import re
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions

from grading.answers import Answer

SHORTEST = 20  # a shorter line says too little to be told from any other code
LONG = 40  # prose may name a call of a solution, but not a line as long as this


def secret_lines(
    source: NotebookNode,
    answers: Iterable[Answer] = (),
    public: Iterable[str] = (),
    *,
    prose: bool = True,
) -> dict[str, str]:
    """The lines that only the instructor has, and where each comes from.

    Args:
        source: the notebook with solutions, hidden tests and rubrics.
        answers: other answers, right or wrong.
        public: texts that students have; what stands in them is no secret.
        prose: whether what students read in Markdown and in comments is no secret either.
    """
    secret: dict[str, str] = {}
    stub = ClearSolutions()
    known = [*public, stub.text_stub, *stub.code_stub.values()]
    markers = [
        ("the solution of", stub, "solution"),
        ("a hidden test in", ClearHiddenTests(), "test"),
        ("the rubric of", ClearMarkScheme(), "mark_scheme"),
    ]
    for cell in source.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "a cell")
        shown = cell.source
        for kind, step, what in markers:
            begin = getattr(step, f"begin_{what}_delimeter")
            end = getattr(step, f"end_{what}_delimeter")
            for part in re.findall(f"{begin}.*?\n(.*?){end}", cell.source, re.DOTALL):
                shown = shown.replace(part, "\n")
                inside = part.rpartition("\n")[0]  # without the line of the end marker
                whole = " ".join(inside.split())  # its lines may all be short
                secret |= dict.fromkeys([*_lines(inside), *_lines(whole)], f"{kind} {name}")
        if prose or cell.cell_type == "code":
            known.append(shown if prose else re.sub(r"^\s*#.*", "", shown, flags=re.MULTILINE))
    for answer in answers:
        for name, (_, text) in answer.cells.items():
            # one line may be what anybody writes; two in a row are an answer
            for pair in itertools.pairwise(_lines(text)):
                secret.setdefault(" ".join(pair), f"the answer {answer.student} to {name}")
    flat = " ".join(" ".join(known).split())
    return {line: where for line, where in secret.items() if line not in flat}


def leaks(secret: dict[str, str], text: str) -> list[str]:
    """One line for each secret that stands in a text, blanks apart."""
    flat = " ".join(text.split())
    return [f"{where}: {line}" for line, where in secret.items() if line in flat]


def quoted(secret: dict[str, str], text: str) -> Iterator[tuple[str, str]]:
    """The secrets that a text gives away, each with where it comes from.

    A line of a solution may be what anybody writes: a short one counts if it stands by itself.
    """
    flat = " ".join(text.split())
    for line, where in secret.items():
        if line in flat and (
            len(line) >= LONG or not where.startswith("the solution") or _by_itself(line, text)
        ):
            yield line, where


def strings(value: object) -> list[str]:
    """All texts in a notebook or a part of it, metadata and outputs included."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in strings(part)]


def _by_itself(line: str, text: str) -> bool:
    """Whether nothing but Markdown's signs or a comment's stands before or behind a line."""
    words = r"\s+".join(map(re.escape, line.split()))
    return re.search(rf"^[\s`>*#-]*{words}[\s`*]*$", text, re.MULTILINE) is not None


def _lines(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return [line for line in lines if len(line) >= SHORTEST]
