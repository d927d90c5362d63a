"""What trains, validates and tests: sequences with their borders in, samples out.

Where the borders lie, cleaning has decided (`mmrec.data.splitting`): by leaving one out of each
user, or by time; here it makes no difference.

What does not leak: the test and validation targets of a user are in no training sample
of that user, and training counts and cold flags come from training parts alone.
What does: by leave-one-out, other users' training interactions may be later than a user's test
interaction (`later_training_share` in clean/summary.json); by time, none is. Either way,
validation items are part of the history at test time (they are known by then), as is every
item before the target; and which users and items exist at all was decided on all interactions.
Texts and pictures of all items are known to the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from mmrec.data.borders import Borders
from mmrec.data.histories import Histories
from mmrec.data.sequences import Sequences, offsets_of


@dataclass(frozen=True)
class HeldOut:
    """Histories and, for each row, the item that came next.

    Attributes:
        histories: R rows, each with at least one item.
        targets: int64 [R].
    """

    histories: Histories
    targets: Tensor

    @property
    def digest(self) -> str:
        """Changes with users, their histories and targets; with no item that comes after those."""
        rows = self.histories
        digest = blake2b(digest_size=16)
        for tensor in (rows.users, rows.lengths, rows.flat(), self.targets):
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()


def training_part(sequences: Sequences) -> Sequences:
    """What may be trained on: of each user, what comes before the end of the training part.

    Users keep their index; nobody is left out.

    >>> training_part(Sequences.from_lists([[5, 6, 7, 8], [1, 2]])).of(0)
    [5, 6]
    """
    if sequences.borders is None:
        return sequences
    lengths = sequences.borders.training_end
    user = torch.repeat_interleave(torch.arange(sequences.num_users), sequences.lengths)
    position = torch.arange(len(sequences.items)) - sequences.offsets[user]
    return Sequences(sequences.items[position < lengths[user]], offsets_of(lengths))


def hold_out_validation(sequences: Sequences) -> HeldOut:
    """Validation targets, each after the items before it; a user may have several."""
    return _held_out(sequences, "validation")


def hold_out_test(sequences: Sequences) -> HeldOut:
    """Test targets, each after all items before it, validation targets included."""
    return _held_out(sequences, "test")


def held_out_cold_positions(sequences: Sequences, is_cold: Tensor) -> HeldOut:
    """Positions behind the training part with a cold item, each after all items before it.

    >>> sequences = Sequences.from_lists([[1, 2, 1, 3, 1]])
    >>> held_out_cold_positions(sequences, torch.tensor([0, 1, 0, 1]).bool()).targets.tolist()
    [3, 1]

    Args:
        sequences: whole ones.
        is_cold: bool [N], by item index.
    """
    end = _borders(sequences).training_end
    return _cold_positions(sequences, is_cold, first=end.clamp(min=1))


def all_cold_positions(sequences: Sequences, is_cold: Tensor) -> HeldOut:
    """All positions with a cold item but first ones, which nothing comes before.

    Training positions are among them: what is trained on them has seen these very pairs.

    >>> sequences = Sequences.from_lists([[1, 2, 1, 3, 1]])
    >>> all_cold_positions(sequences, torch.tensor([0, 1, 0, 1]).bool()).targets.tolist()
    [1, 3, 1]

    Args:
        sequences: whole ones.
        is_cold: bool [N], by item index.
    """
    return _cold_positions(sequences, is_cold, first=torch.ones_like(sequences.lengths))


def draw_held_out(held_out: HeldOut, num_rows: int | None, *, seed: int) -> HeldOut:
    """At most `num_rows` of the rows, in their order; which ones, `seed` decides. None is all."""
    found = held_out.histories
    if num_rows is None or num_rows >= found.num_rows:
        return held_out
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(found.num_rows, generator=generator)[:num_rows].sort().values
    histories = Histories(found.items, found.users[rows], found.starts[rows], found.lengths[rows])
    return HeldOut(histories, held_out.targets[rows])


def full_histories(sequences: Sequences) -> Histories:
    """Everything each user did, for recommending what comes next; one row per user."""
    users = torch.arange(sequences.num_users)
    return Histories(sequences.items, users, sequences.offsets[:-1], sequences.lengths)


def warm_only(sequences: Sequences, is_cold: Tensor) -> Sequences:
    """Sequences without cold items: MP4SR's pre-training for the cold-start protocol.

    Cold items vanish from histories, and with them the samples that had one as target.

    Args:
        sequences: the training part.
        is_cold: bool [N], by item index.
    """
    kept, moved = _delete(sequences.items, is_cold)
    return Sequences(kept, moved[sequences.offsets])


def warm_only_held_out(held_out: HeldOut, is_cold: Tensor) -> HeldOut:
    """Warm targets after histories without cold items; rows left without history go."""
    old = held_out.histories
    items, moved = _delete(old.items, is_cold)
    starts = moved[old.starts]
    lengths = moved[old.starts + old.lengths] - starts
    keep = ~is_cold[held_out.targets] & (lengths > 0)
    histories = Histories(items, old.users[keep], starts[keep], lengths[keep])
    return HeldOut(histories, held_out.targets[keep])


def _borders(sequences: Sequences) -> Borders[Tensor]:
    if sequences.borders is None:
        raise ValueError("nothing is held out of these sequences; take whole ones")
    return sequences.borders


def _held_out(sequences: Sequences, part: Literal["validation", "test"]) -> HeldOut:
    borders = _borders(sequences)
    start, end = (
        (borders.validation_start, borders.validation_end)
        if part == "validation"
        else (borders.test_start, borders.test_end)
    )
    users = torch.repeat_interleave(torch.arange(sequences.num_users), end - start)  # [R]
    number = torch.arange(len(users)) - ((end - start).cumsum(0) - (end - start))[users]
    starts, lengths = sequences.offsets[users], start[users] + number
    targets = sequences.items[starts + lengths].long()
    return HeldOut(Histories(sequences.items, users, starts, lengths), targets)


def _cold_positions(sequences: Sequences, is_cold: Tensor, *, first: Tensor) -> HeldOut:
    """Positions with a cold item, from `first` [U] of each user on; as many rows per user."""
    user = torch.repeat_interleave(torch.arange(sequences.num_users), sequences.lengths)  # [T]
    position = torch.arange(len(sequences.items)) - sequences.offsets[user]
    found = is_cold[sequences.items.long()] & (position >= first[user])
    users = user[found]
    histories = Histories(sequences.items, users, sequences.offsets[users], position[found])
    return HeldOut(histories, sequences.items[found].long())


def _delete(items: Tensor, is_cold: Tensor) -> tuple[Tensor, Tensor]:
    """Items that stay, and for each old border (int64 [T + 1]) where it is now."""
    keep = ~is_cold[items.long()]
    return items[keep], offsets_of(keep.long())
