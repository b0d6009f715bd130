"""Folders that were handed in with something odd, each with what grading must make of it.

Each function gets the folder ``submitted/<student>/toy``, which holds a right notebook.
"""

import os
import socket
import stat

from tests.damage import Case, refused

MB = 10**6


def replaced(make):
    """Put something else in the notebook's place."""

    def change(folder):
        path = folder / "toy.ipynb"
        path.rename(folder.parent / "elsewhere")
        make(path)

    return change


def linked_to(target):
    return replaced(lambda path: path.symlink_to(path.parent.parent / target))


def sparse(size, name="toy.ipynb"):
    """A file of this many bytes that takes no room."""

    def make(folder):
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return make


def renamed(name):
    return lambda folder: (folder / "toy.ipynb").rename(folder / name)


def holding(*names, content=b"1,2\n"):
    """Add files; a name may hold folders."""

    def make(folder):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    return make


def listen(path):
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/{path.name}")  # a socket's path may not be long
        os.close(here)


def emptied(folder):
    (folder / "toy.ipynb").unlink()


def only_checkpoints(folder):
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "toy.ipynb").rename(folder / ".ipynb_checkpoints" / "toy-checkpoint.ipynb")


def moved_away(folder):
    """The folder of the assignment is a link to where it now is."""
    folder.rename(folder.parent / "away")
    folder.symlink_to(folder.parent / "away")


def student_moved_away(folder):
    """So is the student's."""
    student = folder.parent
    target = student.parent.parent / "outside"
    student.rename(target)
    student.symlink_to(target)


def hard_link(folder):
    os.link(folder / "toy.ipynb", folder.parent / "second")


