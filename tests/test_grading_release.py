"""The student version, the gradebook, and what happens when either is not as it should be."""

import shutil
import sqlite3

import nbformat
import pytest

import grading.environment
from grading.course import Course, CourseError
from grading.grade import grade
from grading.release import release
from tests.toy_course import (
    MAX,
    WRONG_DOUBLE,
    Submission,
    hand_in,
    make_course,
    released_source,
    source_notebook,
)

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The tiny course, released; tests work on copies, which is faster than releasing again."""
    root = make_course(tmp_path_factory.mktemp("course"))
    release(Course(root), "toy")
    return root


@pytest.fixture
def course(template, tmp_path):
    return Course(shutil.copytree(template, tmp_path / "course"))


@pytest.fixture
def released(course):
    return nbformat.read(course.folder("release", "toy") / "toy.ipynb", as_version=4)


def test_release_holds_stubs_and_no_hidden_test(released):
    text = nbformat.writes(released)
    assert "raise NotImplementedError()" in released_source(released, "double")
    assert released_source(released, "explain") == "YOUR ANSWER HERE"
    for secret in ("return 2 * x", "the sign is lost", "hidden_input", "Rubric", "BEGIN", "END "):
        assert secret not in text


def test_release_is_made_again_only_if_something_changed(course):
    target = course.folder("release", "toy") / "toy.ipynb"
    assert not release(course, "toy")
    target.unlink()
    assert release(course, "toy")
    target.write_text(target.read_text().replace("Toy", "Boy"))
    assert release(course, "toy")
    assert "Toy" in target.read_text()
    (course.root / "gradebook.db").unlink()
    assert release(course, "toy")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x = 1\n# begin hidden test\nassert x\n# end hidden test", "cell number 2, line 2"),
        (
            "### BEGIN SOLUTION\nx = 1",
            "toy.ipynb, cell 2, without a name, which begins '### BEGIN SOLUTION': no end solution",
        ),
        (
            "y = 0\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION",
            "toy.ipynb, cell 2, without a name, which begins 'y = 0': Solution region",
        ),
    ],
)
def test_a_leak_is_refused_and_the_old_release_stays(course, cell, message):
    before = (course.folder("release", "toy") / "toy.ipynb").read_bytes()
    nb = source_notebook()
    nb.cells[1].source = cell
    nbformat.write(nb, course.folder("source", "toy") / "toy.ipynb")
    with pytest.raises(CourseError, match=message):
        release(course, "toy")
    assert (course.folder("release", "toy") / "toy.ipynb").read_bytes() == before


def test_a_leak_in_another_file_is_refused(course):
    (course.folder("source", "toy") / "helper.py").write_text("### BEGIN SOLUTION\nx = 1\n")
    with pytest.raises(CourseError, match=r"helper\.py, line 1"):
        release(course, "toy")
    assert not (course.folder("release", "toy") / "helper.py").exists()


SECRETS = [
    pytest.param(
        'Try this:\n\n    assert double(-3) == -6, "the sign is lost: did you take the absolute '
        'value?"',
        "a hidden test in test_double: 'assert double",
        id="a hidden test",
    ),
    pytest.param(
        "Think of `got = halve(hidden_input)` here.",
        "a hidden test in test_halve: 'got = halve",
        id="a hidden test within prose",
    ),
    pytest.param(
        "```python\ndef halve(x):\n    return x / FACTOR\n```",
        "the solution of halve: 'def halve",
        id="a solution",
    ),
    pytest.param("*Two halves make a whole.*", "the solution of explain", id="a written answer"),
    pytest.param("# Rubric: 5 points for wholes.", "the rubric of a cell", id="a rubric"),
]


@pytest.mark.parametrize(("text", "words"), SECRETS)
def test_a_secret_line_in_another_file_is_refused(course, text, words):
    (course.folder("source", "toy") / "data").mkdir()
    (course.folder("source", "toy") / "data" / "notes.md").write_text(text)
    with pytest.raises(CourseError, match=rf"data/notes\.md holds a line of {words}"):
        release(course, "toy")
    assert not (course.folder("release", "toy") / "data").exists()


@pytest.mark.parametrize(("text", "words"), SECRETS)
def test_a_secret_line_in_a_cell_is_refused(course, text, words):
    nb = source_notebook()
    nb.cells[0].source = text
    nbformat.write(nb, course.folder("source", "toy") / "toy.ipynb")
    with pytest.raises(CourseError, match=rf"toy\.ipynb, cell number 1, holds a line of {words}"):
        release(course, "toy")


@pytest.mark.parametrize("place", ["comment", "metadata", "attachment", "notebook"])
def test_a_secret_line_is_found_wherever_it_stands(course, place):
    nb, line = source_notebook(), "got = halve(hidden_input)"
    if place == "comment":
        nb.cells[1].source += f"\n# {line}"
    elif place == "metadata":
        nb.cells[1].metadata["note"] = {"deep": [line]}
    elif place == "attachment":
        nb.cells[0].attachments = {"a.txt": {"text/plain": line}}
    else:
        nb.metadata["note"] = line
    nbformat.write(nb, course.folder("source", "toy") / "toy.ipynb")
    with pytest.raises(CourseError, match="holds a line of a hidden test in test_halve"):
        release(course, "toy")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Use `def halve(x): return x / FACTOR` or the like.", id="named in prose"),
        pytest.param("x / FACTOR", id="too short to tell"),
        pytest.param('def double(x):\n    """Twice x."""', id="the stub"),
    ],
)
def test_what_students_may_read_is_released(course, text):
    (course.folder("source", "toy") / "notes.md").write_text(text)
    assert release(course, "toy")


def test_code_that_students_see_is_no_secret(course):
    nb = source_notebook()
    nb.cells[1].source += "\ndef show(hidden_input, halve):\n    got = halve(hidden_input)"
    nb.cells[0].source = "`got = halve(hidden_input)`"
    nbformat.write(nb, course.folder("source", "toy") / "toy.ipynb")
    assert release(course, "toy")


def test_a_picture_is_handed_out_as_it_is(course):
    content = b"\x89PNG\0\xff got = halve(hidden_input)"
    (course.folder("source", "toy") / "curve.png").write_bytes(content)
    assert release(course, "toy")
    assert (course.folder("release", "toy") / "curve.png").read_bytes() == content


def sqlite(path, *statements):
    connection = sqlite3.connect(path)
    try:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


@pytest.mark.parametrize("damage", ["DROP TABLE alembic_version", "DELETE FROM alembic_version"])
def test_a_half_made_gradebook_is_remade(course, damage):
    sqlite(course.root / "gradebook.db", damage)
    assert release(course, "toy")
    with course.gradebook() as gradebook:
        assert gradebook.find_assignment("toy").max_score == 10
    connection = sqlite3.connect(course.root / "gradebook.db")
    assert connection.execute("SELECT COUNT(*) FROM alembic_version").fetchone() == (1,)
    connection.close()


def test_a_half_made_gradebook_with_submissions_is_kept(course):
    with course.gradebook() as gradebook:
        gradebook.add_student("ada")
        gradebook.add_submission("toy", "ada")
    sqlite(course.root / "gradebook.db", "DELETE FROM alembic_version")
    with pytest.raises(CourseError, match="half made, and it holds 1 submissions"):
        release(course, "toy")
    assert (course.root / "gradebook.db").exists()


def test_a_file_that_is_no_gradebook(tmp_path):
    course = Course(make_course(tmp_path))
    (tmp_path / "gradebook.db").write_bytes(b"these are not the tables you look for" * 100)
    with pytest.raises(CourseError, match="is not a gradebook"):
        release(course, "toy")


def test_grading_needs_a_release(tmp_path):
    course = Course(make_course(tmp_path))
    with pytest.raises(CourseError, match="python -m grading release toy"):
        grade(course, "toy")


def test_a_source_that_changed_after_the_release_is_told(course):
    nb = source_notebook()
    nb.cells[3].source += "\nassert double(2) == 4"
    nbformat.write(nb, course.folder("source", "toy") / "toy.ipynb")
    hand_in(course.root, "ada", nb)
    with pytest.raises(CourseError, match="after it was released; run `python -m grading release"):
        grade(course, "toy", progress=False)
    release(course, "toy")
    (result,) = grade(course, "toy", progress=False)
    assert (result.status, result.points) == ("graded", MAX)


def test_only_what_changed_is_graded_again(course, released, monkeypatch):
    # Somebody may be editing the packages while this runs.
    monkeypatch.setattr(grading.environment, "_package_folder", lambda name: None)
    for student in ("ada", "bob"):
        hand_in(course.root, student, Submission(released).nb)

    def grade_all():
        results = grade(course, "toy", progress=False)
        paths = [course.folder("autograded", "toy", s) / "toy.ipynb" for s in ("ada", "bob")]
        return [result.score for result in results], [path.stat().st_mtime_ns for path in paths]

    scores, first = grade_all()
    assert scores == [5, 5]
    assert grade_all() == (scores, first)
    wrong = Submission(released).answer("double", WRONG_DOUBLE).nb
    nbformat.write(wrong, course.folder("submitted", "toy", "bob") / "toy.ipynb")
    scores, second = grade_all()
    assert scores == [5, 3]
    assert second[0] == first[0]
    monkeypatch.setenv("DEEPLEARN_DATA", str(course.root))
    scores, third = grade_all()
    assert scores == [5, 3]
    assert third[0] > second[0]
    (course.root / "gradebook.db").unlink()
    release(course, "toy")
    assert grade_all()[0] == [5, 3]


def test_points_given_by_hand_stay_when_the_rest_is_graded_again(course, released):
    hand_in(course.root, "ada", Submission(released).answer("explain", "Because.").nb)
    (result,) = grade(course, "toy", progress=False)
    assert result.needs_manual
    with course.gradebook() as gradebook:
        written = gradebook.find_grade("explain", "toy", "toy", "ada")
        written.manual_score, written.needs_manual_grade = 3, False
        comment = gradebook.find_comment("explain", "toy", "toy", "ada")
        comment.manual_comment = "Why not?"
        gradebook.db.commit()

    wrong = Submission(released).answer("explain", "Because.").answer("double", WRONG_DOUBLE).nb
    nbformat.write(wrong, course.folder("submitted", "toy", "ada") / "toy.ipynb")
    (again,) = grade(course, "toy", progress=False)
    assert (again.score, again.needs_manual) == (result.score + 3 - 2, True)
    with course.gradebook() as gradebook:
        assert gradebook.find_comment("explain", "toy", "toy", "ada").comment == "Why not?"


def test_wrong_course_folder_and_wrong_name(tmp_path):
    with pytest.raises(CourseError, match="holds no nbgrader_config"):
        Course(tmp_path)
    course = Course(make_course(tmp_path))
    with pytest.raises(CourseError, match="no assignment 'tony'; there are: toy"):
        course.choose(["tony"])
