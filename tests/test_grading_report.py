"""Grades for spreadsheets, Canvas and Moodle: what is in the files, and what is kept out."""

import argparse
import csv
import io
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading import grade
from grading.commands import report
from grading.course import Course, CourseError
from grading.csv_files import (
    CANVAS,
    MOODLE,
    Identity,
    canvas_csv,
    harmless,
    identities,
    left_empty,
    moodle_csv,
    number,
    one_line,
    plain_csv,
)
from grading.ledger import Ledger
from grading.results import Result
from tests.toy_course import make_course

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

SIGNS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
ADA = Result(
    "toy", "ada", score=4.5, max_score=10, points={"test_double": 2.0, "test_halve": 2.5},
    messages={"test_halve": "half of 5 is 2.5, got 2: did you divide with //?"},
)  # fmt: skip


def rows_of(content, **options):
    text = content.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), **options))


def rows_for_php(content):
    """As Moodle reads it: PHP takes a quote after a backslash for an escaped one."""
    return rows_of(content, escapechar="\\")


def table_of(content):
    head, *rows = rows_of(content)
    return [dict(zip(head, row, strict=True)) for row in rows]


def known(platform="moodle", name="Ada Lovelace", number="123456"):
    return {"ada": Identity(name, platform, number)}


def test_plain_has_everything():
    crashed = Result("toy", "bob", "crashed", "the kernel died", True, 2.0, 10.0, {"extra": 2.0})
    people = {**known(), "bob": Identity("bob")}
    assert table_of(plain_csv([ADA, crashed], people)) == [
        {
            "student": "ada", "name": "Ada Lovelace", "score": "4.5", "max_score": "10",
            "status": "graded", "needs_manual": "no",
            "reason": "test_halve: half of 5 is 2.5, got 2: did you divide with //?",
            "test_double": "2", "test_halve": "2.5", "extra": "",
        },
        {
            "student": "bob", "name": "bob", "score": "2", "max_score": "10",
            "status": "crashed, needs manual grading", "needs_manual": "yes",
            "reason": "the kernel died",
            "test_double": "", "test_halve": "", "extra": "2",
        },
    ]  # fmt: skip


def test_plain_opens_in_excel_and_the_others_begin_with_their_first_column():
    assert plain_csv([ADA], known()).startswith(b"\xef\xbb\xbfstudent,")
    assert canvas_csv([ADA], known(), "toy").startswith(b"Student,")
    assert moodle_csv([ADA], known()).startswith(b"Identifier,")


def test_canvas():
    people = {**known("canvas"), "bob": Identity("Bob", "moodle", "77")}
    bob = Result("toy", "bob", score=10, max_score=10)
    assert rows_of(canvas_csv([ADA, bob], people, "Toy (4711)")) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Toy (4711)"],
        ["    Points Possible", "", "", "", "", "10"],
        ["Ada Lovelace", "123456", "", "", "", "4.5"],
        ["Bob", "", "", "bob", "", "10"],
    ]


def test_moodle():
    people = {**known(), "bob": Identity("Bob", "canvas", "77")}
    bob = Result("toy", "bob", score=10, max_score=10)
    first, second = table_of(moodle_csv([ADA, bob], people))
    assert first == {
        "Identifier": "Participant 123456",
        "Full name": "Ada Lovelace",
        "Status": "graded",
        "Grade": "4.5",
        "Maximum grade": "10",
        "Grade can be changed": "Yes",
        "Last modified (submission)": "-",
        "Last modified (grade)": "-",
        "Feedback comments": "test_halve: half of 5 is 2.5, got 2: did you divide with //?",
    }
    assert (second["Identifier"], second["Grade"]) == ("", "10")


UNFINISHED = [
    (Result("toy", "ada", needs_manual=True, score=5, max_score=10), "needs manual grading", "5"),
    (Result("toy", "ada", "failed", "no disk", max_score=10), "failed", "0"),
    (Result("toy", "ada", "refused", "a link", max_score=10), "refused", "0"),
    (Result("toy", "ada", score=math.nan, max_score=10), "score unknown", ""),
    (Result("toy", "ada", "timed out", "60 s", True, 1, 10), "needs manual grading", "1"),
]


