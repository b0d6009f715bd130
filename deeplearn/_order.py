"""The batches of an epoch: what they hold, and their order, drawn again after an interruption."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor


def unpack(batch: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Return the tensors of a batch, ``(*inputs, target)``, on the device of the model."""
    if not isinstance(batch, tuple | list):
        raise TypeError(
            f"a batch must be a tuple (*inputs, target), got {type(batch).__name__}; "
            "pass TensorLoader(X, y, batch_size=...), not the tensors themselves"
        )
    return [tensor.to(device) for tensor in batch]


def _generators(loader: Iterable) -> list[Generator]:
    """Return the generators that a loader holds, and those of the loaders and samplers in it."""
    found, waiting, seen = [], [loader], set()
    while waiting:
        item = waiting.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Generator):
            found.append(item)
        elif item is loader or (isinstance(item, Iterable) and not isinstance(item, Tensor)):
            waiting += getattr(item, "__dict__", {}).values()
    return found


def _states(loader: Iterable) -> list[Tensor]:
    return [generator.get_state() for generator in _generators(loader)]


def _set_states(loader: Iterable, states: list[Tensor]) -> None:
    generators = _generators(loader)
    if len(generators) != len(states):
        raise ValueError(
            f"train_loader draws from {len(generators)} generators of its own, the loader of the "
            f"interrupted run from {len(states)}; pass one that is made in the same way"
        )
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state)


class EpochOrder:
    """Hand out the batches of an epoch; after an interruption, the rest of the same order.

    A loader draws its order from generators that it holds, or from torch's global one. The states
    of all at the start of the epoch are kept, so that the same order can be drawn once more. What
    draws from elsewhere, from NumPy for example, comes out differently.
    """

    def __init__(self) -> None:
        self._loader: Iterable | None = None
        self._start: tuple[Tensor, list[Tensor]] | None = None
        self.waiting: list[Tensor] | None = None

    def attach(self, loader: Iterable) -> None:
        """Take the loader of this run; its generators go on where a loaded state left them."""
        if self.waiting is not None:
            _set_states(loader, self.waiting)
        self._loader, self.waiting = loader, None

    def batches(self, *, done: int) -> Iterator[Sequence[Tensor]]:
        """Yield the batches of the present epoch but for the first ``done``."""
        now = torch.get_rng_state(), _states(self._loader)
        if done == 0:
            self._start = now
            yield from self._loader
            return
        self._go_to(self._start)
        rest = iter(self._loader)
        for number in range(done):
            if next(rest, None) is None:
                raise ValueError(
                    f"train_loader gives {number} batches, but {done} of this epoch were done "
                    "before the interruption; pass the same loader"
                )
        # The numbers that were drawn between the order and the interruption are not drawn again.
        self._go_to(now)
        yield from rest

    def _go_to(self, states: tuple[Tensor, list[Tensor]]) -> None:
        torch.set_rng_state(states[0])
        _set_states(self._loader, states[1])

    def state_dict(self) -> dict[str, Any]:
        """Return the states at the start of the epoch, and the loader's own now."""
        own = self.waiting
        if own is None and self._loader is not None:
            own = _states(self._loader)
        return {"start": self._start, "loader": own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` returned; :meth:`attach` the loader next."""
        self._start, self.waiting = state_dict["start"], state_dict["loader"]
