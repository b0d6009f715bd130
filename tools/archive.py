"""Pack the built book into one zip that needs neither network nor server: `make archive`.

python tools/archive.py HTML ZIP
"""

import sys
import zipfile
from pathlib import Path

FOLDER = "training-deep-networks"

# Windows shows the inside of a zip as a folder, from which a page opens alone, without the others.
# The logo is missing there, so the advice stays.
START = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Training Deep Networks</title>
<body style="font: 1.1rem/1.6 sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem">
<img src="pages/_static/logo.svg" width="64" alt="" onload="location.replace('pages/index.html')">
<h1>Training Deep Networks</h1>
<p><a href="pages/index.html">Open the book</a>.</p>
<p>Does it not open? Then this page still lies inside the zip. Extract the whole zip into a folder
first, and open this page there.</p>
</body>
</html>
"""


def archive(html: Path, target: Path) -> int:
    """Write the pages below ``html`` into the zip ``target``; return the number of files."""
    if not (html / "index.html").is_file():
        raise FileNotFoundError(f"{html} holds no index.html; build the book first: make book")
    files = [path for path in sorted(html.rglob("*")) if path.is_file() and path.name[0] != "."]
    draft = target.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
        packed.writestr(f"{FOLDER}/Open the book.html", START)
        for path in files:
            packed.write(path, f"{FOLDER}/pages/{path.relative_to(html).as_posix()}")
    draft.replace(target)
    return len(files) + 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    html, target = (Path(argument).resolve() for argument in sys.argv[1:])
    try:
        count = archive(html, target)
    except FileNotFoundError as error:
        sys.exit(str(error))
    size = target.stat().st_size / 1e6
    print(f"The book in one zip, {count} files, {size:.0f} MB: {target.as_uri()}")
