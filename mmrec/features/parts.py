"""The Parquet files of a feature in: what its rows are of, and their values batch by batch."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mmrec import schemas
from mmrec.io import DataError, check_schema, open_parquet, part_files
from mmrec.params.features import Level, StoredLevel

_ROWS_AT_ONCE: Final = 512
_WHERE_TO_LOOK: Final[dict[Level, str]] = {
    "vectors": (
        "found the states of tokens, expected one vector per content; name a feature of an "
        "extractor of vectors, or a model that reads tokens"
    ),
    "tokens": (
        "found one vector per content, expected the states of its tokens; name a feature of an "
        "extractor of tokens (transformer_text_tokens, say), or a model that reads vectors"
    ),
}
"""What is said to whoever expects it and finds the other."""
_AN_EXTRACTOR: Final = (
    "expected vectors or token states; name a feature of an extractor, or a model that reads words"
)


class Parts(NamedTuple):
    """Where a feature lies, and what its files say of themselves."""

    directory: Path
    schema: pa.Schema
    fingerprint: bytes
    """JSON; empty where nothing was encoded."""

    @property
    def dim(self) -> int:
        """Length of a value; 0 of the feature without rows."""
        return int(self.schema.field("embedding").type.list_size)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        kind = self.schema.field("embedding").type.value_type
        dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
        return dtype


def level_of_files(directory: Path) -> StoredLevel:
    """Whether a feature is of vectors, of token states or of words; one without rows is of vectors.

    Raises:
        DataError: there are no files, or they are of two extractors.
    """
    if _has_words(directory):
        return "words"
    return "tokens" if "token" in open_parts(directory, level=None).schema.names else "vectors"


def open_parts(directory: Path, *, level: Level | None) -> Parts:
    """What the files of a feature are; the feature without rows is of either level.

    Args:
        directory: its folder.
        level: what it must be; None for either.

    Raises:
        DataError: there are none, they are of two extractors, or of the other level.
    """
    if _has_words(directory):
        raise DataError(f"{directory}: found the words of items; {_AN_EXTRACTOR}")
    found: dict[tuple[pa.DataType, bool, bytes], str] = {}
    for path in part_files(directory):
        with open_parquet(path) as file:
            schema = file.schema_arrow
        if "embedding" not in schema.names:
            raise DataError(f"{path}: no column 'embedding', found {schema.names}; embed again")
        metadata = schema.metadata or {}
        kind = schema.field("embedding").type
        fingerprint = metadata.get(schemas.FINGERPRINT_KEY, b"")
        found.setdefault((kind, "token" in schema.names, fingerprint), path.name)
    if len(found) != 1:
        raise DataError(
            f"{directory}: expected the parts of one extractor, found {len(found)} "
            f"({', '.join(found.values()) or 'no part-*.parquet'}); run its embed stage again"
        )
    (kind, of_tokens, fingerprint), name = next(iter(found.items()))
    if not pa.types.is_fixed_size_list(kind):
        raise DataError(f"{directory / name}: embedding is {kind}, expected fixed-size lists")
    if level and kind.list_size and of_tokens != (level == "tokens"):
        raise DataError(f"{directory}: {_WHERE_TO_LOOK[level]}")
    make = schemas.token_features if of_tokens else schemas.features
    return Parts(directory, make(kind.list_size, kind.value_type), fingerprint)


def _has_words(directory: Path) -> bool:
    if not directory.is_dir():
        raise DataError(f"{directory}: no such folder; run the stage that writes this feature")
    files = part_files(directory)
    if not files:
        return False
    with open_parquet(files[0]) as file:
        return "words" in file.schema_arrow.names


def read_places(parts: Parts, columns: list[str]) -> pa.Table:
    """What the rows are of, in their order: these columns of all files."""
    found = [parts.schema.empty_table().select(columns)]
    for path in part_files(parts.directory):
        with open_parquet(path) as file:
            check_schema(file.schema_arrow, parts.schema, path)
            found.append(pa.Table.from_batches(_batches(file, columns, path), found[0].schema))
    return pa.concat_tables(found)


def read_values(parts: Parts, item_ids: pa.ChunkedArray) -> Iterator[npt.NDArray[Any]]:
    """Values [n, d] of some rows after others, few at a time; `item_ids` are those of all rows.

    Raises:
        DataError: a value is null or not finite; names its item.
    """
    begin = 0
    for path in part_files(parts.directory):
        with open_parquet(path) as file:
            for rows in _batches(file, ["embedding"], path):
                values = _values(rows["embedding"], path)
                finite = np.isfinite(values).all(1)
                if not finite.all():
                    item = item_ids[begin + int(np.argmin(finite))].as_py()
                    raise DataError(
                        f"{path}: item '{item}' has a vector that is not finite; embed again"
                    )
                yield values
                begin += len(values)


def item_index_of(ids: pa.ChunkedArray, items: pa.Table, directory: Path) -> npt.NDArray[np.int64]:
    """The `item_index` of each of `ids`.

    Raises:
        DataError: `items` has not all of them, or is not a catalogue.
    """
    known = items["item_id"].combine_chunks()
    if pc.count_distinct(known).as_py() != len(known):
        raise DataError("items: an item_id is there twice; run the clean stage again")
    index = items["item_index"].to_numpy()
    if not (np.sort(index) == np.arange(1, len(index) + 1)).all():
        raise DataError(f"items: item_index is not 1..{len(index)}; run the clean stage again")
    found = pc.index_in(ids, value_set=known)
    if found.null_count:
        unknown = pc.unique(ids.filter(found.is_null()))
        raise DataError(
            f"{directory}: {len(unknown)} items are not in the catalogue (first: "
            f"'{unknown[0].as_py()}'); run the embed stage of this feature again"
        )
    chosen: npt.NDArray[np.int64] = index[found.to_numpy()].astype(np.int64)
    return chosen


def refuse_repeats(
    places: pa.Table, columns: list[npt.NDArray[Any]], order: npt.NDArray[Any], directory: Path
) -> None:
    """Refuse two neighbours, in order, that agree in all columns.

    Raises:
        DataError: there are some; names the first.
    """
    same = np.all([column[1:] == column[:-1] for column in columns], axis=0)
    repeated = np.flatnonzero(same)
    if repeated.size:
        row = places.slice(int(order[repeated[0]]), 1).to_pylist()[0]
        raise DataError(
            f"{directory}: {repeated.size} rows have the item and position of another (first: "
            f"{', '.join(f'{name} {value!r}' for name, value in row.items())}); embed again"
        )


def mapped(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array in a temporary file (folder: `TMPDIR`) of no name, which goes when the array does.

    Raises:
        DataError: the disk has no room for it.
    """
    size = math.prod(shape) * dtype.itemsize
    if not size:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        try:
            # Writing to pages that the disk has no room for would kill the process.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise DataError(
                f"{tempfile.gettempdir()}: no room for {size:,} bytes of features ({error}); "
                "set TMPDIR to a folder on a larger disk"
            ) from None
        return np.memmap(file, dtype, "r+", shape=shape)


def _batches(file: pq.ParquetFile, columns: list[str], path: Path) -> Iterator[pa.RecordBatch]:
    """Rows in their order, so few at a time that what decoding needs besides them stays small."""
    try:
        yield from file.iter_batches(_ROWS_AT_ONCE, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: damaged ({error}); delete it and embed again") from None


def _values(column: pa.FixedSizeListArray, path: Path) -> npt.NDArray[Any]:
    # Flattening would drop null rows and shift all later ones.
    if column.null_count or column.values.null_count:
        raise DataError(f"{path}: an embedding is null; embed again")
    values = column.values.to_numpy(zero_copy_only=False)
    vectors: npt.NDArray[Any] = values.reshape(len(column), column.type.list_size)
    return vectors
