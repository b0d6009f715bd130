"""What is wrong with ``nbgrader_config.py``, where Python cannot run it."""

import traceback
from pathlib import Path


def what_failed(path: Path, error: Exception) -> str:
    """Name the line of a file that kept it from being run, and the error.

    Args:
        path: the file.
        error: what was raised when it was run.
    """
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        said = f"{type(error).__name__}: {error.msg}"
        if error.filename == str(path):
            lines.append(error.lineno)
        elif error.filename:
            said += f" ({error.filename}, line {error.lineno})"
    place = f"{path.name}, line {lines[-1]}" if lines and lines[-1] else path.name
    return f"{place}: {' '.join(said.split())}; mend it"
