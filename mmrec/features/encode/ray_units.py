"""How a job is cut into units for actors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import ray

from mmrec.features.contract import IntArray
from mmrec.features.encode.job import FIRST_UNIT, Job

UNITS_PER_ACTOR: Final = 2
"""One being encoded, one on its way."""
SMALLEST_UNIT: Final = 64
_SECONDS_PER_UNIT: Final = 15.0
_BYTES_PER_UNIT: Final = 32 * 2**20


@dataclass
class Unit:
    """Contents that one actor encodes in one go."""

    places: IntArray
    raw: Any
    """Reference to the raw contents, kept until they are encoded."""
    num_losses: int = 0


class Units:
    """Cuts a job into units as they are handed out, by the speed of those before."""

    def __init__(self, job: Job[Any, Any, Any], num_actors: int) -> None:
        """Draw nothing yet."""
        self.rate = FIRST_UNIT / _SECONDS_PER_UNIT
        """Contents per second of an actor."""
        self._job = job
        self._num_shares = UNITS_PER_ACTOR * num_actors
        self._drawn = iter(job.draw(job.places))
        self._begin = 0

    @property
    def num_left(self) -> int:
        """Contents that are not drawn."""
        return len(self._job.places) - self._begin

    def draw(self) -> Unit:
        """The next unit; smaller ones towards the end, so that all actors end together."""
        even = max(SMALLEST_UNIT, -(-self.num_left // self._num_shares))
        count = min(
            max(FIRST_UNIT, int(self.rate * _SECONDS_PER_UNIT)),
            even,
            self.num_left,
            self._job.largest_unit,
        )
        raw: list[Any] = []
        num_bytes = 0
        while len(raw) < count and num_bytes < _BYTES_PER_UNIT:
            raw.append(next(self._drawn))
            num_bytes += _num_bytes(raw[-1])
        places = self._job.places[self._begin : self._begin + len(raw)]
        self._begin += len(raw)
        return Unit(places, ray.put(raw))


def _num_bytes(raw: object) -> int:
    if isinstance(raw, tuple):
        return sum(map(_num_bytes, raw))
    return len(raw) if isinstance(raw, bytes | str) else 0
