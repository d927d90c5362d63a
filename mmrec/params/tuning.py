"""Which of an encoder's last blocks are trained with what reads their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Tune = Literal["none", "top1", "top2", "bottom10", "all"]
"""By place, never by number: the top blocks and the norm behind them, the bottom ten of twelve, or
every block that the tokens enter."""

BLOCKS_NEEDED: Final[Mapping[Tune, int]] = {
    "none": 0,
    "top1": 1,
    "top2": 2,
    "bottom10": 12,
    "all": 1,
}
"""As many must be kept below the last states (`below_last`)."""
