"""Contents in, the states of their tokens out: encoded into the cache, then copied from there.

States are too large to be held for a whole catalogue: what is in memory is a part of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np

from mmrec.features.cache.layout import TokenLayout, ValueArray
from mmrec.features.contract import IntArray
from mmrec.features.encode.executor import LOCAL
from mmrec.features.encode.job import Executor, Job
from mmrec.features.encode.missing import encoded
from mmrec.io import DataError

if TYPE_CHECKING:
    from mmrec.features.cache.place import FeatureCache
    from mmrec.features.contract import TokenExtractor, TokenStates

R = TypeVar("R")
T = TypeVar("T")

_CONTENTS_AT_ONCE: Final = 512


class CachedStates(Generic[R, T]):
    """Token states of some contents, by way of the cache."""

    def __init__(
        self,
        keys: list[bytes],
        contents: Callable[[IntArray], Iterable[R]],
        extractor: TokenExtractor[T],
        cache: FeatureCache,
        *,
        precision: str,
        item_of: Callable[[int], str],
        prepare: Callable[[R], T] | None = None,
    ) -> None:
        """Encode nothing yet; the arguments are those of `cached_vectors`."""
        self.fingerprint = extractor.fingerprint.kept_as(precision)
        self._keys = np.frombuffer(b"".join(keys), "S16")
        self._contents = contents
        self._extractor = extractor
        self._layout = TokenLayout(extractor.dim, precision)
        self._item_of = item_of
        self._prepare = prepare
        self._store = cache.store(self.fingerprint, extractor.libraries, level="tokens")
        self.libraries = self._store.libraries

    def encode_missing(self, order: IntArray, *, unit: str, executor: Executor) -> int:
        """Encode what the cache does not know; returns how many that were.

        Args:
            order: all places in the order in which they are best encoded.
            unit: what contents are called in messages.
            executor: who encodes.

        Raises:
            DataError: states are not usable. What was encoded before stays in the cache.
        """
        missing = order[~self._store.known(self._keys)[order]]
        job = self._job(missing)
        with closing(
            encoded(job, executor, unit=unit, num_known=len(order) - len(missing))
        ) as results:
            for places, found in results:
                self._keep(places, found)
        self._store.refresh()
        return len(missing)

    def read(self, places: IntArray) -> ValueArray:
        """[n] states [P, d] of the contents at ascending places."""
        states = self._layout.empty(len(places))
        known = self._store.fill(self._keys[places], states)
        lost = np.flatnonzero(~known)
        if lost.size:
            # Their segments were damaged since they were looked for.
            with closing(LOCAL.encode(self._job(places[lost]))) as results:
                states[lost] = np.concatenate([self._keep(*result) for result in results])
            self._store.refresh()
        return states

    def _job(self, places: IntArray) -> Job[R, T, TokenStates]:
        return Job(
            places,
            self._contents,
            self._prepare,
            self._extractor,
            self._item_of,
            largest_unit=_CONTENTS_AT_ONCE,
        )

    def _keep(self, places: IntArray, found: TokenStates) -> ValueArray:
        """The states of a unit, which are in the store by then."""
        states = self._checked(places, found)
        self._store.append(self._keys[places], states)
        return states

    def _checked(self, places: IntArray, found: TokenStates) -> ValueArray:
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
        return states
