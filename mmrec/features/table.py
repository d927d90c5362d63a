"""Feature files in, vectors of every item in memory out: rows of item i lie between two offsets."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from mmrec import schemas
from mmrec.io import DataError, PartWriter, check_schema, open_parquet, part_files

MAX_IN_MEMORY = 2 << 30
"""Bytes of a feature above which it is mapped from a file."""

_ROWS_AT_ONCE: Final = 512


@dataclass(frozen=True)
class FeatureTable:
    """Any number of vectors per item, none for padding and for an item without the modality.

    Of a feature of token states each row is a token, in the order of contents and tokens.
    """

    vectors: Tensor
    """[R, d] float16 or float32."""
    offsets: Tensor
    """[N + 1] int64, N items including padding: rows of item i are offsets[i]:offsets[i + 1]."""

    @property
    def dim(self) -> int:
        """Length of a vector; 0 for the empty feature."""
        return self.vectors.shape[1]

    @property
    def num_items(self) -> int:
        """Items including padding."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> Tensor:
        """[N] vectors per item."""
        return self.offsets.diff()

    def rows_of(self, item_indices: Tensor) -> tuple[Tensor, Tensor]:
        """Where the vectors of the items lie.

        Args:
            item_indices: any shape; read in flattened order, repeats allowed.

        Returns:
            row_index: [r] rows of `vectors`, item after item.
            segment: [r] for each row, the position of its item in the flattened indices.
        """
        flat = item_indices.reshape(-1)
        starts = self.offsets[flat]
        counts = self.offsets[flat + 1] - starts
        segment = torch.repeat_interleave(counts)
        begin = counts.cumsum(0) - counts
        within = torch.arange(len(segment), device=flat.device) - begin[segment]
        return starts[segment] + within, segment

    def shuffled(self, seed: int) -> FeatureTable:
        """The same features, each given to another item at random: a control experiment."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(self.num_items - 1, generator=generator) + 1
        givers = torch.cat([torch.zeros(1, dtype=torch.int64), order]).to(self.offsets.device)
        rows, _ = self.rows_of(givers)
        return FeatureTable(self.vectors[rows], _offsets(self.counts[givers]))


def load_feature_table(directory: Path, items: pa.Table) -> FeatureTable:
    """Read a feature and give each of its rows to the item it names.

    Features above `MAX_IN_MEMORY` bytes lie in a temporary file (folder: `TMPDIR`) that is
    mapped, so that the system drops and reads pages as it needs.

    Args:
        directory: folder of the feature's parts.
        items: columns item_id, item_index.

    Raises:
        DataError: the feature has an item that `items` has not, a row twice, parts of two
            extractors, or a vector that is null or not finite.
    """
    schema = _schema_of(directory)
    places, vectors = _read(directory, schema)
    item_index = _item_index(places["item_id"], items, directory)
    # The last key is the first to sort by.
    ranks = [places[name].to_numpy() for name in reversed(places.column_names[1:])]
    order = np.lexsort((*ranks, item_index))
    _refuse_repeats(places, [one[order] for one in (*ranks, item_index)], order, directory)
    if (np.diff(order) != 1).any():
        # With `clip` the rows go to `out` one by one; by default there would be a copy of all.
        vectors = np.take(vectors, order, 0, _room_for(vectors.shape, vectors.dtype), "clip")
    counts = np.bincount(item_index, minlength=items.num_rows + 1)
    return FeatureTable(torch.from_numpy(vectors), _offsets(torch.from_numpy(counts)))


def write_empty_feature(directory: Path) -> None:
    """Write the feature `none`: no rows, dimension 0."""
    with PartWriter(directory, schemas.features(0, pa.float16())):
        pass


def _offsets(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _schema_of(directory: Path) -> pa.Schema:
    if not directory.is_dir():
        raise DataError(f"{directory}: no such folder; run the stage that writes this feature")
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
    (kind, of_tokens, _), name = next(iter(found.items()))
    if not pa.types.is_fixed_size_list(kind):
        raise DataError(f"{directory / name}: embedding is {kind}, expected fixed-size lists")
    make = schemas.token_features if of_tokens else schemas.features
    return make(kind.list_size, kind.value_type)


def _item_index(ids: pa.ChunkedArray, items: pa.Table, directory: Path) -> npt.NDArray[np.int64]:
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


def _refuse_repeats(
    places: pa.Table, columns: list[npt.NDArray[Any]], order: npt.NDArray[Any], directory: Path
) -> None:
    """Refuse two neighbours, in order, that agree in all columns."""
    same = np.all([column[1:] == column[:-1] for column in columns], axis=0)
    repeated = np.flatnonzero(same)
    if repeated.size:
        row = places.slice(int(order[repeated[0]]), 1).to_pylist()[0]
        raise DataError(
            f"{directory}: {repeated.size} rows have the item and position of another (first: "
            f"{', '.join(f'{name} {value!r}' for name, value in row.items())}); embed again"
        )


def _read(directory: Path, schema: pa.Schema) -> tuple[pa.Table, npt.NDArray[Any]]:
    """Items and positions, and the vectors [R, d]; in memory once, and a batch more."""
    kind = schema.field("embedding").type
    ranks = [name for name in schema.names if name in ("item_id", "position", "token")]
    files = part_files(directory)
    num_rows = 0
    for path in files:
        with open_parquet(path) as file:
            num_rows += file.metadata.num_rows
    dtype = np.dtype(kind.value_type.to_pandas_dtype())
    vectors = _room_for((num_rows, kind.list_size), dtype)
    places, end = [schema.empty_table().select(ranks)], 0
    for path in files:
        with open_parquet(path) as file:
            check_schema(file.schema_arrow, schema, path)
            # Apart: what stays would keep the memory around it from being given back.
            keyed = pa.Table.from_batches(_batches(file, ranks, path), places[0].schema)
            begin = end
            for rows in _batches(file, ["embedding"], path):
                values = _values(rows["embedding"], path)
                finite = np.isfinite(values).all(1)
                if not finite.all():
                    item = keyed["item_id"][end - begin + int(np.argmin(finite))].as_py()
                    raise DataError(
                        f"{path}: item '{item}' has a vector that is not finite; embed again"
                    )
                vectors[end : end + len(values)] = values
                end += len(values)
            places.append(keyed)
    return pa.concat_tables(places), vectors


def _room_for(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    size = math.prod(shape) * dtype.itemsize
    if size <= MAX_IN_MEMORY:
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