def deep(folder):
    """A path of more than 4,096 characters."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=here)
        here, before = os.open("d" * 200, os.O_RDONLY, dir_fd=here), here
        os.close(before)
    os.close(here)


def stamped(content):
    return holding("timestamp.txt", content=content)


def time_folder(folder):
    (folder / "timestamp.txt").mkdir()
    (folder / "timestamp.txt" / "x").write_bytes(b"1")


def time_link(folder):
    (folder / "timestamp.txt").symlink_to("toy.ipynb")


NO_TIME = "timestamp.txt was left out: it holds no time"
ODD_NAMES = [
    *(
        "two\nlines",
        "\x1b[31mred\x07",
        "caf\u00e9",
        "cafe\u0301",
        "x" * 200,
        "-rf",
        "..hidden",
        "...",
    ),
    *('it\'s "quoted"; $(reboot)', "<script>alert(1)<", "100%s%41", "*?[a]", "\u202egnp.exe"),
    *("{student_id}", "[x](javascript:f())", " blank ", os.fsdecode(b"\xff\xfe"), "CON", "a\\b"),
]

FOLDERS = [
    refused("renamed", renamed("toy (1).ipynb"), "there is no toy.ipynb, but toy (1).ipynb"),
    refused("capitals", renamed("TOY.IPYNB"), "there is no toy.ipynb, but TOY.IPYNB"),
    refused("in_a_folder", lambda f: holding("work/x")(f) or renamed("work/toy.ipynb")(f),
            "but work/toy.ipynb, work/x"),
    refused("empty_folder", emptied, "there is no toy.ipynb, and nothing else"),
    refused("only_checkpoints", only_checkpoints, "there is no toy.ipynb, and nothing else"),
    refused("renamed_to_odd", renamed("\x1b[31m<b>$x$\n`.ipynb"), "but <b>$x$ `.ipynb"),
    refused("not_utf8_name", renamed(os.fsdecode(b"\xff.ipynb")), "no toy.ipynb, but .ipynb"),
    refused("size_200_mb", sparse(200 * MB), "larger than 20 MB (200 MB)"),
    refused("size_21_mb", sparse(21 * MB), "larger than 20 MB (21 MB)"),
    refused("size_sparse", sparse(2 * MB), "damaged or cut off"),
    refused("a_folder", replaced(lambda path: path.mkdir()), "is a directory, not a file"),
    refused("a_folder_of_files", replaced(lambda path: holding("toy.ipynb/x")(path.parent)),
            "is a directory"),
    refused("a_pipe", replaced(os.mkfifo), "is no file, but a pipe, a socket or a device"),
    refused("a_socket", replaced(listen), "is no file, but a pipe, a socket or a device"),
    refused("link_to_file", linked_to("elsewhere"), "toy.ipynb is a link"),
    refused("link_to_folder", linked_to("toy"), "toy.ipynb is a link"),
    refused("link_to_nothing", linked_to("missing"), "toy.ipynb is a link"),
    refused("link_to_itself", linked_to("toy/toy.ipynb"), "toy.ipynb is a link"),
    refused("hard_link", hard_link, "toy.ipynb is a hard link"),
    refused("folder_is_a_link", moved_away, "the folder toy is a link"),
    refused("student_is_a_link", student_moved_away, "the folder student_is_a_link is a link"),
    refused("unreadable", lambda folder: None, "not readable (Permission denied)"),
    refused("unreadable_folder", lambda folder: None, "cannot be read (Permission denied)"),
    Case("unreadable_part", holding("unreadable_part_inside/x"), told="out: it cannot be read"),
    Case("odd_names", holding(*ODD_NAMES[:10])),
    Case("odd_names_2", holding(*ODD_NAMES[10:])),
    Case("odd_left_out", holding("<script>`[x](y)$\n.ipynb"), told="was left out"),
    Case("two_notebooks", holding("toy-Copy1.ipynb"), told="toy-Copy1.ipynb was left out"),
    Case("many_files", holding(*(f"{n}.csv" for n in range(40))), told="more than 20 files"),
    Case("large_files", sparse(2 * MB, "large.csv"), told="files are larger than allowed"),
    Case("data_link", lambda f: (f / "x.csv").symlink_to("toy.ipynb"), told="x.csv is a link"),
    Case("data_link_to_folder", lambda f: (f / "x").symlink_to(f.parent), told="x is a link"),
    Case("data_pipe", lambda f: os.mkfifo(f / "x.csv"), told="x.csv is no file"),
    Case("same_data", holding("numbers.csv", content=b"1,2,3\n")),
    Case("other_data", holding("numbers.csv"), told="own file of that name is used"),
    Case("data_for_a_folder", holding("data"), told="another file at that place"),
    Case("folder_for_data", holding("numbers.csv/x"), told="another file at that place"),
    Case("named_as_output", holding("toy", "toy_files", "toy.html")),
    Case("deep_folders", deep, told="it cannot be read (File name too long)"),
    Case("long_path", holding("/".join(["x" * 99] * 11)), told="its path is longer than 1000"),
    Case("left_by_systems", holding("__MACOSX/._toy.ipynb", ".DS_Store", ".git/config")),
    Case("time_in_words", stamped(b"yesterday, I promise"), told=NO_TIME),
    Case("time_binary", stamped(bytes(range(99))), told=NO_TIME),
    Case("time_not_utf8", stamped(b"\xff\xfe2"), told=NO_TIME),
    Case("time_script", stamped(b"<script>alert(1)</script>"), told=NO_TIME),
    Case("time_overflow", stamped(b"0001-01-01 00:00:00 +9999"), told=NO_TIME),
    Case("time_huge", stamped(b"2" * 900_000), told=NO_TIME),
    Case("time_after_blanks", stamped(b" " * 1200 + b"not a time"), told=NO_TIME),
    Case("time_before_words", stamped(b"2030-01-31 12:00:00" + b" " * 2000 + b"x"), told=NO_TIME),
    Case("time_before_blanks", stamped(b"2030-01-31 12:00:00 UTC" + b" " * 2000)),
    Case("time_folder", time_folder, told="timestamp.txt/x was left out"),
    Case("time_link", time_link, told="timestamp.txt is a link"),
    Case("time_empty", stamped(b"")),
    Case("time_future", stamped(b"2999-01-01 00:00:00 UTC")),
]  # fmt: skip

if os.geteuid() == 0:

    def device(path):
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))

    FOLDERS += [
        refused("a_device", replaced(device), "is no file, but a pipe, a socket or a device")
    ]

# a student's id is the name of a folder: those that nbgrader can keep, and those it cannot
IDS = [
    "ada lovelace",
    "Twin",
    "twin",
    "o'b; DROP TABLE student -- <b>",
    "-rf",
    "100%41{student_id}",
]
IDS += ["Jose\u0301", "Jos\u00e9", "a..b+$HOME~", "x" * 128]
BAD_IDS = {
    "st*r": "'*'",
    "wh?t": "'?'",
    "[abc]": "'['",
    "two\nlines": r"'\n'",
    "\x1bred": r"'\x1b'",
    " before": "a blank at its start",
    "after ": "a blank at its start",
    "y" * 200: "a name of 200 bytes",
    "李" * 85: "a name of 255 bytes",
    os.fsdecode(b"\xffada"): r"'\udcff'",
}