@pytest.mark.parametrize(("result", "reason", "so_far"), UNFINISHED)
def test_what_is_not_final_is_no_grade(result, reason, so_far):
    assert left_empty([result, ADA]) == {reason: 1}
    for include, expected in ((False, ""), (True, so_far)):
        canvas = rows_of(canvas_csv([result], known("canvas"), "toy", include))
        moodle = table_of(moodle_csv([result], known(), include))
        assert canvas[2][5] == moodle[0]["Grade"] == expected
        comment = moodle[0]["Feedback comments"]
        assert comment.endswith(f"Not final: {reason}.") if expected else comment == ""
    row = table_of(plain_csv([result], known()))[0]
    assert (row["status"], row["reason"]) == (result.ending, result.reason)


@pytest.mark.parametrize("status", ["graded", "timed out", "out of memory", "crashed"])
def test_what_was_run_is_final(status):
    result = Result("toy", "ada", status, score=3, max_score=10)
    assert left_empty([result]) == {}
    assert table_of(moodle_csv([result], known()))[0]["Grade"] == "3"


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("text", ["{}cmd|' /C calc'!A0", " {}1+1", "a;{}1", 'a;"{}1', "\ufeff{}1"])
def test_no_cell_is_a_formula(sign, text):
    attack = text.format(sign)
    result = Result("toy", attack, "crashed", attack, False, 1, 10, messages={"f": attack})
    people = {attack: Identity(attack, "canvas", attack)}
    for content in (
        plain_csv([result], people),
        canvas_csv([result], people, "toy"),
        moodle_csv([result], people),
    ):
        for delimiter in ",;":
            cells = [c for row in rows_of(content, delimiter=delimiter)[1:] for c in row]
            assert [c for c in cells if c.strip(' "')[:1] in SIGNS and c.strip(' "-')] == []


def test_numbers_stay_numbers():
    result = Result("toy", "-5", score=-1.5, max_score=10, points={"t": -1.5})
    row = table_of(plain_csv([result], {"-5": Identity("Ada")}))[0]
    assert (row["student"], row["score"], row["t"]) == ("'-5", "-1.5", "-1.5")


@given(st.lists(st.text(alphabet=st.sampled_from('ab\\"\n\r,;=-@ é🎓\u202e\x00'), max_size=12)))
@settings(deadline=None, max_examples=100)
def test_whatever_is_written_stays_in_its_row_and_cell(texts):
    results = [
        Result("toy", f"s{n}", "crashed", text, messages={"f": text[::-1]})
        for n, text in enumerate(texts)
    ]
    people = {f"s{n}": Identity(text, "moodle", str(n)) for n, text in enumerate(texts)}
    for content in (
        plain_csv(results, people),
        canvas_csv(results, people, "toy"),
        moodle_csv(results, people),
    ):
        rows = rows_of(content)
        assert len(rows) == len(results) + 1 + (rows[0][0] == "Student")
        assert [len(row) for row in rows_for_php(content)] == [len(row) for row in rows]


def test_a_quote_after_a_backslash_begins_no_row_in_moodle():
    attack = '\\",x\r\n"Participant 2","Eve","graded",10,10,Yes,-,-,"well done'
    content = moodle_csv([Result("toy", "ada", "crashed", attack, max_score=10)], known())
    assert [row[0] for row in rows_for_php(content)] == ["Identifier", "Participant 123456"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Lovelace, Ada", "Lovelace, Ada"),
        ('Ada "the" Countess', 'Ada "the" Countess'),
        ("Ada\r\nLovelace", "Ada Lovelace"),
        ("Ada 👩‍💻", "Ada 👩‍💻"),
        ("علی‌رضا", "علی‌رضا"),
        ("李\u3000雷", "李 雷"),
        ("O’Neil; Zoë", "O’Neil; Zoë"),
        ("\u202eadA\x1b[31m", "adA"),
        ("half a pair \ud83d", "half a pair"),
        ("\x00\n", "ada"),
    ],
)
def test_names(name, expected):
    people = identities(["ada"], {"ada": {"name": name}}, {})
    assert table_of(plain_csv([ADA], people))[0]["name"] == expected
    assert rows_of(canvas_csv([ADA], people, "toy"))[2][0] == expected
    assert table_of(moodle_csv([ADA], people))[0]["Full name"] == expected


