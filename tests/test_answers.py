"""The graders, proven: every answer of the bank gets its points and its message.

This file takes longer than any other, so it is one by itself: another worker does the rest. It
grades on the built-in digits; `make audit` does so on MNIST, where that is at hand.
"""

import pytest

from grading.audit import audit
from grading.course import Course
from grading.report import audit_markdown
from tests.toy_course import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
ASSIGNMENTS = sorted(path.stem for path in (ROOT / "solutions").glob("*/*.ipynb"))


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_audit(assignment, monkeypatch):
    """Each answer of the bank gets its points and its message."""
    monkeypatch.setenv("DEEPLEARN_DATA", "digits")
    (found,) = audit(Course(ROOT), [assignment], progress=False)
    assert found.misses == []
    page = (ROOT / "book" / "assets" / "audit.txt").read_text()
    for line in audit_markdown([found]).splitlines():
        assert f"{line}\n" in page, "run `make audit` to renew the table of the page Teach"
    for question in found.questions:
        for done, tried in (question.right, question.wrong, question.message):
            assert done == tried, question
