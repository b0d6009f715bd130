"""Say what to open and what to do next: the last lines of `make course`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def next_steps(root: Path) -> str:
    """Return the text, with the addresses of the pages as they are on this machine."""
    book = (root / "_build" / "html" / "index.html").as_uri()
    return f"""
The course is ready.

Open the book:        {book}
Work in JupyterLab:   .venv/bin/jupyter lab     (chapters in notebooks/)

Next, if you …
  read or study:      open the book, start with a chapter; then copy an assignment from release/
                      to a folder of your own, and solve it there
  teach:              hand out what is in release/, take in what comes back with
                      .venv/bin/grading collect PATH, then: make grade
  change the course:  read CONTRIBUTING.md, then: make test"""


if __name__ == "__main__":
    print(next_steps(ROOT))
