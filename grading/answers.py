"""Submissions in text form, with what grading them must give: see ``tests/answers/README.md``."""

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from grading.results import STATUSES, Result

KEYS = {"what", "points", "message", "base", "damage", "status", "sample"}
BASES = ("solution", "release")
DAMAGES = ("delete", "duplicate", "move", "retype", "file")
FILES = ("empty", "truncated")
RESERVED = ("the_solution", "the_release")  # which the audit adds to each bank
KINDS = {"python": "code", "markdown": "markdown"}


class AnswerError(ValueError):
    """An answer file that is not as the README describes it; the message names file and cure."""


@dataclass
class Answer:
    """One submission in text form.

    Attributes:
        path: the file.
        what: what is right in its own way, or which misconception this is.
        cells: kind (``code`` or ``markdown``) and text of each solution cell that is replaced.
        base: what the other solution cells hold, ``solution`` or ``release``.
        points: the automatic points in all, or of each test cell that loses some; None for all.
        message: words in all messages, or by test cell.
        damage: what is done to the notebook or the file.
        status: how grading must end.
        sample: whether it belongs to the sample class that `python -m grading sample` shows.
    """

    path: Path
    what: str
    cells: dict[str, tuple[str, str]] = field(default_factory=dict)
    base: str = "solution"
    points: float | dict[str, float] | None = None
    message: list[str] | dict[str, list[str]] = field(default_factory=list)
    damage: dict[str, list[str]] = field(default_factory=dict)
    status: str = "graded"
    sample: bool = False

    @property
    def student(self) -> str:
        """The name under which this is handed in."""
        return self.path.stem


def read_answers(folder: Path) -> list[Answer]:
    """All answers under ``folder/right`` and ``folder/wrong``.

    Raises:
        AnswerError: if there is none, a file is not as the README says, or a name comes twice.
    """
    paths = sorted([*folder.glob("right/*.md"), *folder.glob("wrong/*.md")], key=lambda p: p.stem)
    if not paths:
        raise AnswerError(f"{folder} holds no answer; write right/<name>.md and wrong/<name>.md")
    for first, second in itertools.pairwise(paths):
        if first.stem == second.stem:
            raise AnswerError(f"{second}: the name {second.stem!r} comes twice; rename one of them")
    return [read_answer(path) for path in paths]


def read_answer(path: Path) -> Answer:
    """Read one file.

    Raises:
        AnswerError: with the file, what is wrong in it, and the cure.
    """
    if not re.fullmatch(r"[a-z0-9_]+", path.stem) or path.stem in RESERVED:
        raise AnswerError(
            f"{path}: use small letters, digits and _ in the name; it is a student, and "
            f"{' and '.join(RESERVED)} are taken"
        )
    header, body = _split(path)
    answer = Answer(path, what=_text(path, header, "what"), cells=_blocks(path, body))
    answer.base = _choice(path, header, "base", BASES)
    answer.status = _choice(path, header, "status", STATUSES)
    answer.damage = _damage(path, header.get("damage") or {})
    answer.sample = header.get("sample", False)
    if not isinstance(answer.sample, bool):
        raise AnswerError(f"{path}: sample must be true or false, got {answer.sample!r}")
    right = path.parent.name == "right"
    for key in ("points", "message"):
        if right and key in header:
            raise AnswerError(f"{path}: {key} has no place under right/: full marks say it all")
        if not right and header.get(key) in (None, {}):
            raise AnswerError(f"{path}: {key} is missing; the README says what to put there")
    if not right:
        answer.points = _points(path, header["points"])
        answer.message = _message(path, header["message"])
    if answer.base == "solution" and not right and not answer.cells and not answer.damage:
        raise AnswerError(f"{path}: nothing differs from the solution; add a block or damage")
    return answer


