"""The order of an epoch's batches, drawn again after an interruption."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


class EpochOrder:
    """Hand out the batches of an epoch; after an interruption, the rest of the same order.

    A loader draws its order from its ``generator``, or from torch's global one. The states of both
    at the start of the epoch are kept, so that the same order can be drawn once more.
    """

    def __init__(self) -> None:
        self._loader: Iterable | None = None
        self._start: tuple[Tensor, Tensor | None] | None = None
        self._restored: Tensor | None = None

    def attach(self, loader: Iterable) -> None:
        """Take the loader of this run; its generator goes on where a loaded state left it."""
        self._loader = loader
        if self._restored is not None:
            loader.generator.set_state(self._restored)
            self._restored = None

    def batches(self, *, done: int) -> Iterator[Sequence[Tensor]]:
        """Yield the batches of the present epoch but for the first ``done``."""
        if done == 0:
            self._start = self._now()
            yield from self._loader
            return
        now = self._now()
        self._go_to(self._start)
        rest = iter(self._loader)
        for _ in range(done):
            next(rest)
        # The numbers that were drawn between the order and the interruption are not drawn again.
        self._go_to(now)
        yield from rest

    def _now(self) -> tuple[Tensor, Tensor | None]:
        generator = getattr(self._loader, "generator", None)
        return torch.get_rng_state(), None if generator is None else generator.get_state()

    def _go_to(self, states: tuple[Tensor, Tensor | None]) -> None:
        torch.set_rng_state(states[0])
        if states[1] is not None:
            self._loader.generator.set_state(states[1])

    def state_dict(self) -> dict[str, Any]:
        """Return the states at the start of the epoch, and the loader's own now."""
        return {"start": self._start, "loader": self._now()[1]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` returned; :meth:`attach` the loader next."""
        self._start, self._restored = state_dict["start"], state_dict["loader"]
