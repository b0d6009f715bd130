"""Build the book with jupyter-book: for students, for instructors, or as one page for printing."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BINDER, COLAB = "https://mybinder.org", "https://colab.research.google.com"
EDITIONS = ("student", "instructor")  # the third, "print", is made by tools/pdf.py
SHARED = ("_config.yml", "book/*.bib", "book/assets/*", "book/templates/*", "tools/book.py")


def settings(
    edition: str, repository: str | None = None, branch: str = "main", site: str | None = None
) -> dict:
    """Return `_config.yml` with what an edition and a published copy change in it."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    if edition == "instructor":
        config["title"] += ", instructors' edition"
        config["exclude_patterns"].remove("solutions")
    if edition == "print":  # links to pages that paper does not hold
        config["sphinx"]["config"]["suppress_warnings"] = ["myst.xref_missing"]
    if repository:
        options = {"repository_url": repository, "repository_branch": branch, "path_to_docs": ""}
        buttons = ("repository", "source", "edit_page", "issues")
        options |= {f"use_{name}_button": True for name in buttons}
        launch = {"notebook_interface": "jupyterlab", "binderhub_url": BINDER, "colab_url": COLAB}
        # Jupyter Book's own keys for these would be lost: the theme's options stand below `sphinx`.
        config["sphinx"]["config"]["html_theme_options"] |= options | {"launch_buttons": launch}
    if site:
        config["html"]["baseurl"] = f"{site}/"
    return config


def contents(edition: str) -> dict:
    """Return `_toc.yml`: instructors get the solutions, too; paper holds no code to look up."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = {part["caption"]: part for part in toc["parts"]}
    released = parts["Assignments"]["chapters"]
    if edition == "instructor":
        solved = [{"file": entry["file"].replace("release/", "solutions/")} for entry in released]
        place = toc["parts"].index(parts["Assignments"]) + 1
        toc["parts"].insert(place, {"caption": "Solutions", "chapters": solved})
    if edition == "print":
        toc["parts"].remove(parts["Assignments"])
        toc["parts"].remove(parts["Reference"])
    return toc


def build(output: Path, edition: str = "student", *, quiet: bool = False, **published: str) -> int:
    """Build an edition below ``output``; return the exit code of jupyter-book.

    Only changed pages are written anew. The build starts from nothing if pages came, went or moved,
    if something changed that all of them share, or if the last build failed: Sphinx would leave old
    pages and scripts, and not repeat its warnings.
    """
    folder = output / "_build"
    folder.mkdir(parents=True, exist_ok=True)
    config, toc, done = folder / "_config.yml", folder / "_toc.yml", folder / ".complete"
    pages = yaml.safe_dump(contents(edition), sort_keys=False)
    shared = max(path.stat().st_mtime for pattern in SHARED for path in ROOT.glob(pattern))
    complete = done.exists() and done.stat().st_mtime > shared
    if not complete or toc.read_text(encoding="utf-8") != pages:
        for product in ("html", "singlehtml", ".doctrees", "jupyter_execute"):
            shutil.rmtree(folder / product, ignore_errors=True)
    done.unlink(missing_ok=True)
    config.write_text(yaml.safe_dump(settings(edition, **published)), encoding="utf-8")
    toc.write_text(pages, encoding="utf-8")
    places = ["--config", config, "--toc", toc, "--path-output", output]
    strictly = ["-W", "-n", "--keep-going", *(["-q"] if quiet else [])]
    one_page = ["--builder", "custom", "--custom-builder", "singlehtml"]
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ROOT, *places, *strictly]
    code = subprocess.run(command + (one_page if edition == "print" else [])).returncode
    if code == 0:
        done.touch()
    return code


def web_address(text: str) -> str:
    """Return an address without a slash or ``.git`` at its end; anything but https is refused."""
    if not text.startswith("https://"):
        message = f"{text!r} must begin with https://: copy it from a browser's address bar"
        raise argparse.ArgumentTypeError(message)
    return text.rstrip("/").removesuffix(".git")


def main() -> int:
    """Read the command line, and build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the book goes to OUTPUT/_build/html")
    parser.add_argument("--edition", choices=EDITIONS, default="student")
    address = {"metavar": "URL", "type": web_address}
    parser.add_argument("--repository", **address, help="adds links to source, Binder and Colab")
    parser.add_argument("--branch", default="main", help="of the repository (default: main)")
    parser.add_argument("--site", **address, help="where the book will be read on the web")
    parser.add_argument("--quiet", action="store_true", help="print only warnings and errors")
    options = vars(parser.parse_args())
    return build(options.pop("output").resolve(), **options)


if __name__ == "__main__":
    sys.exit(main())
