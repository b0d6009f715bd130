"""Teach a sample class, and store what each command prints for the page *Teach*.

    python -m tools.teach

The class is graded in a temporary folder: nothing of yours is touched. It takes a minute, and needs
bubblewrap and Chromium.
"""

import tempfile
from pathlib import Path

from tools.teach.story import ROOT, tell

STORED = ROOT / "book" / "assets" / "teach"


def main() -> None:
    """Tell the story anew."""
    with tempfile.TemporaryDirectory() as folder:
        told = tell(Path(folder))
    STORED.mkdir(exist_ok=True)
    for name, text in told.items():
        (STORED / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