def _split(path: Path) -> tuple[dict, str]:
    try:
        text = path.read_text(encoding="utf-8") + "\n"
    except UnicodeDecodeError as error:
        raise AnswerError(f"{path}: it is not UTF-8 text; save it as such") from error
    found = re.match(r"---\n(.*?\n)---\n(.*)", text, re.DOTALL)
    if not found:
        raise AnswerError(f"{path}: it must begin with a header between two lines '---'")
    try:
        header = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise AnswerError(
            f"{path}: the header is not YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(header, dict):
        raise AnswerError(f"{path}: the header must be lines 'key: value'")
    unknown = sorted(str(key) for key in header if key not in KEYS)
    if unknown:
        raise AnswerError(
            f"{path}: unknown key {unknown[0]!r}; there are {', '.join(sorted(KEYS))}"
        )
    return header, found[2]


def _blocks(path: Path, body: str) -> dict[str, tuple[str, str]]:
    """The fenced blocks that name a cell; a fence ends with one that is at least as long."""
    cells: dict[str, tuple[str, str]] = {}
    pattern = r"^(`{3,})(\w*)[ \t]*([^\n`]*)\n(.*?)^\1`*[ \t]*$"
    for _, language, name, text in re.findall(pattern, body, re.MULTILINE | re.DOTALL):
        name = name.strip()
        if not name:
            continue
        if language not in KINDS:
            raise AnswerError(
                f"{path}: the block {name!r} is {language!r}; write python or markdown"
            )
        if name in cells:
            raise AnswerError(f"{path}: the cell {name!r} is given twice; leave one out")
        cells[name] = (KINDS[language], text.rstrip("\n"))
    if len(re.findall(r"^`{3,}", re.sub(pattern, "", body, flags=re.MULTILINE | re.DOTALL), re.M)):
        raise AnswerError(f"{path}: a fence ``` is opened and not closed")
    return cells


def _text(path: Path, header: dict, key: str) -> str:
    value = header.get(key)
    if not isinstance(value, str) or not value.strip():
        raise AnswerError(f"{path}: {key} must be a line of text, got {value!r}")
    return value.strip()


def _choice(path: Path, header: dict, key: str, choices: tuple[str, ...]) -> str:
    value = header.get(key, choices[0])
    if value not in choices:
        raise AnswerError(f"{path}: {key} must be one of {', '.join(choices)}, got {value!r}")
    return value


def _points(path: Path, value: object) -> float | dict[str, float]:
    values = value if isinstance(value, dict) else {"": value}
    for number in values.values():
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            raise AnswerError(f"{path}: points must be numbers from 0 up, got {number!r}")
    return value


def _message(path: Path, value: object) -> list[str] | dict[str, list[str]]:
    if isinstance(value, dict):
        return {str(name): _words(path, "message", words) for name, words in value.items()}
    return _words(path, "message", value)


def _words(path: Path, key: str, value: object) -> list[str]:
    words = value if isinstance(value, list) else [value]
    if not words or not all(isinstance(word, str) and word for word in words):
        raise AnswerError(
            f"{path}: {key} must be text or a list of texts, got {value!r}; quote a number"
        )
    return words


def _damage(path: Path, value: object) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        raise AnswerError(f"{path}: damage must be lines 'delete: <grade_id>', got {value!r}")
    for kind in value:
        if kind not in DAMAGES:
            raise AnswerError(f"{path}: unknown damage {kind!r}; there are {', '.join(DAMAGES)}")
    damage = {kind: _words(path, f"damage: {kind}", names) for kind, names in value.items()}
    if damage.get("file", [FILES[0]]) not in ([FILES[0]], [FILES[1]]):
        raise AnswerError(f"{path}: damage: file must be empty or truncated, got {damage['file']}")
    return damage


def unmet(answer: Answer, result: Result, max_points: dict[str, float]) -> list[str]:
    """What the header of an answer demands and grading did not give, one line each.

    Args:
        answer: with its expectations.
        result: what became of it.
        max_points: the points of each test cell.
    """
    misses = []
    if result.status != answer.status:
        misses.append(f"the status is {result.status!r}, not {answer.status!r}: {result.reason}")
    got = {name: result.points.get(name, 0.0) for name in max_points}
    if isinstance(answer.points, int | float):
        if sum(got.values()) != answer.points:
            misses.append(f"{sum(got.values()):g} points in all, not {answer.points:g}: {got}")
    else:
        wanted = {**max_points, **(answer.points or {})}
        for name, points in wanted.items():
            if got[name] != points:
                said = result.messages.get(name, "no message")
                misses.append(f"{name}: {got[name]:g} points, not {points:g} ({said})")
    everything = " ".join([result.reason, *result.messages.values()])
    for name, words in demands(answer).items():
        said = result.messages.get(name, "") if name else everything
        missing = [word for word in words if word.lower() not in said.lower()]
        misses += [f"{name or 'the messages'}: no {word!r} in {said!r}" for word in missing]
    return [f"{answer.path.parent.name}/{answer.student}: {miss}" for miss in misses]


def demands(answer: Answer) -> dict[str, list[str]]:
    """The words that an answer must be told, by check; under "" those that any may tell."""
    return answer.message if isinstance(answer.message, dict) else {"": answer.message}
