"""The rules for a chapter's notebook. Each is a function that returns the problems it found."""

import re

from nbformat import NotebookNode


def prose(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


# Stored outputs


def output_problems(notebook: NotebookNode) -> list[str]:
    """Say where a notebook is not as one run from top to bottom leaves it, without a complaint."""
    problems = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        problems.append(f"not run once from top to bottom: execution counts {counts}")
    for cell in code:
        for output in cell.outputs:
            at = f"cell [{cell.execution_count}]"
            if output.output_type == "error":
                problems.append(f"{at} stores an error: {output.ename}")
            elif output.get("name") == "stderr":
                problems.append(f"{at} stores stderr: {output.text[:60]!r}")
            elif any("widget" in mime for mime in output.get("data", {})):
                problems.append(f"{at} stores a widget, which asks the network for scripts")
    if not any(cell.outputs for cell in code):
        problems.append("no cell has an output")
    return problems


def alt_text_problems(notebook: NotebookNode) -> list[str]:
    """Name the cells with a figure whose metadata lack a text that stands for it."""
    problems = []
    for cell in notebook.cells:
        mimes = {mime for output in cell.get("outputs", []) for mime in output.get("data", {})}
        if any(mime.startswith("image/") for mime in mimes):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if len(alt) < 20 or re.search(r"\.(png|svg|jpe?g)$", alt):
                problems.append(f"cell [{cell.execution_count}]: mystnb.image.alt is {alt!r}")
    return problems


# Prose

NOT_PROSE = re.compile(
    r"```.*?```|~~~.*?~~~|`[^`\n]+`|\$\$.*?\$\$|\$[^$]+\$|<[^>]+>|\]\([^)]*\)|https?://\S+",
    re.DOTALL,
)


def measured_numbers(markdown: str) -> list[str]:
    """Find decimals with two significant digits or more in the text, such as 0.83 or 97.2.

    These are likely results, which a cell should print instead. A setting has one digit (0.01), or
    stands in code or in mathematics, which are left out. A result that was rounded to one digit or
    to a whole number is not found.
    """
    numbers = re.findall(r"(?<![\w.])\d*\.\d+(?![\w.]*\d)", NOT_PROSE.sub(" ", markdown))
    return [number for number in numbers if len(number.replace(".", "").strip("0")) > 1]


# Self-check questions

QUESTION = re.compile(r"^\*\*(\d+)\. ", re.MULTILINE)
CHOICE = re.compile(
    r'^<details class="choice"><summary>(.*?)</summary>\n(.*?)^</details>$',
    re.DOTALL | re.MULTILINE,
)


def question_problems(markdown: str) -> list[str]:
    """Check the questions of a chapter: four or more, each with one right answer, all explained."""
    questions = [
        (int(number), CHOICE.findall(body))
        for number, body in zip(*[iter(QUESTION.split(markdown)[1:])] * 2, strict=True)
        if "<details" in body
    ]
    problems = []
    if len(questions) < 4:
        problems.append(f"{len(questions)} self-check questions, at least 4 are needed")
    if (found := [number for number, _ in questions]) != list(range(1, len(found) + 1)):
        problems.append(f"questions are numbered {found}")
    written, marked = sum(len(choices) for _, choices in questions), markdown.count('"choice"')
    if written != marked:
        problems.append(f"{marked - written} of {marked} choices are not written as the others")
    if markdown.count("<details") != markdown.count("</details>"):
        problems.append("a <details> is not closed")
    for number, choices in questions:
        right = [body for _, body in choices if body.lstrip().startswith("**Right.**")]
        if len(right) != 1:
            problems.append(f"question {number} has {len(right)} right answers")
        if len({answer.strip() for answer, _ in choices} - {""}) != len(choices):
            problems.append(f"question {number} has an empty answer or the same one twice")
        for answer, body in choices:
            verdict = re.match(r"\n\*\*(Right|Not quite)\.\*\* ", body)
            if not verdict or not body.endswith("\n\n") or len(body) < verdict.end() + 20:
                problems.append(f"question {number}, {answer!r}: no verdict, explanation, or space")
    return problems
