"""Values of distinct contents in, the feature's rows by item and position on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.features.cache.store import store_name
from mmrec.features.contract import Fingerprint, canonical_json
from mmrec.io import write_json
from mmrec.part_writer import PartWriter

if TYPE_CHECKING:
    import numpy.typing as npt

    from mmrec.features.encode.distinct import DistinctRows
    from mmrec.features.encode.token_states import CachedStates
    from mmrec.features.encode.vectors import Vectors

_ROWS_PER_WRITE: Final = 16_384
_STATES_PER_WRITE: Final = 256
"""Rows whose states are held at once."""


def write_vectors(vectors: Vectors, rows: DistinctRows, directory: Path) -> dict[str, int]:
    """Write a vector per row; counts rows, contents and what was encoded."""
    fingerprint = vectors.fingerprint
    schema = schemas.features(fingerprint.dim, pa.from_numpy_dtype(vectors.values.dtype))
    schema = _described(schema, fingerprint, vectors.libraries)
    keyed = rows.table.select(["item_id", "position", "content_key"])
    with PartWriter(directory, schema) as writer:
        for start in range(0, keyed.num_rows, _ROWS_PER_WRITE):
            chosen = vectors.values[rows.content_of_row[start : start + _ROWS_PER_WRITE]]
            part = keyed.slice(start, _ROWS_PER_WRITE)
            writer.write(part.append_column("embedding", _embedding(chosen, schema)))
    # Pictures are kept as float32 for keywords, too, and features are rounded from there.
    stores = [store_name(fingerprint.kept_as(name)) for name in ("float16", "float32")]
    counts = {"rows": keyed.num_rows, "contents": len(rows.keys), "dim": fingerprint.dim}
    _describe(directory, counts, stores)
    return {**counts, "repeats": keyed.num_rows - len(rows.keys), "encoded": vectors.num_encoded}


def write_token_states(
    states: CachedStates[Any, Any], rows: DistinctRows, directory: Path, *, num_encoded: int
) -> dict[str, int]:
    """Write a row per token, with the number of the token within its content."""
    fingerprint = states.fingerprint
    value = pa.from_numpy_dtype(np.dtype(fingerprint.precision))
    schema = schemas.token_features(fingerprint.dim, value)
    schema = _described(schema, fingerprint, states.libraries)
    keyed = rows.table.select(["item_id", "position", "content_key"])
    num_tokens = 0
    with PartWriter(directory, schema) as writer:
        for start in range(0, keyed.num_rows, _STATES_PER_WRITE):
            contents = rows.content_of_row[start : start + _STATES_PER_WRITE]
            distinct, places = np.unique(contents, return_inverse=True)
            of_row = states.read(distinct)[places]
            lengths = np.array([len(one) for one in of_row], np.int64)
            repeated = np.repeat(np.arange(len(of_row)), lengths)
            token = np.arange(len(repeated)) - (lengths.cumsum() - lengths)[repeated]
            part = keyed.slice(start, _STATES_PER_WRITE).take(pa.array(repeated))
            part = part.append_column("token", pa.array(token, pa.int32()))
            joined = np.concatenate(of_row)
            writer.write(part.append_column("embedding", _embedding(joined, schema)))
            num_tokens += len(joined)
    counts = {
        "rows": keyed.num_rows,
        "contents": len(rows.keys),
        "tokens": num_tokens,
        "dim": fingerprint.dim,
    }
    _describe(directory, counts, [store_name(fingerprint)])
    return {**counts, "repeats": keyed.num_rows - len(rows.keys), "encoded": num_encoded}


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


def _describe(directory: Path, counts: Mapping[str, int], stores: list[str]) -> None:
    # Beside the folder and in git: where the values of any commit's features are kept.
    write_json({**counts, "stores": stores}, directory.with_name(f"{directory.name}.json"))
