"""Values of distinct contents in, the feature's rows by item and position on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.features.cache.store import store_name
from mmrec.features.contract import Fingerprint, canonical_json
from mmrec.features.encode.replacement import Replacement, replacement
from mmrec.io import write_json
from mmrec.part_writer import PartWriter

if TYPE_CHECKING:
    import numpy.typing as npt

    from mmrec.features.encode.distinct import DistinctRows
    from mmrec.features.encode.token_states import CachedStates
    from mmrec.features.encode.vectors import Vectors
    from mmrec.params.knockout import KnockoutParams

_ROWS_PER_WRITE: Final = 16_384
_STATES_PER_WRITE: Final = 256
"""Rows whose states are held at once."""


def write_vectors(
    vectors: Vectors,
    rows: DistinctRows,
    directory: Path,
    *,
    knockout: KnockoutParams | None = None,
    hit: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Write a vector per row; counts rows, contents and what was encoded.

    Args:
        vectors: of the distinct contents.
        rows: which row has which.
        directory: folder of the feature.
        knockout: what the rows are deprived of; contents are as it leaves them.
        hit: how many items it hits, which is told with the counts.
    """
    fingerprint = vectors.fingerprint
    schema = schemas.features(fingerprint.dim, pa.from_numpy_dtype(vectors.values.dtype))
    schema = _described(schema, fingerprint, vectors.libraries)
    keyed = rows.table.select(["item_id", "position", "content_key"])
    starts = range(0, keyed.num_rows, _ROWS_PER_WRITE)
    batches = (
        vectors.values[rows.content_of_row[start : start + _ROWS_PER_WRITE]] for start in starts
    )
    replaced = replacement(knockout, batches, fingerprint.dim, directory.name)
    with PartWriter(directory, schema) as writer:
        for start in starts:
            chosen = vectors.values[rows.content_of_row[start : start + _ROWS_PER_WRITE]]
            part = keyed.slice(start, _ROWS_PER_WRITE)
            if replaced is not None:
                part, values = _replaced(part, [one[None] for one in chosen], replaced)
                chosen = np.concatenate(values)
            writer.write(part.append_column("embedding", _embedding(chosen, schema)))
    # Pictures are kept as float32 for keywords, too, and features are rounded from there.
    stores = [store_name(fingerprint.kept_as(name)) for name in ("float16", "float32")]
    counts = {"rows": keyed.num_rows, "contents": len(rows.keys), "dim": fingerprint.dim}
    _describe(directory, counts, stores, _told(knockout, hit))
    repeats = keyed.num_rows - len(rows.keys)
    return {**counts, "repeats": repeats, "encoded": vectors.num_encoded, **(hit or {})}


def write_token_states(
    states: CachedStates[Any, Any],
    rows: DistinctRows,
    directory: Path,
    *,
    num_encoded: int,
    knockout: KnockoutParams | None = None,
    hit: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Write a row per token, with the number of the token within its content.

    `knockout` and `hit` are those of `write_vectors`.
    """
    fingerprint = states.fingerprint
    value = pa.from_numpy_dtype(np.dtype(fingerprint.precision))
    schema = schemas.token_features(fingerprint.dim, value)
    schema = _described(schema, fingerprint, states.libraries)
    batches = (one for _, of_rows in _states_of_rows(states, rows) for one in of_rows)
    replaced = replacement(knockout, batches, fingerprint.dim, directory.name)
    num_tokens = 0
    with PartWriter(directory, schema) as writer:
        for part, of_row in _states_of_rows(states, rows):
            if replaced is not None:
                part, of_row = _replaced(part, of_row, replaced)
            lengths = np.array([len(one) for one in of_row], np.int64)
            repeated = np.repeat(np.arange(len(of_row)), lengths)
            token = np.arange(len(repeated)) - (lengths.cumsum() - lengths)[repeated]
            part = part.take(pa.array(repeated))
            part = part.append_column("token", pa.array(token, pa.int32()))
            joined = np.concatenate(of_row)
            writer.write(part.append_column("embedding", _embedding(joined, schema)))
            num_tokens += len(joined)
    counts = {
        "rows": rows.table.num_rows,
        "contents": len(rows.keys),
        "tokens": num_tokens,
        "dim": fingerprint.dim,
    }
    _describe(directory, counts, [store_name(fingerprint)], _told(knockout, hit))
    repeats = rows.table.num_rows - len(rows.keys)
    return {**counts, "repeats": repeats, "encoded": num_encoded, **(hit or {})}


def _states_of_rows(
    states: CachedStates[Any, Any], rows: DistinctRows
) -> Iterator[tuple[pa.Table, Sequence[npt.NDArray[Any]]]]:
    """Some rows after others, with the states [P, d] of each."""
    keyed = rows.table.select(["item_id", "position", "content_key"])
    for start in range(0, keyed.num_rows, _STATES_PER_WRITE):
        contents = rows.content_of_row[start : start + _STATES_PER_WRITE]
        distinct, places = np.unique(contents, return_inverse=True)
        yield keyed.slice(start, _STATES_PER_WRITE), [*states.read(distinct)[places]]


def _replaced(
    rows: pa.Table, values: Sequence[npt.NDArray[Any]], replaced: Replacement
) -> tuple[pa.Table, list[npt.NDArray[Any]]]:
    """Rows with other keys and other values, as many of each."""
    items, positions = rows["item_id"].to_pylist(), rows["position"].to_pylist()
    keys, given = [], []
    for item, position, one in zip(items, positions, values, strict=True):
        keys.append(replaced.key(item, position, len(one)))
        given.append(replaced.values(item, position, len(one), one.dtype))
    column = rows.schema.get_field_index("content_key")
    return rows.set_column(
        column, rows.schema.field(column), pa.array(keys, schemas.CONTENT_KEY)
    ), given


def _described(
    schema: pa.Schema, fingerprint: Fingerprint, libraries: Mapping[str, str]
) -> pa.Schema:
    return schema.with_metadata(
        {
            schemas.FINGERPRINT_KEY: fingerprint.to_json(),
            schemas.LIBRARIES_KEY: canonical_json(dict(libraries)),
        }
    )


def _embedding(values: npt.NDArray[Any], schema: pa.Schema) -> pa.FixedSizeListArray:
    kind = schema.field("embedding").type
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=kind)


def _describe(
    directory: Path, counts: Mapping[str, int], stores: list[str], knockout: Mapping[str, Any]
) -> None:
    # Beside the folder and in git: where the values of any commit's features are kept.
    told = {**counts, **knockout, "stores": stores}
    write_json(told, directory.with_name(f"{directory.name}.json"))


def _told(knockout: KnockoutParams | None, hit: Mapping[str, int] | None) -> dict[str, Any]:
    """What is said of a knock-out; nothing where there is none."""
    return {} if knockout is None else {"knockout": {**knockout.model_dump(), **(hit or {})}}
