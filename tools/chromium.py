"""Where Chromium is, and how to start it without a window and without a call to anybody."""

import os
import shutil

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = (
    "Chromium is missing: run `make system` on Debian; elsewhere install Chromium and set the "
    "environment variable CHROMIUM to its executable"
)


def find_chromium() -> str | None:
    """Return the executable named by CHROMIUM, else the one on the path, else ``None``."""
    return shutil.which(os.environ.get("CHROMIUM") or "chromium")
