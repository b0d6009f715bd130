"""Submissions in text form: what is read, what is refused, what is handed in."""

import re

import nbformat
import pytest

from grading.answers import AnswerError, read_answer, read_answers, unmet
from grading.hand_in import points_of_tests, write_submission
from grading.results import Result
from tests.toy_course import MAX, ROOT, source_notebook

HEADER = "what: abs\npoints: {test_double: 0}\nmessage: {test_double: [sign, value]}"
BLOCK = "```python double\ndef double(x):\n    return 2 * abs(x)\n```\n"


def answer(tmp_path, header=HEADER, body=BLOCK, kind="wrong", name="sign"):
    path = tmp_path / kind / f"{name}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\n{header}\n---\n{body}", encoding="utf-8")
    return path


def handed_in(path):
    """The notebook that an answer becomes; the source stands in for the release."""
    return nbformat.reads(
        write_submission(read_answer(path), source_notebook(), stubs()).decode(), as_version=4
    )


def stubs():
    nb = source_notebook()
    for cell in nb.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = "stub"
    return nb


def sources(nb):
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in nb.cells
        if "nbgrader" in cell.metadata
    }


def test_reads_all_of_it(tmp_path):
    read = read_answer(answer(tmp_path))
    assert (read.student, read.what, read.base, read.status) == (
        "sign", "abs", "solution", "graded",
    )  # fmt: skip
    assert read.cells == {"double": ("code", "def double(x):\n    return 2 * abs(x)")}
    assert read.points == {"test_double": 0}
    assert read.message == {"test_double": ["sign", "value"]}


def test_the_readmes_examples_are_valid(tmp_path):
    text = (ROOT / "tests" / "answers" / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"^(`{3,})markdown\n(---\n.*?)^\1$", text, re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    first, empty = (tmp_path / "wrong" / f"{name}.md" for name in ("first", "empty"))
    first.parent.mkdir()
    for path, (_, example) in zip((first, empty), examples, strict=True):
        path.write_text(example, encoding="utf-8")
    assert set(read_answer(first).cells) == {"build_model", "explain_early_stopping"}
    assert read_answer(empty).base == "release"
    damage = re.search(r"```yaml\n(damage:.*?)```", text, re.DOTALL)[1]
    damaged = read_answer(answer(tmp_path, f"what: hurt\n{damage}", "", kind="right"))
    assert damaged.damage["duplicate"] == ["build_model", "train"]


def test_cells_that_are_not_named_hold_the_solution(tmp_path):
    cells = sources(handed_in(answer(tmp_path)))
    assert cells["double"] == "def double(x):\n    return 2 * abs(x)"
    assert cells["halve"] == "def halve(x):\n    return x / FACTOR"
    assert cells["explain"] == "Two halves make a whole."


def test_or_what_was_handed_out(tmp_path):
    cells = sources(handed_in(answer(tmp_path, f"{HEADER}\nbase: release")))
    assert cells["double"] == "def double(x):\n    return 2 * abs(x)"
    assert cells["halve"] == cells["explain"] == "stub"


def test_a_fence_inside_an_answer(tmp_path):
    body = (
        "````markdown explain\nLook:\n```python\nx = 1\n```\nSo.\n````\n```python\nno name\n```\n"
    )
    cells = sources(handed_in(answer(tmp_path, body=body)))
    assert cells["explain"] == "Look:\n```python\nx = 1\n```\nSo."


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        ("delete: double", ["test_double", "halve", "test_halve", "explain"]),
        ("duplicate: [double, explain]", ["double", "double", "test_double", "halve", "test_halve",
                                          "explain", "explain"]),
        ("move: double", ["test_double", "halve", "test_halve", "explain", "double"]),
    ],
)  # fmt: skip
def test_damage_to_cells(tmp_path, damage, names):
    nb = handed_in(answer(tmp_path, f"{HEADER}\ndamage: {{{damage}}}"))
    ids = [cell.metadata.nbgrader.grade_id for cell in nb.cells if "nbgrader" in cell.metadata]
    assert ids == names


def test_retyped_cells(tmp_path):
    nb = handed_in(answer(tmp_path, f"{HEADER}\ndamage: {{retype: [double, explain]}}"))
    kinds = {
        c.metadata.nbgrader.grade_id: c.cell_type for c in nb.cells if "nbgrader" in c.metadata
    }
    assert kinds["double"] == "markdown"
    assert kinds["explain"] == "code"
    nbformat.validate(nb)


