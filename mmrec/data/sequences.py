"""Interaction sequences in memory: one flat array of item indices, cut up by offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from mmrec.data.borders import Borders, leave_one_out
from mmrec.io import DataError


@dataclass(frozen=True)
class Sequences:
    """Sequence of user u, oldest first: `items[offsets[u] : offsets[u + 1]]`.

    Attributes:
        items: int32 [T], item indices from 1 on; 0 never occurs.
        offsets: int64 [U + 1], ascending from 0 to T.
        borders: where in them training, validation and test lie, int64 [U] each; None where
            nothing is held out, as of what is trained on.
    """

    items: Tensor
    offsets: Tensor
    borders: Borders[Tensor] | None = None

    @classmethod
    def from_lists(cls, lists: Sequence[Sequence[int]]) -> Sequences:
        """Sequences of users 0, 1, … given as lists, split by leave-one-out."""
        lengths = torch.tensor([len(items) for items in lists], dtype=torch.int64)
        items = torch.tensor(list(chain.from_iterable(lists)), dtype=torch.int32)
        return cls(items, offsets_of(lengths)).leaving_one_out()

    @classmethod
    def from_table(cls, table: pa.Table) -> Sequences:
        """Sequences of a `CLEAN_SEQUENCES` table.

        Raises:
            DataError: rows are not users 0, 1, … in order, an item index is below 1, or borders
                do not go with the items.
        """
        users = _numpy(table.column("user_index"))
        wrong = np.flatnonzero(users != np.arange(len(users)))
        if len(wrong):
            raise DataError(
                f"sequences: row {wrong[0]} has user_index {users[wrong[0]]}, expected "
                f"{wrong[0]} (one row per user, in order); run the clean stage again"
            )
        lists = table.column("items").combine_chunks()
        lengths = torch.from_numpy(_numpy(lists.value_lengths()).astype(np.int64))
        items = _numpy(lists.flatten()).astype(np.int32)
        if len(items) and items.min() < 1:
            raise DataError(
                f"sequences: item index {items.min()} found, expected 1 or more "
                "(0 is padding); run the clean stage again"
            )
        return cls(torch.from_numpy(items), offsets_of(lengths), _borders(table, lengths))

    def leaving_one_out(self) -> Sequences:
        """The same with a user's last item for the test, and the one before it for validation."""
        borders = leave_one_out(self.lengths.cpu().numpy())
        return replace(self, borders=Borders(*map(torch.from_numpy, borders)))

    def to(self, device: torch.device) -> Sequences:
        """The same sequences on another device."""
        borders = self.borders and Borders(*(border.to(device) for border in self.borders))
        return Sequences(self.items.to(device), self.offsets.to(device), borders)

    @property
    def num_users(self) -> int:
        """U."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """Number of interactions of every user, int64 [U]."""
        return self.offsets.diff()

    def of(self, user_index: int) -> list[int]:
        """Items of one user, oldest first."""
        start, end = self.offsets[user_index : user_index + 2].tolist()
        found: list[int] = self.items[start:end].tolist()
        return found


def offsets_of(lengths: Tensor) -> Tensor:
    """Offsets int64 [U + 1] of consecutive slices with `lengths` int64 [U]."""
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def _borders(table: pa.Table, lengths: Tensor) -> Borders[Tensor]:
    columns = (_numpy(table.column(name)).astype(np.int64) for name in Borders._fields)
    borders = Borders(*map(torch.from_numpy, columns))
    for start, end in pairwise((torch.zeros_like(lengths), *borders, lengths)):
        wrong = (start > end).nonzero().squeeze(1)
        if len(wrong):
            user = int(wrong[0])
            found = ", ".join(f"{n} {int(b[user])}" for n, b in borders._asdict().items())
            raise DataError(
                f"sequences: row {user} has {found} and {int(lengths[user])} items, expected what "
                "ascends up to their number; run the clean stage again"
            )
    return borders


def _numpy(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    # Arrow's memory is read-only, which torch refuses to share without a warning.
    return np.array(values.to_numpy(zero_copy_only=False))
