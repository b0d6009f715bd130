"""What the kernel's objects hold at the start, to be put back later."""

from collections.abc import Iterable

from traitlets import Bool, Enum, HasTraits, Integer, Unicode


class Parts:
    """What objects hold of functions and settings.

    Args:
        owners: the objects.
        moving: the names of settings that change by themselves.
    """

    def __init__(self, owners: Iterable[object], moving: Iterable[str] = ()):
        self._held = []
        for owner in owners:
            _settle(owner)
            now = vars(owner)
            own = {name: value for name, value in now.items() if callable(value)}
            traits = now.get("_trait_values", {})
            settings = {
                name: value
                for name, value in traits.items()
                if name not in moving and not isinstance(value, list | dict | set)
            }
            self._held.append((owner, type(owner), now, own, traits, settings))

    def restore(self) -> None:
        """Put everything back, and take away what stands in front of a class's own methods."""
        for owner, kind, now, own, traits, settings in self._held:
            if type(owner) is not kind:
                object.__setattr__(owner, "__class__", kind)
            for name in [name for name in now if name not in own]:
                if callable(getattr(kind, name, None)):
                    del now[name]
            now.update(own)
            traits.update(settings)


def _settle(owner: object) -> None:
    """Let an object hold its settings; some come into being when they are first asked for."""
    if isinstance(owner, HasTraits):
        for name, trait in owner.traits(config=True).items():
            if isinstance(trait, Bool | Enum | Integer | Unicode):
                getattr(owner, name)
