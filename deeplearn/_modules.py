"""What several modules do with a torch module: name its parts, look at it in evaluation mode."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from deeplearn._check import check_type


def matching_leaves(model: nn.Module, pattern: str) -> dict[str, nn.Module]:
    """Return the modules without children whose whole name matches a regular expression."""
    check_type("model", model, nn.Module)
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ValueError(
            f"pattern must be a regular expression, got {pattern!r} ({error})"
        ) from error
    leaves = {name: m for name, m in model.named_modules() if not list(m.children())}
    matched = {name: m for name, m in leaves.items() if re.fullmatch(pattern, name)}
    if not matched:
        raise ValueError(f"no module matches {pattern!r}; the model has {sorted(leaves)}")
    return matched


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
