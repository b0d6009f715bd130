"""The sample class of the page *Teach*: what its students hand in, and how Moodle exports it."""

import stat
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from grading.answers import Answer, read_answer
from grading.hand_in import write_submission

ASSIGNMENT = "signals"
BANK = Path(__file__).resolve().parents[2] / "tests" / "answers" / ASSIGNMENT

VARIANCE = """\
def weight_std(weight, scheme):
    fan_out, fan_in = weight.shape
    return {"lecun": 1 / fan_in, "xavier": 2 / (fan_in + fan_out), "he": 2 / fan_in}[scheme]"""
FAST = """\
def choose_activations():
    return {
        "default": "elu", "fast": "relu", "simple": "relu", "between": "tanh",
        "yes or no": "logistic", "one of ten": "softmax", "tags": "logistic",
    }"""
ENDLESS = """\
import time

def selu(z):
    return 1.0507009873554805 * elu(z, 1.6732632423543772)

while selu(torch.ones(1)) > 1:  # until it fits
    time.sleep(0.1)"""
HUNGRY = """\
draws = [torch.ones(20_000, 20_000) for _ in range(100)]

def fill_weight(weight, std, distribution, generator):
    weight.data.copy_(std * draws.pop())"""
CURIOUS = """\
from pathlib import Path

for place in (".", "../../..", Path.home()):
    print(place, [path.name for path in Path(place).iterdir()])
solved = Path("../../../solutions/signals/signals.ipynb").read_text()"""


@dataclass(frozen=True)
class Student:
    """Somebody of the class.

    Attributes:
        name: as Moodle shows it.
        number: as Moodle counts participants.
        bank: an answer of the bank; else the reference solution.
        cells: code that stands in place of it, by ``grade_id``.
        file: the name of the file that was uploaded.
        content: what is in it, if it is no notebook.
        kind: what the zip says the file is.
    """

    name: str
    number: int
    bank: str = ""
    cells: dict[str, str] = field(default_factory=dict)
    file: str = f"{ASSIGNMENT}.ipynb"
    content: bytes | None = None
    kind: int = stat.S_IFREG

    def notebook(self, source: NotebookNode, released: NotebookNode) -> bytes:
        """The notebook that was handed in."""
        cells = {name: ("code", text) for name, text in self.cells.items()}
        answer = Answer(Path(f"{self.name}.md"), "made for this class", cells)
        if self.bank:
            answer = read_answer(BANK / f"{self.bank}.md")
        return write_submission(answer, source, released)


LATE = Student("Esteban Ruiz", 1045, cells={"choose_activations": FAST})
CLASS = [
    Student("Amara Okafor", 1041, "right/dev", file="signals (2) - final.ipynb"),
    Student(
        "Bjørn Lindqvist",
        1042,
        file="Untitled.ipynb",
        content=b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    ),
    Student("Chen Wei", 1043, cells={"weight_std": VARIANCE}),
    Student("Dilnoza Karimova", 1044, "wrong/hana"),
    Student(LATE.name, LATE.number, "wrong/quin"),  # in time, and then better, and late
    Student("Farah Haddad", 1046, content=b""),
    Student(
        "Gáspár Nagy", 1047, content=b"../../solutions/signals/signals.ipynb", kind=stat.S_IFLNK
    ),
    Student("Hiroshi Tanaka", 1048, file="../../../solutions/signals/signals.ipynb"),
    Student("Ifeoma Balogun", 1049, cells={"selu": ENDLESS}),
    Student("João Pereira", 1050, cells={"fill_weight": HUNGRY}),
    Student("Katya Volkova", 1051, cells={"leaky_relu": CURIOUS}),
    Student("Lakshmi Rao", 1052, file="signals.pdf", content=b"%PDF-1.7\n"),
]


def write_export(path: Path, source: NotebookNode, released: NotebookNode) -> None:
    """Write the zip that Moodle makes of all submissions."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for student in CLASS:
            top = f"{student.name}_{student.number}_assignsubmission_file"
            info = zipfile.ZipInfo(f"{top}/{student.file}")
            info.external_attr = (student.kind | 0o644) << 16
            content = student.content
            archive.writestr(
                info, student.notebook(source, released) if content is None else content
            )


def write_late(folder: Path, student: str, source: NotebookNode, released: NotebookNode) -> None:
    """Write what came by mail, and when, as nbgrader lays out submissions."""
    place = folder / student / ASSIGNMENT
    place.mkdir(parents=True)
    (place / f"{ASSIGNMENT}.ipynb").write_bytes(LATE.notebook(source, released))
    (place / "timestamp.txt").write_text("2026-11-18 09:30:00 UTC", encoding="utf-8")