def test_a_student_cannot_set_the_points_possible():
    rows = rows_of(canvas_csv([ADA], known(name="Points Possible"), "toy"))
    assert [row[0] for row in rows if "Points Possible" in row[0]] == ["    Points Possible"]


@pytest.mark.parametrize("number", ["", "12a", "1" * 30, "=1", "-1", "1.5", "٣"])
def test_only_a_number_is_a_number(number):
    assert rows_of(canvas_csv([ADA], known("canvas", number=number), "toy"))[2][1] == ""
    assert table_of(moodle_csv([ADA], known(number=number)))[0]["Identifier"] == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>f()</script>", "&lt;script>f()&lt;/script>"),
        ("<img src=x onerror=f()>", "&lt;img src=x onerror=f()>"),
        ("must be <= 3 & not 5", "must be <= 3 & not 5"),
        ("&lt;b>", "&amp;lt;b>"),
    ],
)
def test_feedback_is_text_in_html(text, expected):
    result = Result("toy", "ada", "crashed", text, messages={"f": text})
    row = table_of(moodle_csv([result], known()))[0]
    assert row["Feedback comments"] == f"{expected}<br>f: {expected}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (10.0, "10"), (2 / 3, "0.66667"), (1e6, "1000000"), (-1e-9, "0"), (math.inf, "")],
)
def test_number(value, text):
    assert number(value) == text


