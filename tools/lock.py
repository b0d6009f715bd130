"""Write requirements.txt: what pyproject.toml asks for, direct and transitive, pinned.

`make lock` calls this with the machine's Python 3.11. pip-tools resolves in an environment of its
own, in _build/lock. Pins that are still inside their range stay; `make lock UPGRADE=1` renews all.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP_TOOLS = "pip-tools>=7.5,<8"
HEADER = """\
# Every package of the course, pinned: `make` and CI install exactly these.
# Made by `make lock` from the ranges in pyproject.toml, under Python {version}. Do not edit.
"""


def resolve(output, upgrade):
    """Let pip-compile write its answer to `output`, where it also finds the present pins."""
    tools = ROOT / "_build" / "lock"
    venv.create(tools, with_pip=True, clear=True)
    python = tools / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", PIP_TOOLS], check=True)
    command = [python, "-m", "piptools", "compile", "--quiet", "--no-header", "--strip-extras"]
    command += ["--all-extras", "--all-build-deps", "--allow-unsafe"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"]
    command += ["--upgrade"] if upgrade else []
    subprocess.run([*command, "--output-file", output, "pyproject.toml"], cwd=ROOT, check=True)


def tidy(resolved):
    """Check what was resolved, and return it in the form that holds on every platform."""
    if cuda := re.findall(r"^(?:nvidia|cuda|triton)[\w-]*", resolved, flags=re.MULTILINE):
        raise SystemExit(
            f"pip chose the CUDA build of PyTorch ({', '.join(cuda[:3])}, …), which not every "
            "platform has: let pip find PyTorch's CPU wheels first, then run make lock again"
        )
    resolved = re.sub(r"^(torch==[\d.]+)\+cpu$", r"\1", resolved, flags=re.MULTILINE)
    resolved = re.sub(r"\n# .* considered to be unsafe .*\n", "", resolved)  # none is, pinned
    version = ".".join(str(part) for part in sys.version_info[:3])
    return HEADER.format(version=version) + resolved


def main():
    requirements = ROOT / "requirements.txt"
    draft = ROOT / "_build" / "requirements.txt"
    draft.parent.mkdir(exist_ok=True)
    draft.write_text(requirements.read_text() if requirements.exists() else "")
    resolve(draft, upgrade=bool(os.environ.get("UPGRADE")))
    requirements.write_text(tidy(draft.read_text()))
    print(f"requirements.txt: {requirements.read_text().count('==')} packages pinned.")


if __name__ == "__main__":
    main()
