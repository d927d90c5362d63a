"""Contents in, feature rows out: every distinct content is encoded once."""

from __future__ import annotations

import logging
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.features.cache.place import FeatureCache
from mmrec.features.cache.store import store_name
from mmrec.features.canonical import IntArray
from mmrec.features.encode import Vectors, cached_vectors
from mmrec.features.executor import LOCAL, Executor
from mmrec.features.extractor import canonical_json
from mmrec.features.raw_pictures import decoded, raw_pictures
from mmrec.io import DataError, PartWriter, sentence_key, write_json

if TYPE_CHECKING:
    from mmrec.features.extractor import ImageExtractor, TextExtractor

T = TypeVar("T")

logger = logging.getLogger(__name__)

_ROWS_PER_WRITE: Final = 16_384
_PRECISIONS: Final = {"float16": pa.float16(), "float32": pa.float32()}


@dataclass(frozen=True)
class DistinctRows:
    """Rows by item and position, and the distinct contents behind them."""

    table: pa.Table
    """As given, in ascending order of item_id, position."""
    keys: list[bytes]
    """Distinct content keys, ascending."""
    first_row: IntArray
    """A row of each distinct content."""
    content_of_row: IntArray
    """Index into `keys` of each row."""

    def item_of(self, content: int) -> str:
        """The first item that has the content."""
        return str(self.table["item_id"][int(self.first_row[content])].as_py())


def embed_sentences(
    sentences: pa.Table,
    extractor: TextExtractor,
    directory: Path,
    *,
    precision: str,
    cache: FeatureCache | None = None,
    executor: Executor = LOCAL,
) -> dict[str, int]:
    """Write a vector per sentence to `directory`; counts rows, contents and what was encoded.

    Args:
        sentences: columns item_id, position, sentence; others are not read.
        extractor: what encodes them.
        directory: folder of the feature.
        precision: "float16" or "float32".
        cache: where vectors are looked for and kept.
        executor: who encodes.

    Raises:
        DataError: a row is there twice, or a vector is not usable; names extractor and item.
    """
    keys = [sentence_key(text) for text in sentences["sentence"].to_pylist()]
    table = sentences.select(["item_id", "position", "sentence"])
    rows = distinct_rows(table.append_column("content_key", pa.array(keys, schemas.CONTENT_KEY)))
    texts = rows.table["sentence"].take(pa.array(rows.first_row)).to_pylist()
    # The key is that of the canonical form, so that form is what is encoded.
    contents = [unicodedata.normalize("NFC", text) for text in texts]
    vectors = cached_vectors(
        rows.keys,
        lambda places: (contents[place] for place in places),
        extractor,
        cache,
        precision=precision,
        unit="sentences",
        item_of=rows.item_of,
        # Of like length together: what is padded is computed for nothing.
        order=np.argsort([len(text) for text in contents], kind="stable"),
        executor=executor,
    )
    return _write(vectors, rows, directory)


def embed_images(
    images: pa.Table,
    raw_images: RawImages,
    extractor: ImageExtractor,
    directory: Path,
    *,
    precision: str,
    cache: FeatureCache | None = None,
    executor: Executor = LOCAL,
) -> dict[str, int]:
    """Write a vector per picture to `directory`; counts rows, contents and what was encoded.

    Args:
        images: columns item_id, position, content_key.
        raw_images: the bytes behind the content keys; few pictures are decoded at a time.
        extractor: what encodes them.
        directory: folder of the feature.
        precision: "float16" or "float32".
        cache: where vectors are looked for and kept.
        executor: who encodes.

    Raises:
        DataError: a picture is missing or does not decode, a row is there twice, or a vector is
            not usable; names the item.
    """
    rows = distinct_rows(images.select(["item_id", "position", "content_key"]))
    vectors = image_vectors(
        rows, raw_images, extractor, cache, precision=precision, executor=executor
    )
    return _write(vectors, rows, directory)


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


def distinct_rows(table: pa.Table) -> DistinctRows:
    """Sort rows by item_id, position and find the distinct values of their content_key.

    Raises:
        DataError: two rows have the same item_id and position.
    """
    table = table.sort_by([("item_id", "ascending"), ("position", "ascending")]).combine_chunks()
    items, positions = table["item_id"].to_numpy(), table["position"].to_numpy()
    repeated = np.flatnonzero((items[1:] == items[:-1]) & (positions[1:] == positions[:-1]))
    if repeated.size:
        row = int(repeated[0])
        raise DataError(
            f"{repeated.size} rows have the item_id and position of another (first: "
            f"'{items[row]}', {positions[row]}); run the clean stage again"
        )
    raw = b"".join(table["content_key"].to_pylist())
    unique, first_row, content_of_row = np.unique(
        np.frombuffer(raw, dtype="S16"), return_index=True, return_inverse=True
    )
    joined = unique.tobytes()
    keys = [joined[i : i + 16] for i in range(0, len(joined), 16)]
    return DistinctRows(table, keys, first_row, content_of_row)


def _write(vectors: Vectors, rows: DistinctRows, directory: Path) -> dict[str, int]:
    fingerprint, dim = vectors.fingerprint, vectors.fingerprint.dim
    schema = schemas.features(dim, pa.from_numpy_dtype(vectors.values.dtype)).with_metadata(
        {
            schemas.FINGERPRINT_KEY: fingerprint.to_json(),
            schemas.LIBRARIES_KEY: canonical_json(dict(vectors.libraries)),
        }
    )
    keyed = rows.table.select(["item_id", "position", "content_key"])
    with PartWriter(directory, schema) as writer:
        for start in range(0, keyed.num_rows, _ROWS_PER_WRITE):
            chosen = vectors.values[rows.content_of_row[start : start + _ROWS_PER_WRITE]]
            embedding = pa.FixedSizeListArray.from_arrays(
                pa.array(chosen.reshape(-1)), type=schema.field("embedding").type
            )
            part = keyed.slice(start, _ROWS_PER_WRITE).append_column("embedding", embedding)
            writer.write(part)
    num_rows, num_contents = keyed.num_rows, len(rows.keys)
    # Beside the folder and in git: where the vectors of any commit's features are kept.
    described = {
        "rows": num_rows,
        "contents": num_contents,
        "dim": dim,
        # Pictures are kept as float32 for keywords, too, and features are rounded from there.
        "stores": [store_name(fingerprint.kept_as(name)) for name in ("float16", "float32")],
    }
    write_json(described, directory.with_name(f"{directory.name}.json"))
    return {
        "rows": num_rows,
        "contents": num_contents,
        "repeats": num_rows - num_contents,
        "encoded": vectors.num_encoded,
        "dim": dim,
    }