def test_small_texts():
    assert harmless('C:\\"x\\') == 'C:\\ "x\\ '
    assert one_line("a\u200c\u200d b\n") == "a\u200c\u200db"
    assert (len(CANVAS), len(MOODLE)) == (5, 9)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The toy course, its tests and one name in the gradebook."""
    root = make_course(tmp_path_factory.mktemp("course"))
    course = Course(root)
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("toy")
        gradebook.update_or_create_notebook("toy", "toy")
        for name, points in (("test_double", 2), ("test_halve", 3)):
            gradebook.update_or_create_grade_cell(
                name, "toy", "toy", max_score=points, cell_type="code"
            )
        gradebook.update_or_create_student("ada", first_name="Ada", last_name="King")
    (root / "submitted").mkdir()
    records = {
        "bob": {"name": "Bob", "platform": "moodle", "number": "77", "late": False},
        "cyd": {"name": None, "platform": "plain", "number": None},
    }
    (root / "submitted" / ".collected.json").write_text(json.dumps(records))
    return course


@pytest.mark.parametrize(
    ("penalty", "score", "reason"),
    [
        (None, 3, ""),
        (0, 3, ""),
        (1.5, 1.5, "handed in late: 1.5 points less"),
        (5, 0, "handed in late: 5 points less"),
    ],
)
def test_a_late_penalty_is_taken_off_and_said(course, penalty, score, reason):
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student("eve")
        gradebook.update_or_create_submission("toy", "eve")
        gradebook.find_grade("test_halve", "toy", "toy", "eve").auto_score = 3
        gradebook.find_submission_notebook("toy", "toy", "eve").late_submission_penalty = penalty
        gradebook.db.commit()
    ledger = Ledger(course, "toy")
    ledger.write("eve", "", Result("toy", "eve"))
    (found,) = ledger.results(["eve"])
    assert (found.score, found.max_score, found.reason) == (score, 5, reason)


def test_a_written_answer_that_waits_is_named(course):
    with course.gradebook() as gradebook:
        gradebook.update_or_create_grade_cell(
            "explain", "toy", "toy", max_score=5, cell_type="markdown"
        )
        for student, waits in (("fay", True), ("gil", False)):
            gradebook.update_or_create_student(student)
            gradebook.update_or_create_submission("toy", student)
            for cell in ("test_double", "test_halve", "explain"):
                grade = gradebook.find_grade(cell, "toy", "toy", student)
                grade.needs_manual_grade = waits and cell == "explain"
        gradebook.db.commit()
    ledger = Ledger(course, "toy")
    for student in ("fay", "gil"):
        ledger.write(student, "", Result("toy", student, reason="a file was left out"))
    fay, gil = ledger.results(["fay", "gil"])
    assert (fay.ending, fay.reasons) == (
        "needs manual grading",
        ["a file was left out", "explain waits to be read"],
    )
    assert gil.reasons == ["a file was left out"]


CYD = Result("toy", "cyd", "refused", "a link", max_score=10)
BOB = Result("toy", "bob", score=5, max_score=10, needs_manual=True, points={"test_double": 0.0})


def run(course, results, monkeypatch, *arguments):
    monkeypatch.setattr(grade, "stored_results", lambda course, name: results)
    parser = argparse.ArgumentParser(description=report.DESCRIPTION)
    report.add_arguments(parser)
    return list(report.run(course, parser.parse_args(arguments)))


def test_the_command_writes_all_four(course, monkeypatch):
    (answer,) = run(course, [ADA, BOB, CYD], monkeypatch)
    files = answer.data["files"]
    assert files == {
        "plain": "reports/toy.csv",
        "canvas": "reports/toy-canvas.csv",
        "moodle": "reports/toy-moodle.csv",
        "page": "reports/toy.html",
    }
    assert all((course.root / path).is_file() and path in answer.text for path in files.values())
    assert not list((course.root / "reports").glob("*.part"))
    assert (
        "left empty for Canvas and Moodle: 2 (needs manual grading: 1, refused: 1)" in answer.text
    )
    assert "without a number of Moodle: 2" in answer.text
    assert answer.passed
    data = json.loads(json.dumps(answer.data, allow_nan=False))
    assert data["statistics"]["items"][1]["difficulty"] == pytest.approx(2.5 / 6)
    plain = table_of((course.root / files["plain"]).read_bytes())
    assert [row["name"] for row in plain] == ["Ada King", "Bob", "cyd"]
    moodle = table_of((course.root / files["moodle"]).read_bytes())
    assert [row["Identifier"] for row in moodle] == ["", "Participant 77", ""]


@pytest.mark.parametrize("kind", ["plain", "canvas", "moodle"])
def test_one_format_elsewhere(course, monkeypatch, tmp_path, kind):
    arguments = ("toy", "--format", kind, "--output", str(tmp_path / "new"), "--include-unfinished")
    (answer,) = run(course, [ADA, BOB], monkeypatch, *arguments)
    assert [str(path) for path in (tmp_path / "new").iterdir()] == [answer.data["files"][kind]]
    assert "written though not final: 1" in answer.text


def test_anonymous_and_the_title_in_canvas(course, monkeypatch, tmp_path):
    arguments = ("--anonymous", "--canvas-column", "Toy (1)", "--output", str(tmp_path))
    run(course, [ADA, BOB], monkeypatch, *arguments)
    assert "Ada King" not in (tmp_path / "toy.html").read_text(encoding="utf-8")
    assert rows_of((tmp_path / "toy-canvas.csv").read_bytes())[0][5] == "Toy (1)"


def test_nothing_graded_writes_nothing(course, monkeypatch, tmp_path):
    arguments = ("--output", str(tmp_path / "new"))
    (answer,) = run(course, [], monkeypatch, "toy", *arguments)
    assert answer.text == "toy: nothing is graded; run `python -m grading grade toy`"
    assert not answer.passed
    (answer,) = run(course, [], monkeypatch, *arguments)
    assert (answer.text, answer.passed) == (
        "nothing is graded; run `python -m grading grade`",
        True,
    )
    monkeypatch.setattr(Course, "students", lambda course, assignment: ["ada"])
    (answer,) = run(course, [], monkeypatch, *arguments)
    assert answer.text == "toy: nothing is graded; run `python -m grading grade toy`"
    assert answer.passed
    assert not (tmp_path / "new").exists()


def test_who_is_not_graded_yet_is_counted(course, monkeypatch, tmp_path):
    monkeypatch.setattr(Course, "students", lambda course, assignment: ["ada", "bob", "dan"])
    (answer,) = run(course, [ADA, BOB], monkeypatch, "--output", str(tmp_path))
    assert "handed in, not graded yet, and in none of the files: 1" in answer.text
    assert answer.data["ungraded"] == 1


def test_what_does_not_fit(course, monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(CourseError, match=r"--output .*file is a file; name a folder"):
        run(course, [ADA], monkeypatch, "--output", str(file))
    with pytest.raises(CourseError, match="--canvas-column 'X' is the title of one assignment"):
        run(course, [ADA], monkeypatch, "toy", "toy", "--canvas-column", "X")
    with pytest.raises(CourseError, match="there is no assignment 'tow'"):
        run(course, [ADA], monkeypatch, "tow")
