"""Errors that keep everything from being written down, and what to do about each."""

# words of the error, and the cure
CURES = {
    "database is locked": "another program is writing to it, such as formgrader: let it end",
    "disk is full": "free some space",
    "No space left on device": "free some space",
    "Disk quota exceeded": "free some space",
    "disk I/O error": "see that the disk is in order and has space",
    "readonly database": "give yourself the right to write it",
    "unable to open database file": "give yourself the right to write it and its folder",
    "malformed": "take it from a backup, or save what can be read: sqlite3 gradebook.db .recover",
    "not a database": "it is not a gradebook: move it away, then run `release` again",
}


def cure_of(error: object) -> str:
    """What to do about an error that keeps everything from being written down; else nothing.

    >>> cure_of("[Errno 28] No space left on device: 'toy.ipynb'")
    'free some space'
    >>> cure_of("there is no timestamp")
    ''
    """
    return next((cure for words, cure in CURES.items() if words in str(error)), "")
