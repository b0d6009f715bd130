"""Student ids: safe as names of folders, for nbgrader, and never one for two students."""

import hashlib
import re
import unicodedata

RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
LONGEST = 64  # characters; at most twice as many bytes
GLOB = "*?["


def plain_id(name: str) -> str:
    """The student id for a name that already is one; what is unsafe is replaced.

    >>> plain_id("ada"), plain_id("ada@uni.edu"), plain_id("Ada Lovelace")
    ('ada', 'ada@uni.edu', 'Ada_Lovelace')
    >>> plain_id("a+b").startswith("ab_")
    True
    """
    name = "_".join(unicodedata.normalize("NFC", name).split())
    kept = "".join(c for c in name if _is_letter(c) or c in "_-.@").strip("-.@")
    short = _shorten(kept, LONGEST)
    if short and short == name and not RESERVED.fullmatch(short):
        return short
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_shorten(kept, LONGEST - 9) or 'student'}_{mark}"


def numbered_id(name: str, number: str) -> str:
    """The student id for a name that has a number beside it, which tells students apart.

    >>> numbered_id("ada lovelace", "123456")
    'ada_lovelace_123456'
    """
    name = unicodedata.normalize("NFC", name)
    kept = "".join(c if _is_letter(c) or c == "-" else "_" for c in name)
    kept = re.sub("_+", "_", kept).strip("_-")
    if not number:
        return plain_id(kept)
    return f"{_shorten(kept, LONGEST - 21) or 'student'}_{_shorten(number, 20)}"


def bad_id(student: str) -> str:
    """Why nbgrader and its gradebook cannot keep a student under this id, or nothing.

    >>> bad_id("a*")
    "the student's folder has a name with '*', which nbgrader cannot keep: rename it"
    """
    wrong = [c for c in student if c in GLOB or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    cure = "which nbgrader cannot keep: rename it"
    if wrong:
        return f"the student's folder has a name with {wrong[0]!a}, {cure}"
    if student != student.strip():
        return f"the student's folder has a name with a blank at its start or end, {cure}"
    if (length := len(student.encode())) > 2 * LONGEST:
        return f"the student's folder has a name of {length} bytes, {cure} (at most {2 * LONGEST})"
    return ""


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _shorten(text: str, length: int) -> str:
    return text[:length].encode("utf-8", "ignore")[: 2 * length].decode("utf-8", "ignore")
