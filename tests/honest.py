"""The same submissions graded by plain nbgrader and by `grading`: the points of each test cell.

The tests compare a sample. Each answer of whole banks, in minutes:
``python -m tests.honest signals sick_networks``.
"""

import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from nbgrader.converters import Autograde

from grading.course import CONFIG_FILE, Course
from grading.grade import grade
from grading.release import release
from grading.sample import find_answers, open_class, submit

ROOT = Path(__file__).parent.parent
# what names the folders and the time of a cell; all that grades is nbgrader's own
PLAIN = """\
c = get_config()
c.CourseDirectory.course_id = "training_deep_networks"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "release"
c.Execute.timeout = 300
"""
# where we give other points than plain nbgrader: (assignment, student, test cell) → both.
# Each for one reason: plain nbgrader gives 0 to a test with any text on stderr, a warning included.
DIFFERENT = {
    ("toy", "warns", "test_halve"): (0, 3),
    # torch warns of float(tensor) where the tensor requires a gradient, once in a process
    ("signals", "eli", "test_profile_mean"): (0, 2),
    ("normalization", "cas", "test_train_plain"): (0, 3),
    ("siamese_pretraining", "ada", "test_train_batches"): (0, 3),
}


def honest_answers(assignment):
    """The answers of the bank whose notebook is not damaged and that end by themselves."""
    answers = find_answers(Course(ROOT), assignment)
    return [answer for answer in answers if not answer.damage and answer.status == "graded"]


def hand_in_answers(root, assignment, students=None):
    """A course with these students' answers, or those of all, handed in."""
    answers = [a for a in honest_answers(assignment) if students is None or a.student in students]
    course = open_class(Course(ROOT), root, assignment, [answer.student for answer in answers])
    release(course, assignment)
    submit(course, assignment, answers)
    return course


def grade_twice(course, assignment):
    """Grade in both ways: two tables, of plain nbgrader's points and of ours.

    Returns:
        For each table: (student, test cell) → points.
    """
    root = Path(f"{course.root}-plain")
    shutil.copytree(course.root, root)
    (root / CONFIG_FILE).write_text(
        f"{PLAIN}c.CourseDirectory.root = {str(root)!r}\n", encoding="utf-8"
    )
    # kernels of plain nbgrader find what those of ours find
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    Course(root).run(Autograde, assignment)
    grade(course, assignment, progress=False)
    return points(root / "gradebook.db"), points(course.root / "gradebook.db")


def points(gradebook):
    """The automatic points of each test cell in a gradebook."""
    query = """
        SELECT submitted_assignment.student_id, base_cell.name, grade.auto_score FROM grade
        JOIN base_cell ON base_cell.id = grade.cell_id
        JOIN grade_cells ON grade_cells.id = grade.cell_id AND grade_cells.cell_type = 'code'
        JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
        JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id"""
    with contextlib.closing(sqlite3.connect(gradebook)) as connection:
        return {(student, cell): score for student, cell, score in connection.execute(query)}


def differences(plain, ours):
    """Where the two tables differ: (student, test cell) → (plain nbgrader's points, ours)."""
    keys = sorted({*plain, *ours})
    pairs = {key: (plain.get(key), ours.get(key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def known_differences(assignment, students):
    """Those of `DIFFERENT` that these students have."""
    return {
        (student, cell): pair
        for (name, student, cell), pair in DIFFERENT.items()
        if name == assignment and student in students
    }


def main(assignments):
    """Compare whole banks; return whether they differ in another place than those known."""
    surprises = 0
    for assignment in assignments:
        with tempfile.TemporaryDirectory() as folder:
            course = hand_in_answers(Path(folder) / assignment, assignment)
            plain, ours = grade_twice(course, assignment)
        students = {student for student, _ in plain}
        print(f"{assignment}: {len(students)} submissions, {len(plain)} scores", flush=True)
        for (student, cell), pair in differences(plain, ours).items():
            surprises += DIFFERENT.get((assignment, student, cell)) != pair
            print(f"  {student} {cell}: plain nbgrader {pair[0]}, ours {pair[1]}", flush=True)
    return surprises > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
