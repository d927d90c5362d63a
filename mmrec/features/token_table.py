"""Feature files of token states in, the packed tokens of any items out.

T tokens, C distinct contents, R rows (a content of an item), N items with padding, n items asked
for, d width of a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from mmrec.features.item_rows import ItemRows, offsets_of, rows_between
from mmrec.features.parts import (
    Parts,
    item_index_of,
    mapped,
    open_parts,
    read_places,
    read_values,
    refuse_repeats,
)
from mmrec.io import DataError


class PackedTokens(NamedTuple):
    """The tokens of some items, content after content, without padding."""

    values: Tensor
    """[t, d] as the feature keeps them: float16 or float32."""
    lengths: Tensor
    """[c] int64 tokens of each content, at least one."""
    counts: Tensor
    """[n] int64 contents of each item asked for, 0 where it has none; they are adjacent."""

    def of_items(self) -> Tensor:
        """[n] tokens of each item."""
        item_of_content = torch.repeat_interleave(self.counts)
        return torch.zeros_like(self.counts).index_add_(0, item_of_content, self.lengths)

    def means(self) -> Tensor:
        """[n, d] mean state of each item, in float32; none may be without tokens."""
        tokens = self.of_items()
        owners = torch.repeat_interleave(tokens)
        sums = torch.zeros(len(tokens), self.values.shape[1], device=owners.device)
        return sums.index_add_(0, owners, self.values.float()) / tokens.unsqueeze(1)

    def padded(self) -> tuple[Tensor, Tensor]:
        """States [c, P, d], zeros behind the end of each content, and their mask [c, P]."""
        longest = int(self.lengths.max()) if len(self.lengths) else 0
        places = torch.arange(longest, device=self.lengths.device)
        mask = places < self.lengths[:, None]
        states = self.values.new_zeros(*mask.shape, self.values.shape[1])
        states[mask] = self.values
        return states, mask


@dataclass(frozen=True)
class TokenTable(ItemRows):
    """The token states of every item's contents, several contents of one item apart.

    It stays on the host and belongs to no module: there may be more of it than memory.
    """

    values: Tensor
    """[T, d] mapped from a file; the states of equal contents are there once."""
    token_offsets: Tensor
    """[C + 1] int64: tokens of content c are token_offsets[c]:token_offsets[c + 1]."""
    contents: Tensor
    """[R] int64 the content of each row, in the order of items and positions."""
    offsets: Tensor
    """[N + 1] int64: rows of item i are offsets[i]:offsets[i + 1]."""
    digest: str
    """Of how the states came about and which item has which: stands for all values."""

    @property
    def dim(self) -> int:
        """Width of a state; 0 for the empty feature."""
        return self.values.shape[1]

    @cached_property
    def most_tokens(self) -> int:
        """Those of the item that has most."""
        tokens = self.token_offsets.diff()[self.contents]  # [R]
        before = offsets_of(tokens)[self.offsets]  # [N + 1]
        return int(before.diff().max()) if self.num_items else 0

    def gather(self, item_indices: Tensor) -> PackedTokens:
        """The tokens of some items, copied to where `item_indices` are.

        Args:
            item_indices: any shape, read in flattened order. Who asks for an item twice gets its
                tokens twice: a batch asks for its distinct items.
        """
        flat = item_indices.reshape(-1).cpu()
        counts = self.offsets[flat + 1] - self.offsets[flat]
        rows, _ = self.rows_of(flat)
        contents = self.contents[rows]
        starts = self.token_offsets[contents]
        lengths = self.token_offsets[contents + 1] - starts
        tokens, _ = rows_between(starts, lengths)
        device = item_indices.device
        values = self.values.index_select(0, tokens)  # values[tokens] takes twice as long or more
        return PackedTokens(values.to(device), lengths.to(device), counts.to(device))


def load_token_table(directory: Path, items: pa.Table) -> TokenTable:
    """Read a feature of token states and give each of its contents to the items that have it.

    The states lie in a temporary file (folder: `TMPDIR`) that is mapped, so that the system
    drops and reads pages as it needs.

    Args:
        directory: folder of the feature's parts.
        items: columns item_id, item_index.

    Raises:
        DataError: the feature is one of vectors, has an item that `items` has not, a content
            twice or with tokens out of order, parts of two extractors, or a state that is null or
            not finite.
    """
    parts = open_parts(directory, level="tokens")
    if not parts.dim:
        return _without_rows(items.num_rows + 1)
    tokens = read_places(parts, ["item_id", "position", "token", "content_key"])
    rows, lengths = _rows(tokens, directory)
    item_index = item_index_of(rows["item_id"], items, directory)
    position = rows["position"].to_numpy()
    # The last key is the first to sort by.
    order = np.lexsort((position, item_index))
    refuse_repeats(rows, [one[order] for one in (position, item_index)], order, directory)
    first_row, content_of_row = _distinct(rows, lengths, directory)
    counts = np.bincount(item_index, minlength=items.num_rows + 1)
    of_contents = (lengths[first_row], content_of_row[order], counts)
    keys = rows["content_key"].take(pa.array(first_row)).to_pylist()
    return TokenTable(
        torch.from_numpy(_read_once(parts, tokens["item_id"], lengths, first_row)),
        offsets_of(torch.from_numpy(of_contents[0])),
        torch.from_numpy(of_contents[1]),
        offsets_of(torch.from_numpy(of_contents[2])),
        _digest(parts.fingerprint, *keys, *(one.tobytes() for one in of_contents)),
    )


def _digest(*parts: bytes) -> str:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _without_rows(num_items: int) -> TokenTable:
    none = torch.zeros(0, dtype=torch.int64)
    offsets = torch.zeros(num_items + 1, dtype=torch.int64)
    return TokenTable(torch.zeros(0, 0), offsets_of(none), none, offsets, "none")


def _rows(tokens: pa.Table, directory: Path) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """The rows of an item's contents, and how many tokens each has.

    Raises:
        DataError: tokens are not 0, 1, 2, … of one content after another.
    """
    number = tokens["token"].to_numpy()
    starts = np.flatnonzero(number == 0)
    lengths = np.diff(np.append(starts, len(number)))
    rows = tokens.take(pa.array(starts))
    if len(number) and number[0] != 0:
        raise _disordered(tokens, 0, directory)
    row_of_token = np.repeat(np.arange(len(starts)), lengths)
    in_order = number == np.arange(len(number)) - starts[row_of_token]
    for name in ("item_id", "position", "content_key"):
        codes = tokens[name].combine_chunks().dictionary_encode().indices.to_numpy()
        in_order &= codes == codes[starts][row_of_token]
    if not in_order.all():
        raise _disordered(tokens, int(np.argmin(in_order)), directory)
    return rows, lengths


def _disordered(tokens: pa.Table, row: int, directory: Path) -> DataError:
    item, number = tokens["item_id"][row].as_py(), tokens["token"][row].as_py()
    return DataError(
        f"{directory}: found token {number} of item '{item}' in row {row:,}, where another one "
        "belongs: tokens of a content are numbered from 0 without gaps; embed again"
    )


def _distinct(
    rows: pa.Table, lengths: npt.NDArray[np.int64], directory: Path
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first row of each distinct content, in the order of rows, and the content of each row.

    Raises:
        DataError: equal contents have different numbers of tokens.
    """
    keys = np.frombuffer(b"".join(rows["content_key"].to_pylist()), "S16")
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    # From the order of keys to that of rows, in which values are read.
    first_row = np.sort(first)
    content_of_row = np.searchsorted(first_row, first[inverse])
    differing = np.flatnonzero(lengths != lengths[first_row[content_of_row]])
    if differing.size:
        item = rows["item_id"][int(differing[0])].as_py()
        raise DataError(
            f"{directory}: a content of item '{item}' has {lengths[differing[0]]} tokens here and "
            f"{lengths[first_row[content_of_row[differing[0]]]]} elsewhere; embed again"
        )
    return first_row, content_of_row


def _read_once(
    parts: Parts,
    item_ids: pa.ChunkedArray,
    lengths: npt.NDArray[np.int64],
    first_row: npt.NDArray[np.int64],
) -> npt.NDArray[Any]:
    """[T, d] states of the distinct contents, in the order of their first rows."""
    is_first = np.zeros(len(lengths), bool)
    is_first[first_row] = True
    wanted = np.repeat(is_first, lengths)
    values = mapped((int(wanted.sum()), parts.dim), parts.dtype)
    begin = end = 0
    for found in read_values(parts, item_ids):
        kept = found[wanted[begin : begin + len(found)]]
        values[end : end + len(kept)] = kept
        begin += len(found)
        end += len(kept)
    return values
