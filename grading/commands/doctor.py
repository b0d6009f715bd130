"""`doctor`: what this machine can do, and what to install."""

import argparse
from collections.abc import Iterator

from grading import leftovers
from grading.commands import Answer
from grading.doctor import Finding, examine

HELP = "say what this machine can isolate, and what to install"
DESCRIPTION = """\
Looks at what grading needs on this machine, and tries it: a kernel is started in isolation, and
what it can reach from inside is compared with what it may. Each line says what was found; where
something is missing, it says what to do. Nothing is changed."""


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Nothing to choose."""


def run(_, options: argparse.Namespace) -> Iterator[Answer]:
    """One line for each finding."""
    with leftovers.together():
        for finding in examine():
            yield Answer(_line(finding), vars(finding), passed=not finding.needed or finding.good)


def _line(finding: Finding) -> str:
    sign = "ok      " if finding.good else "MISSING " if finding.needed else "without "
    cure = "" if finding.good or not finding.cure else f"; {finding.cure}"
    return f"{sign}{finding.what}: {finding.found}{cure}"
