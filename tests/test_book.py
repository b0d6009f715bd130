"""The sources of the book: contents, stored outputs, figures, prose and self-check questions.

Nothing is built here. The rules for a chapter are tried on bad input at the end.
"""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book import cover
from tests.book_rules import (
    alt_text_problems,
    measured_numbers,
    output_problems,
    prose,
    question_problems,
)

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))
CORRECTIONS = ROOT / "book" / "corrections.ipynb"
PAGES = sorted((ROOT / "book").rglob("*.md"))

chapters = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
executed = pytest.mark.parametrize("path", [*NOTEBOOKS, CORRECTIONS], ids=lambda path: path.stem)


@cache
def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


# The book as it stands


def test_contents_list_every_page_and_chapter():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    entries += [section for entry in entries for section in entry.get("sections", [])]
    listed = [toc["root"], *(entry["file"] for entry in entries)]
    written = [*PAGES, CORRECTIONS, *NOTEBOOKS]
    sources = [path.relative_to(ROOT).with_suffix("").as_posix() for path in written]
    released = [f"release/{path.stem}/{path.stem}" for path in SOLUTIONS]
    assert sorted(listed) == sorted(sources + released)


def test_api_has_a_page_for_each_public_module():
    modules = {path.stem for path in (ROOT / "deeplearn").glob("*.py") if path.stem[0] != "_"}
    pages = {path.stem: path.read_text() for path in (ROOT / "book" / "api").glob("*.md")}
    overview = pages.pop("index")
    assert set(pages) == modules
    for module in modules:
        assert f".. automodule:: deeplearn.{module}\n" in pages[module]
        assert f"| [`{module}`]({module}.md) |" in overview


def test_map_links_the_chapters_that_exist_and_names_the_others():
    page = (ROOT / "book" / "index.md").read_text()
    entries = re.findall(r"^(\d+)\. \*\*(.+?)\*\*:", page, re.MULTILINE)
    assert [int(number) for number, _ in entries] == list(range(1, 20))
    links = {
        match[1]
        for number, title in entries
        if (match := re.fullmatch(rf"\[.+\]\(\.\./notebooks/({int(number):02}_\w+)\)", title))
    }
    assert links == {path.stem for path in NOTEBOOKS}
    assert sum("](" in title for _, title in entries) == len(links)


def test_every_page_and_chapter_describes_itself():
    notebooks = [*NOTEBOOKS, CORRECTIONS, *SOLUTIONS]
    described = {path.stem: read(path).metadata.get("description", "") for path in notebooks}
    for path in PAGES:
        front_matter = path.read_text().split("---")[1]
        described[path.relative_to(ROOT).as_posix()] = yaml.safe_load(front_matter)["description"]
    assert {name: text for name, text in described.items() if not 50 <= len(text) <= 200} == {}
    assert len(set(described.values())) == len(described)


@chapters
def test_chapter_begins_with_title_question_minutes_and_goals(path):
    start = read(path).cells[0].source
    assert re.match(rf"# {int(path.stem[:2])}\. \w[^\n]+\n\n\*\*[^*]+\?\*\*", start)
    assert re.search(r"^\*About \d\d minutes\. You need: [^*]+\.\*$", start, re.MULTILINE)
    assert re.search(r"^After this chapter you can\n\n- ", start, re.MULTILINE)


@executed
def test_outputs_are_stored(path):
    assert output_problems(read(path)) == []


@executed
def test_figures_have_alternative_texts(path):
    assert alt_text_problems(read(path)) == []


@executed
def test_prose_holds_no_measured_number(path):
    assert measured_numbers(prose(read(path))) == []


@chapters
def test_questions_are_complete(path):
    assert question_problems(prose(read(path))) == []


def test_bibliography_holds_what_is_cited_and_nothing_else():
    text = "\n".join(prose(read(path)) for path in [*NOTEBOOKS, CORRECTIONS])
    text += "\n".join(path.read_text() for path in PAGES)
    keys = re.findall(r"^@\w+\{(\w+),$", (ROOT / "book" / "references.bib").read_text(), re.M)
    cited = {
        key for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in keys.split(",")
    }
    assert len(keys) == len(set(keys))
    assert set(keys) == {key.strip() for key in cited}


@chapters
def test_chapter_cites_papers_and_links_terms(path):
    text = prose(read(path))
    assert "{cite" in text
    assert text.count("{term}`") >= 3


# The picture on the first page


