"""The command line: ``python -m grading --help``."""

import argparse
import io
import json
import os
import sys
from typing import NoReturn

from grading.answers import AnswerError
from grading.commands import audit, check, collect, doctor, feedback, grade, release, report, sample
from grading.course import Course, CourseError

COMMANDS = {
    module.__name__.rpartition(".")[2]: module
    for module in (release, collect, grade, feedback, report, sample, audit, doctor, check)
}
GO_ON = ("release", "collect", "grade", "feedback", "sample")

DESCRIPTION = """\
Hand out assignments, grade what comes back, and say why.

  python -m grading release          1. solutions/ -> release/: hand out these folders or zips
  python -m grading collect PATH     2. what comes back, as Moodle or Canvas export it -> submitted/
  python -m grading grade            3. submitted/ -> autograded/ and gradebook.db
  formgrader, in JupyterLab          4. read the written answers
  python -m grading feedback         5. autograded/ -> feedback/: give these pages back
  python -m grading report           6. scores for your learning platform, and how the tests did

Each of these does only what is not up to date. Stop it whenever you like: started again, it goes
on where it was. `python -m grading COMMAND --help` tells more about each."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments to a program, too."""

    def error(self, message: str) -> NoReturn:
        """Print the reason, and end with status 2."""
        if "--json" in sys.argv:
            print(json.dumps({"error": message}))
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    result = Parser(
        prog="python -m grading", description=DESCRIPTION, formatter_class=raw, parents=[_common()]
    )
    result.set_defaults(course=".", json=False)
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        texts = {"help": module.HELP, "description": module.DESCRIPTION, "formatter_class": raw}
        module.add_arguments(commands.add_parser(name, **texts, parents=[_common()]))
    return result


def _common() -> argparse.ArgumentParser:
    """What may stand before or after the command; without defaults, which would undo the former."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    where = "where nbgrader_config.py is (default: .)"
    common.add_argument("--course", metavar="FOLDER", help=where)
    common.add_argument("--json", action="store_true", help="print JSON, not text")
    return common


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names and messages hold any character
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    """Run a command, and say how it ended."""
    results, passed = [], True
    try:
        # a student's check needs no course
        course = None if options.command in ("check", "doctor") else Course(options.course)
        for answer in COMMANDS[options.command].run(course, options):
            passed = passed and answer.passed
            results.append(answer.data)
            if not options.json:
                _print(answer.text)
        if options.json:
            said = {"command": options.command, "passed": passed, "results": results}
            _print(json.dumps(said))
    except (CourseError, AnswerError) as error:
        return _end(options, results, str(error), f"error: {error}", 1)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        said = f"{error.strerror or error}{place}"
        return _end(options, results, said, f"error: {said}", 1)
    except KeyboardInterrupt as stop:
        done = f"; {stop}" if str(stop) else ""
        goes_on = options.command in GO_ON and not getattr(options, "force", False)
        again = "; start it again and it goes on where it was" if goes_on else ""
        said = f"stopped{done}{again}"
        return _end(options, results, said, f"\n{said}", 130)
    return 0 if passed else 1


def _print(text: str) -> None:
    """Print an answer; end if whoever reads it has enough."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # what is still to be written goes nowhere: Python would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _end(
    options: argparse.Namespace, results: list[dict], error: str, said: str, status: int
) -> int:
    """Say why it ended, to a person and to a program."""
    print(said, file=sys.stderr)
    if options.json:
        _print(json.dumps({"error": error} | ({"results": results} if results else {})))
    return status


if __name__ == "__main__":
    sys.exit(main())
