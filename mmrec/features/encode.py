"""Vectors of distinct contents: those the cache knows, and the rest encoded and added to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from mmrec.features.cache.place import FeatureCache
from mmrec.features.cache.segments import KeyArray
from mmrec.features.canonical import IntArray
from mmrec.features.extractor import Extractor, Fingerprint, FloatArray
from mmrec.io import DataError
from mmrec.stage import progress

T = TypeVar("T")

logger = logging.getLogger(__name__)

_FIRST_SEGMENT: Final = 256
_LARGEST_SEGMENT: Final = 65_536
_SECONDS_PER_SEGMENT: Final = 30.0
"""What a kill can cost: the segment that is being encoded."""


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
    contents: Callable[[IntArray], Iterable[T]],
    extractor: Extractor[T],
    cache: FeatureCache | None,
    *,
    precision: str,
    unit: str,
    item_of: Callable[[int], str],
    order: IntArray | None = None,
) -> Vectors:
    """Vectors of the contents, those that the cache knows taken from there.

    Args:
        keys: distinct content keys, ascending.
        contents: gives the contents of some places in `keys`, in the order asked for.
        extractor: encodes what the cache does not know.
        cache: where vectors are looked for and added; None encodes everything.
        precision: "float16" or "float32".
        unit: what contents are called in messages.
        item_of: an item that has the content at a place, for messages.
        order: places in the order in which they are best encoded; as they are by default.

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
    places = np.arange(len(keys)) if order is None else order
    missing = places[~known[places]]
    started = time.perf_counter()
    drawn = iter(progress(contents(missing), total=len(missing), unit=unit, desc=kept_as.extractor))
    for chosen in _segments(missing):
        encoded = extractor.encode(islice(drawn, len(chosen)))
        usable = _checked(encoded, chosen, extractor, precision, item_of)
        vectors[chosen] = usable
        if store is not None:
            store.append(sought[chosen], usable)
    seconds = time.perf_counter() - started
    logger.info(
        "%s: %s %s in the cache, %s encoded in %.1f s (%.0f/s)",
        kept_as.extractor,
        f"{len(keys) - len(missing):,}",
        unit,
        f"{len(missing):,}",
        seconds,
        len(missing) / max(seconds, 1e-9),
    )
    libraries = extractor.libraries if store is None else store.libraries
    return Vectors(vectors, kept_as, libraries, num_encoded=len(missing))


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


def _segments(places: IntArray) -> Iterator[IntArray]:
    """Cut into segments that take about as long as may be lost, by the speed of those before."""
    begin, count = 0, _FIRST_SEGMENT
    while begin < len(places):
        started = time.perf_counter()
        yield places[begin : begin + count]
        begin += count
        rate = count / max(time.perf_counter() - started, 1e-9)
        count = int(np.clip(rate * _SECONDS_PER_SEGMENT, _FIRST_SEGMENT, _LARGEST_SEGMENT))


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