def test_signal_lies_in_the_known_bands():
    stds = {label.split("\n")[0]: cover.signal(init_) for label, init_ in cover.STARTS.items()}
    assert all(len(series) == 11 for series in stds.values())
    assert all(0.6 < std < 1.1 for std in stds["He"][1:])
    assert stds["Xavier"][10] < 0.05
    # Without biases ReLU is homogeneous: weights times c make layer k exactly c to the k larger.
    for name, c in {"twice He": 2, "Xavier": 0.5**0.5, "0.01": 0.01 / (2 / 500) ** 0.5}.items():
        expected = [std * c**layer for layer, std in enumerate(stds["He"])]
        assert stds[name] == pytest.approx(expected, rel=1e-3)


def test_stored_picture_is_what_the_script_writes(tmp_path):
    cover.write(tmp_path / "signal.svg")
    assert (tmp_path / "signal.svg").read_text() == cover.FIGURE.read_text(), (
        "book/assets/signal.svg differs from what book/cover.py writes: run python book/cover.py"
    )
    assert cover.FIGURE.stat().st_size < 150_000


# The rules themselves


def code_cell(*outputs: NotebookNode, count: int | None = 1, **metadata) -> NotebookNode:
    return new_code_cell(
        "f()", execution_count=count, outputs=list(outputs), metadata={"mystnb": metadata}
    )


SHOWN = new_output("stream", name="stdout", text="1\n")
FIGURE = new_output("display_data", data={"image/png": ""})


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        (code_cell(), "no cell has an output"),
        (code_cell(SHOWN, count=None), "not run once"),
        (code_cell(SHOWN, count=2), "not run once"),
        (code_cell(new_output("stream", name="stderr", text="Warning")), "stderr: 'Warning'"),
        (code_cell(new_output("error", ename="KeyError", evalue="")), "KeyError"),
        (
            code_cell(
                new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}})
            ),
            "widget",
        ),
    ],
)
def test_bad_outputs_are_found(cell, problem):
    assert output_problems(new_notebook(cells=[code_cell(SHOWN)])) == []
    assert any(problem in found for found in output_problems(new_notebook(cells=[cell])))


def test_missing_alternative_texts_are_found():
    good = code_cell(FIGURE, image={"alt": "Two lines that cross at layer 3."})
    assert alt_text_problems(new_notebook(cells=[good, code_cell(SHOWN)])) == []
    for bad in (code_cell(FIGURE), code_cell(FIGURE, image={"alt": "2f1dffac16bb4dac7acdb48.png"})):
        assert len(alt_text_problems(new_notebook(cells=[good, bad]))) == 1


def test_measured_numbers_are_found():
    assert measured_numbers("It is 0.83, then 97.2 % (.0476).") == ["0.83", "97.2", ".0476"]
    allowed = "lr 0.01, `0.825`, $1.0507$, section 4.2.1, [x](a_1.25.md)\n```\n0.83\n```\nPart 2."
    assert measured_numbers(allowed) == []


def question(number: int = 1, *verdicts: str, answer: str = "Answer") -> str:
    choices = (
        f'<details class="choice"><summary>{answer} {i}</summary>\n\n'
        f"**{verdict}.** An explanation of some length.\n\n</details>\n"
        for i, verdict in enumerate(verdicts or ("Right", "Not quite"))
    )
    return f"**{number}. Which?**\n\n" + "".join(choices) + "\n"


FOUR = "".join(question(number) for number in range(1, 5))


@pytest.mark.parametrize(
    ("markdown", "problem"),
    [
        (question(1) + question(2) + question(3), "3 self-check questions"),
        (FOUR + question(6), "numbered [1, 2, 3, 4, 6]"),
        (FOUR + question(5, "Right", "Right"), "question 5 has 2 right"),
        (FOUR + question(5, "Not quite", "Not quite"), "question 5 has 0 right"),
        (FOUR + question(5, "Right", "Perhaps"), "question 5, 'Answer 1'"),
        (FOUR.replace("Answer 1", "Answer 0", 1), "question 1 has an empty answer or the same"),
        (FOUR.replace(" An explanation of some length.", " No.", 1), "question 1, 'Answer 0'"),
        (FOUR.replace("\n\n</details>", "\n</details>", 1), "question 1, 'Answer 0'"),
        (FOUR.replace("</summary>\n\n", "</summary>\n", 1), "question 1, 'Answer 0'"),
        (FOUR.replace("</details>\n", "", 1), "1 of 8 choices are not written"),
        (FOUR.replace("<summary>", "\n<summary>", 1), "1 of 8 choices are not written"),
        (FOUR + "<details><summary>Hint</summary>", "not closed"),
    ],
)
def test_bad_questions_are_found(markdown, problem):
    assert question_problems(FOUR) == []
    assert any(problem in found for found in question_problems(markdown)), question_problems(
        markdown
    )


def test_prose_is_what_readers_read():
    cells = [new_markdown_cell("0.83"), code_cell(SHOWN), new_markdown_cell("end")]
    assert prose(new_notebook(cells=cells)) == "0.83\n\nend"
