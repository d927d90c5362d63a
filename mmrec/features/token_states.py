"""Contents in, the states of their tokens out: encoded into the cache, then copied from there.

States are too large to be held for a whole catalogue: what is in memory is a part of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np

from mmrec.features.cache.layout import TokenLayout, ValueArray
from mmrec.features.canonical import IntArray
from mmrec.io import DataError
from mmrec.stage import progress

if TYPE_CHECKING:
    from mmrec.features.cache.place import FeatureCache
    from mmrec.features.extractor import TokenExtractor

T = TypeVar("T")

logger = logging.getLogger(__name__)

_CONTENTS_AT_ONCE: Final = 512


class CachedStates(Generic[T]):
    """Token states of some contents, by way of the cache."""

    def __init__(
        self,
        keys: list[bytes],
        contents: Callable[[IntArray], Iterable[T]],
        extractor: TokenExtractor[T],
        cache: FeatureCache,
        *,
        precision: str,
        item_of: Callable[[int], str],
    ) -> None:
        """Encode nothing yet; the arguments are those of `cached_vectors`."""
        self.fingerprint = extractor.fingerprint.kept_as(precision)
        self._keys = np.frombuffer(b"".join(keys), "S16")
        self._contents = contents
        self._extractor = extractor
        self._layout = TokenLayout(extractor.dim, precision)
        self._item_of = item_of
        self._store = cache.store(self.fingerprint, extractor.libraries, level="tokens")
        self.libraries = self._store.libraries

    def encode_missing(self, order: IntArray, *, unit: str) -> int:
        """Encode what the cache does not know; returns how many that were.

        Args:
            order: all places in the order in which they are best encoded.
            unit: what contents are called in messages.

        Raises:
            DataError: states are not usable. What was encoded before stays in the cache.
        """
        missing = order[~self._store.known(self._keys)[order]]
        name = self.fingerprint.extractor
        started = time.perf_counter()
        drawn = iter(progress(self._contents(missing), total=len(missing), unit=unit, desc=name))
        for begin in range(0, len(missing), _CONTENTS_AT_ONCE):
            self._encode(missing[begin : begin + _CONTENTS_AT_ONCE], drawn)
        self._store.refresh()
        seconds = time.perf_counter() - started
        logger.info("%s: %s %s encoded in %.1f s", name, f"{len(missing):,}", unit, seconds)
        return len(missing)

    def read(self, places: IntArray) -> ValueArray:
        """[n] states [P, d] of the contents at ascending places."""
        states = self._layout.empty(len(places))
        known = self._store.fill(self._keys[places], states)
        for lost in np.flatnonzero(~known):
            # Its segment was damaged since it was looked for.
            place = places[lost : lost + 1]
            states[lost] = self._encode(place, iter(self._contents(place)))[0]
        return states

    def _encode(self, places: IntArray, drawn: Iterator[T]) -> ValueArray:
        found = self._extractor.encode(islice(drawn, len(places)))
        name, wanted = self.fingerprint.extractor, self._layout.precision
        if len(found.lengths) != len(places) or found.values.shape[1] != self._layout.dim:
            raise DataError(
                f"extractor {name}: found states of {len(found.lengths)} contents, "
                f"{found.values.shape[1]} wide, expected {len(places)}, {self._layout.dim} wide; "
                "correct the extractor"
            )
        states = self._layout.empty(len(places))
        # What a half cannot hold becomes infinite, which is refused.
        with np.errstate(over="ignore"):
            for place, one in enumerate(found.split()):
                states[place] = one.astype(wanted)
        unusable = np.flatnonzero(~self._layout.usable(states))
        if unusable.size:
            item = self._item_of(int(places[unusable[0]]))
            raise DataError(
                f"extractor {name}: states of {unusable.size} contents are not finite in {wanted} "
                f"(first: item '{item}'); look at that item's content, or keep the feature as "
                "float32"
            )
        self._store.append(self._keys[places], states)
        return states
