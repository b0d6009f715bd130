"""What several modules do with a torch module: name its parts, look at it in evaluation mode."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate

from torch import nn

from deeplearn._check import check_type


def matching_names(
    names: Iterable[str], pattern: str, kind: str = "module", *, inside: bool = True
) -> list[str]:
    """Return the names that match whole and, if asked, those inside a module whose name does."""
    try:
        matches = re.compile(pattern).fullmatch
    except (re.error, TypeError) as error:
        raise ValueError(
            f"pattern must be a regular expression, got {pattern!r} ({error})"
        ) from error
    around = {n: [*accumulate(n.split("."), "{}.{}".format)] if inside else [n] for n in names}
    matched = [name for name, outer in around.items() if any(map(matches, outer))]
    if not matched:
        raise ValueError(f"no {kind} matches {pattern!r}; the model has {sorted(around)}")
    return matched


def matching_leaves(model: nn.Module, pattern: str) -> dict[str, nn.Module]:
    """Return the modules without children whose whole name matches a regular expression."""
    check_type("model", model, nn.Module)
    leaves = {name: m for name, m in model.named_modules() if not list(m.children())}
    return {name: leaves[name] for name in matching_names(leaves, pattern, inside=False)}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode; give every submodule its own mode back at the end.

    ``model.train()`` would do for the whole, and would wake up a layer that was frozen on purpose.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
