"""How values lie in a segment beside their keys: one vector a content, or the states of its tokens.

n contents, d width, P tokens of a content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec import schemas
from mmrec.params.features import Level

ValueArray: TypeAlias = npt.NDArray[Any]
"""[n, d] float16 or float32 of vectors; of token states [n] objects, each [P, d]."""

_KEY = pa.field("key", schemas.CONTENT_KEY, nullable=False)


class Layout(Protocol):
    """What a segment of one kind of values looks like."""

    segment_rows: ClassVar[int]
    """Contents of a segment that is large."""
    row_group: ClassVar[int]
    """Contents that are written, and so read, together."""

    @property
    def schema(self) -> pa.Schema:
        """Keys and values, never null."""
        ...

    def empty(self, num_contents: int) -> ValueArray:
        """Room for the values of so many contents."""
        ...

    def to_columns(self, values: ValueArray) -> list[pa.Array]:
        """The columns beside the key."""
        ...

    def from_columns(self, table: pa.Table) -> ValueArray:
        """Values of the rows of a table.

        Raises:
            ValueError: the columns contradict each other.
        """
        ...

    def usable(self, values: ValueArray) -> npt.NDArray[np.bool_]:
        """[n] whether all numbers of a content are finite."""
        ...


@dataclass(frozen=True)
class VectorLayout:
    """A vector per content."""

    dim: int
    precision: str
    segment_rows: ClassVar[int] = 65_536
    row_group: ClassVar[int] = 4_096

    @property
    def schema(self) -> pa.Schema:
        """Keys and vectors."""
        kind = schemas.vector(self.dim, pa.from_numpy_dtype(np.dtype(self.precision)))
        return pa.schema([_KEY, pa.field("embedding", kind, nullable=False)])

    def empty(self, num_contents: int) -> ValueArray:
        """Room for [n, d]."""
        return np.empty((num_contents, self.dim), self.precision)

    def to_columns(self, values: ValueArray) -> list[pa.Array]:
        """One fixed-size list per content."""
        flat = pa.array(values.reshape(-1))
        return [pa.FixedSizeListArray.from_arrays(flat, type=self.schema.field("embedding").type)]

    def from_columns(self, table: pa.Table) -> ValueArray:
        """[n, d]."""
        flat = table["embedding"].combine_chunks().values.to_numpy(zero_copy_only=False)
        vectors: ValueArray = flat.reshape(-1, self.dim)
        return vectors

    def usable(self, values: ValueArray) -> npt.NDArray[np.bool_]:
        """[n]."""
        finite: npt.NDArray[np.bool_] = np.asarray(np.isfinite(values).all(1))
        return finite


@dataclass(frozen=True)
class TokenLayout:
    """The states of any number of tokens per content, as one run of bytes each."""

    dim: int
    precision: str
    segment_rows: ClassVar[int] = 1_024
    row_group: ClassVar[int] = 4
    """States are large and asked for in another order than they were encoded in."""

    @property
    def schema(self) -> pa.Schema:
        """Keys, numbers of tokens, and states row by row."""
        return pa.schema(
            [
                _KEY,
                pa.field("length", pa.int32(), nullable=False),
                pa.field("states", pa.large_binary(), nullable=False),
            ]
        )

    def empty(self, num_contents: int) -> ValueArray:
        """Room for n arrays."""
        return np.empty(num_contents, object)

    def to_columns(self, values: ValueArray) -> list[pa.Array]:
        """Lengths and bytes."""
        lengths = pa.array([len(states) for states in values], pa.int32())
        blobs = [np.ascontiguousarray(states, self.precision).tobytes() for states in values]
        return [lengths, pa.array(blobs, pa.large_binary())]

    def from_columns(self, table: pa.Table) -> ValueArray:
        """[n] arrays [P, d], views of the bytes.

        Raises:
            ValueError: a run of bytes is not of the length that is said.
        """
        values = self.empty(table.num_rows)
        lengths = table["length"].to_pylist()
        for row, (length, blob) in enumerate(zip(lengths, table["states"], strict=True)):
            flat = np.frombuffer(blob.as_buffer(), self.precision)
            if flat.size != length * self.dim:
                raise ValueError(
                    f"row {row}: {flat.size} numbers, expected {length} tokens of {self.dim}"
                )
            values[row] = flat.reshape(length, self.dim)
        return values

    def usable(self, values: ValueArray) -> npt.NDArray[np.bool_]:
        """[n]."""
        return np.array([np.isfinite(states).all() for states in values], bool)


def layout_of(level: Level, dim: int, precision: str) -> Layout:
    """The layout of what extractors of a level give."""
    return VectorLayout(dim, precision) if level == "vectors" else TokenLayout(dim, precision)


def level_in(schema: pa.Schema) -> Level:
    """Which layout a segment has."""
    return "vectors" if "embedding" in schema.names else "tokens"
