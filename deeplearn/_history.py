"""The record of a training run."""

import math
from collections.abc import Sequence

from deeplearn._check import check_choice


class History:
    """What was measured, one record an epoch.

    >>> history = History([{"epoch": 1, "valid_loss": 0.5}, {"epoch": 2, "valid_loss": 0.7}])
    >>> history["valid_loss"]
    [0.5, 0.7]
    >>> history.best("valid_loss")
    {'epoch': 1, 'valid_loss': 0.5}
    """

    def __init__(self, records: Sequence[dict[str, float]] = ()) -> None:
        self.records = list(records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> list[float]:
        """Return one value an epoch; NaN where an epoch has none."""
        names = list(dict.fromkeys(key for record in self.records for key in record))
        if name not in names:
            raise KeyError(f"no {name!r} in the history; it has {names}")
        return [record.get(name, math.nan) for record in self.records]

    def best(self, monitor: str, mode: str = "min") -> dict[str, float]:
        """Return the record of the first epoch with the smallest (``"max"``: largest) value."""
        check_choice("mode", mode, ("min", "max"))
        pairs = zip(self[monitor], self.records, strict=True)
        known = [(value, record) for value, record in pairs if not math.isnan(value)]
        if not known:
            raise ValueError(f"monitor {monitor!r} is NaN in every epoch; none is the best")
        return {"min": min, "max": max}[mode](known, key=lambda pair: pair[0])[1]