@pytest.mark.parametrize("file", ["empty", "truncated"])
def test_damage_to_the_file(tmp_path, file):
    path = answer(tmp_path, f"{HEADER}\ndamage: {{file: {file}}}")
    content = write_submission(read_answer(path), source_notebook(), stubs())
    whole = write_submission(read_answer(answer(tmp_path)), source_notebook(), stubs())
    assert len(content) == {"empty": 0, "truncated": len(whole) // 2}[file]
    assert whole.startswith(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"header": "- a list"}, "must be lines 'key: value'"),
        ({"header": "what: [unclosed"}, "the header is not YAML"),
        ({"header": f"{HEADER}\npoint: 3"}, "unknown key 'point'"),
        ({"header": HEADER.replace("what: abs", "base: release")}, "what must be a line of text"),
        ({"header": HEADER.replace("what: abs", "what: 3")}, "what must be a line of text, got 3"),
        ({"header": f"{HEADER}\nbase: mine"}, "base must be one of solution, release, got 'mine'"),
        ({"header": f"{HEADER}\nsample: perhaps"}, "sample must be true or false, got 'perhaps'"),
        ({"header": f"{HEADER}\nstatus: lost"}, "status must be one of graded"),
        ({"header": f"{HEADER}\ndamage: double"}, "damage must be lines"),
        ({"header": f"{HEADER}\ndamage: {{burn: double}}"}, "unknown damage 'burn'"),
        ({"header": f"{HEADER}\ndamage: {{delete: 3}}"}, "damage: delete must be text"),
        ({"header": f"{HEADER}\ndamage: {{file: burnt}}"}, "must be empty or truncated"),
        ({"header": "what: x\nmessage: words"}, "points is missing"),
        ({"header": "what: x\npoints: 3"}, "message is missing"),
        ({"header": "what: x\npoints: many\nmessage: words"}, "numbers from 0 up, got 'many'"),
        ({"header": "what: x\npoints: -1\nmessage: words"}, "numbers from 0 up, got -1"),
        ({"header": "what: x\npoints: {a: yes}\nmessage: words"}, "numbers from 0 up, got True"),
        ({"header": "what: x\npoints: 3\nmessage: 0.9"}, "got 0.9; quote a number"),
        ({"header": "what: x\npoints: 3\nmessage: []"}, "message must be text"),
        ({"kind": "right"}, "points has no place under right/"),
        ({"name": "Ada L"}, "small letters, digits and _"),
        ({"body": BLOCK + BLOCK}, "the cell 'double' is given twice"),
        ({"body": BLOCK.replace("python", "julia")}, "the block 'double' is 'julia'"),
        ({"body": BLOCK.removesuffix("```\n")}, "opened and not closed"),
        ({"body": "Nothing.\n"}, "nothing differs from the solution"),
    ],
)
def test_bad_files(tmp_path, change, message):
    path = answer(tmp_path, **change)
    with pytest.raises(AnswerError, match=re.escape(message)) as caught:
        read_answer(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "no header", "---\nwhat: x\n"])
def test_no_header(tmp_path, text):
    path = answer(tmp_path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AnswerError, match="must begin with a header"):
        read_answer(path)


@pytest.mark.parametrize(
    ("header", "body", "message"),
    [
        (HEADER, BLOCK.replace("double", "dubble"), "the block names 'dubble'; there are double"),
        (HEADER.replace("test_double: 0", "double: 0"), BLOCK, "points names 'double'; there are"),
        (HEADER.replace("test_double: [", "halve: ["), BLOCK, "message names 'halve'; there are"),
        (f"{HEADER}\ndamage: {{delete: x}}", BLOCK, "damage: delete names 'x'; there are double"),
        (HEADER, BLOCK.replace("double", "explain"), "explain is a markdown cell"),
    ],
)
def test_names_that_the_notebook_does_not_have(tmp_path, header, body, message):
    read = read_answer(answer(tmp_path, header, body))
    with pytest.raises(AnswerError, match=re.escape(message)):
        write_submission(read, source_notebook(), stubs())


def test_a_folder_without_answers_and_a_name_that_comes_twice(tmp_path):
    with pytest.raises(AnswerError, match="holds no answer"):
        read_answers(tmp_path)
    answer(tmp_path)
    answer(tmp_path, "what: fine", kind="right")
    with pytest.raises(AnswerError, match="the name 'sign' comes twice"):
        read_answers(tmp_path)


def test_points_of_tests():
    assert points_of_tests(source_notebook()) == MAX


def test_unmet_expectations(tmp_path):
    read = read_answer(answer(tmp_path))
    good = Result(
        "toy", "sign", points={**MAX, "test_double": 0.0},
        messages={"test_double": "The sign is lost: the absolute value?"},
    )  # fmt: skip
    assert unmet(read, good, MAX) == []
    assert unmet(read, Result("toy", "sign", status="failed", reason="why"), MAX) == [
        "wrong/sign: the status is 'failed', not 'graded': why",
        "wrong/sign: test_halve: 0 points, not 3 (no message)",
        "wrong/sign: test_double: no 'sign' in ''",
        "wrong/sign: test_double: no 'value' in ''",
    ]
    in_all = read_answer(answer(tmp_path, "what: abs\npoints: 3\nmessage: sign"))
    assert unmet(in_all, good, MAX) == []
    assert unmet(in_all, Result("toy", "sign", points=MAX), MAX) == [
        "wrong/sign: 5 points in all, not 3: {'test_double': 2.0, 'test_halve': 3.0}",
        "wrong/sign: the messages: no 'sign' in ''",
    ]
