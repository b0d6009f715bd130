"""The moments of a training run at which something can be added."""

from typing import Any


class Callback:
    """Something to do at set moments of training; override the moments that you need.

    Each method gets the trainer. ``trainer.should_stop = True`` ends training after the present
    step. ``state_dict`` and ``load_state_dict`` carry what must survive an interruption. Callbacks
    run in the order given, those with a larger ``priority`` later: give 1 to one that saves.
    """

    priority = 0

    def on_fit_begin(self, trainer: Any) -> None:
        """Before the first step of a call of ``fit``."""

    def on_epoch_begin(self, trainer: Any) -> None:
        """Before the first step of an epoch."""

    def on_batch_begin(self, trainer: Any) -> None:
        """Before each forward pass: the place to set the learning rate."""

    def on_gradients(self, trainer: Any) -> None:
        """After the backward pass, before the optimizer's step: the place to clip."""

    def on_step_end(self, trainer: Any) -> None:
        """After the optimizer's step: the place to constrain weights."""

    def on_epoch_end(self, trainer: Any) -> None:
        """After the epoch's record was added to ``trainer.history``."""

    def on_fit_end(self, trainer: Any) -> None:
        """After the last step of a call of ``fit``."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold; nothing by default."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what ``state_dict`` returned."""
