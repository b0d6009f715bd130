"""The settings in ``nbgrader_config.py`` that are ours, checked before anything is graded.

A worker that meets a wrong one could only say so of each submission. traitlets warns of an unknown
one where nobody reads it, and the limit that was meant does not hold.
"""

import copy
import hashlib
from difflib import get_close_matches

from nbgrader.preprocessors import LimitOutput
from traitlets import TraitError
from traitlets.config import Config, Configurable

from grading.course import CONFIG_FILE, CourseError
from grading.execute import ExecuteSubmission
from grading.feedback import FeedbackExporter, HideTests
from grading.intake import Intake, SubmissionExporter
from grading.kernels import SandboxProvisioner
from grading.pages import FeedbackPages
from grading.release import RefuseLeftovers
from grading.transplant import Transplant

RANDOM = "skip_cells_with_tag"  # one that nobody can guess, so it is another one each time
SCORING = (ExecuteSubmission, SandboxProvisioner, Intake, SubmissionExporter, Transplant)
OURS = (*SCORING, RefuseLeftovers, FeedbackExporter, FeedbackPages, HideTests)
NEARLY = 0.8  # as alike as a misspelt name is; no class of nbgrader or nbconvert is above .72


def check_settings(settings: Config) -> None:
    """See that the settings of our own classes exist and have values that they take.

    Raises:
        CourseError: if one does not, or if the name of a class is nearly one of ours.
    """
    names = [kind.__name__ for kind in OURS]
    for section in settings:
        near = get_close_matches(section, names, n=1, cutoff=NEARLY)
        if near and section not in names:
            raise CourseError(
                f"{CONFIG_FILE}: c.{section}: there is no such class; did you mean {near[0]}?"
            )
    for kind in OURS:
        for name, value in settings.get(kind.__name__, {}).items():
            if not isinstance(value, Config):  # a section of another class inside this one
                _check(kind, name, value)


def _check(kind: type[Configurable], name: str, value: object) -> None:
    place = f"{CONFIG_FILE}: c.{kind.__name__}.{name} = {value!r}"
    known = kind.class_traits(config=True)
    if name not in known:
        near = get_close_matches(name, known)
        cure = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise CourseError(f"{place}: there is no such setting; {cure}")
    if isinstance(value, int) and value < 0:  # nbclient takes it for no limit at all
        raise CourseError(f"{place}: a number may not be below 0; write another one")
    try:
        kind(config=Config({kind.__name__: {name: value}}))
    except TraitError as error:
        raise CourseError(f"{place}: {str(error).rstrip('.')}; write another value") from error


def for_workers(settings: Config) -> Config:
    """The settings without classes and functions, such as a rule for late work of one's own.

    What ``nbgrader_config.py`` defines no other process can be sent, and none needs it.
    """
    return Config(
        {
            section: {name: value for name, value in given.items() if not callable(value)}
            for section, given in copy.deepcopy(settings).items()
        }
    )


def settings_key(settings: Config) -> str:
    """What scores depend on among the settings, wherever these were written."""
    names = {name for kind in (*SCORING, LimitOutput) for name in kind.section_names()}
    found = {
        section: sorted((name, repr(value)) for name, value in given.items() if name != RANDOM)
        for section, given in settings.items()
        if section in names
    }
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]
