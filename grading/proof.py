"""The proof that a kernel has run a cell, and that it said how the cell ended."""

from hashlib import blake2b  # a class of C, that holds nothing which can be replaced


def prove(secret: str, status: object, value: object) -> str:
    """Sign a cell's status, and the number that it is worth.

    Args:
        secret: what the grader has sent with the cell; another one each time.
        status: ``ok`` or ``error``.
        value: of `grading.worth.told`; None for a cell that is no test.
    """
    return blake2b(f"{status!r} {value!r}".encode(), key=secret.encode()).hexdigest()
