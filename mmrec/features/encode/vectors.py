"""Vectors of distinct contents: those the cache knows, and the rest encoded and added to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from mmrec.data.images import RawImages
from mmrec.features.cache.place import FeatureCache
from mmrec.features.cache.segments import KeyArray
from mmrec.features.cache.store import FeatureStore
from mmrec.features.contract import (
    Extractor,
    Fingerprint,
    FloatArray,
    ImageExtractor,
    IntArray,
)
from mmrec.features.encode.distinct import DistinctRows
from mmrec.features.encode.executor import LOCAL
from mmrec.features.encode.job import Executor, Job
from mmrec.features.encode.missing import encoded
from mmrec.features.encode.raw_pictures import decoded, raw_pictures
from mmrec.io import DataError

R = TypeVar("R")
T = TypeVar("T")

_SECONDS_PER_SEGMENT: Final = 10.0
"""What a kill can cost beyond units that are being encoded."""


@dataclass(frozen=True)
class Vectors:
    """Vectors of some contents, and how they came about."""

    values: npt.NDArray[Any]
    """[n, d] float16 or float32."""
    fingerprint: Fingerprint
    libraries: Mapping[str, str]
    """Versions of the first who encoded contents for this cache."""
    num_encoded: int
    """How many the cache did not know."""


def cached_vectors(
    keys: list[bytes],
    contents: Callable[[IntArray], Iterable[R]],
    extractor: Extractor[T],
    cache: FeatureCache | None,
    *,
    precision: str,
    unit: str,
    item_of: Callable[[int], str],
    order: IntArray | None = None,
    prepare: Callable[[R], T] | None = None,
    executor: Executor = LOCAL,
) -> Vectors:
    """Vectors of the contents, those that the cache knows taken from there.

    Args:
        keys: distinct content keys, ascending.
        contents: gives the contents of some places in `keys`, in the order asked for, raw.
        extractor: encodes what the cache does not know.
        cache: where vectors are looked for and added; None encodes everything.
        precision: "float16" or "float32".
        unit: what contents are called in messages.
        item_of: an item that has the content at a place, for messages.
        order: places in the order in which they are best encoded; as they are by default.
        prepare: makes of a raw content what the extractor reads; None if it is that already.
        executor: who encodes.

    Raises:
        DataError: a vector is not usable; names extractor and item. What was encoded before
            stays in the cache.
    """
    sought = np.frombuffer(b"".join(keys), "S16")
    vectors = np.empty((len(keys), extractor.dim), np.dtype(precision))
    kept_as = extractor.fingerprint.kept_as(precision)
    store = None if cache is None else cache.store(kept_as, extractor.libraries)
    known = np.zeros(len(keys), bool) if store is None else store.fill(sought, vectors)
    if cache is not None and precision == "float16" and not known.all():
        known |= _rounded(cache, extractor, sought, vectors, known)
    order = np.arange(len(keys)) if order is None else order
    missing = order[~known[order]]
    job = Job(missing, contents, prepare, extractor, item_of)
    finished = _Finished(store, sought, vectors)
    results = encoded(job, executor, unit=unit, num_known=len(keys) - len(missing))
    try:
        with closing(results):
            for places, found in results:
                vectors[places] = _checked(found, places, extractor, precision, item_of)
                finished.add(places)
    finally:
        finished.keep()
    libraries = extractor.libraries if store is None else store.libraries
    return Vectors(vectors, kept_as, libraries, num_encoded=len(missing))


def image_vectors(
    rows: DistinctRows,
    raw_images: RawImages,
    extractor: ImageExtractor,
    cache: FeatureCache | None,
    *,
    precision: str,
    executor: Executor = LOCAL,
) -> Vectors:
    """Vectors of the distinct pictures.

    Raises:
        DataError: a picture is missing or does not decode, or a vector is not usable.
    """
    return cached_vectors(
        rows.keys,
        lambda places: raw_pictures(rows, places, raw_images),
        extractor,
        cache,
        precision=precision,
        unit="images",
        item_of=rows.item_of,
        prepare=decoded,
        executor=executor,
    )


def _rounded(
    cache: FeatureCache,
    extractor: Extractor[Any],
    sought: KeyArray,
    vectors: npt.NDArray[Any],
    known: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Take what is not known as float16 from where it is kept as float32: rounded, it is equal.

    So pictures are encoded once for keywords and for an image feature of the same model.
    """
    missing = np.flatnonzero(~known)
    exact = np.empty((len(missing), extractor.dim), np.float32)
    store = cache.store(extractor.fingerprint.kept_as("float32"), extractor.libraries)
    found = store.fill(sought[missing], exact)
    with np.errstate(over="ignore"):
        rounded = exact[found].astype(np.float16)
    usable = np.isfinite(rounded).all(1)
    places = missing[found][usable]
    vectors[places] = rounded[usable]
    taken = np.zeros(len(known), bool)
    taken[places] = True
    return taken


class _Finished:
    """Adds what is encoded to the store, not in more segments than need be."""

    def __init__(
        self, store: FeatureStore | None, sought: KeyArray, vectors: npt.NDArray[Any]
    ) -> None:
        self._store = store
        self._sought = sought
        self._vectors = vectors
        self._places: list[IntArray] = []
        self._last = time.perf_counter()

    def add(self, places: IntArray) -> None:
        """The vectors at these places are there."""
        self._places.append(places)
        if time.perf_counter() - self._last >= _SECONDS_PER_SEGMENT:
            self.keep()

    def keep(self) -> None:
        """Add what is not in the store."""
        if self._store is not None and self._places:
            places = np.concatenate(self._places)
            self._store.append(self._sought[places], self._vectors[places])
        self._places = []
        self._last = time.perf_counter()


def _checked(
    vectors: FloatArray,
    places: IntArray,
    extractor: Extractor[Any],
    precision: str,
    item_of: Callable[[int], str],
) -> npt.NDArray[Any]:
    """The vectors in their precision, if there are as many as promised and all are finite."""
    name = extractor.fingerprint.extractor
    if vectors.shape != (len(places), extractor.dim):
        raise DataError(
            f"extractor {name}: found vectors of shape {vectors.shape}, expected "
            f"{(len(places), extractor.dim)}, from item '{item_of(int(places[0]))}' on; correct "
            "the extractor"
        )
    # What a half cannot hold becomes infinite, which is refused.
    with np.errstate(over="ignore"):
        kept = vectors.astype(precision)
    unusable = np.flatnonzero(~np.isfinite(kept).all(1))
    if unusable.size:
        item = item_of(int(places[unusable[0]]))
        raise DataError(
            f"extractor {name}: {unusable.size} vectors are not finite in {precision} (first: item "
            f"'{item}'); look at that item's content, or keep the feature as float32"
        )
    return kept
