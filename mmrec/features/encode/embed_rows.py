"""Rows and their contents in, the feature's files out, of vectors or of token states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mmrec.features.cache.place import FeatureCache
from mmrec.features.contract import IntArray
from mmrec.features.encode.distinct import DistinctRows
from mmrec.features.encode.feature_files import write_token_states, write_vectors
from mmrec.features.encode.job import Executor
from mmrec.features.encode.token_states import CachedStates
from mmrec.features.encode.vectors import cached_vectors

if TYPE_CHECKING:
    from mmrec.features.contract import Extractor, TokenExtractor
    from mmrec.params.knockout import KnockoutParams

R = TypeVar("R")
T = TypeVar("T")


def embed_rows(
    rows: DistinctRows,
    contents: Callable[[IntArray], Iterable[R]],
    extractor: Extractor[T] | TokenExtractor[T],
    directory: Path,
    *,
    precision: str,
    cache: FeatureCache | None,
    unit: str,
    order: IntArray,
    executor: Executor,
    knockout: KnockoutParams | None,
    hit: Mapping[str, int],
    prepare: Callable[[R], T] | None = None,
) -> dict[str, int]:
    """Write what the contents of `rows` become to `directory`; counts what there is.

    Arguments are those of `cached_vectors`, `write_vectors` and `write_token_states`.

    Raises:
        ValueError: states have no cache to go through.
        DataError: what an extractor gives is not usable.
    """
    if extractor.level == "vectors":
        vectors = cached_vectors(
            rows.keys,
            contents,
            extractor,
            cache,
            precision=precision,
            unit=unit,
            item_of=rows.item_of,
            order=order,
            prepare=prepare,
            executor=executor,
        )
        return write_vectors(vectors, rows, directory, knockout=knockout, hit=hit)
    if cache is None:
        raise ValueError("token states go through the feature cache, found none; open one")
    states = CachedStates(
        rows.keys,
        contents,
        extractor,
        cache,
        precision=precision,
        item_of=rows.item_of,
        prepare=prepare,
    )
    num_encoded = states.encode_missing(order, unit=unit, executor=executor)
    counts = write_token_states(
        states, rows, directory, num_encoded=num_encoded, knockout=knockout, hit=hit
    )
    if extractor.blocks_plan.below_last:
        # Here, so that torch is not imported where states are final and all in the cache.
        from mmrec.features.extractors.kept_blocks import write_last_blocks

        write_last_blocks(
            extractor.last_blocks, extractor.blocks_plan, states.fingerprint, directory
        )
    return counts
