"""Lists of several runs for some users, to compare: lists by item index in, cards out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from mmrec.report.cards import ItemCard, cards_of_indices
from mmrec.report.run_lists import RunLists, UserList
from mmrec.report.thumbnails import Thumbnails


class Line(NamedTuple):
    """A run, in the table of a user.

    Attributes:
        rank: Of the held-out item; None where the evaluation leaves the user out.
        is_hit: Whether the held-out item is on the list.
        shared: Items that are on both lists; None where there are not two.
        length: Of the longer of the two.
    """

    run: str
    rank: int | None
    is_hit: bool
    shared: int | None
    length: int


@dataclass(frozen=True)
class ShownLists:
    """Lists of all runs for some users.

    Attributes:
        length: Of the longest list.
        cards: Of all items on them, and of the held-out ones, by item index.
        of_users: By user id, a list for each run; None where the evaluation has none.
    """

    runs: Sequence[str]
    length: int
    cards: Mapping[int, ItemCard]
    of_users: Mapping[str, Sequence[UserList | None]]

    def pair(self, run: str) -> tuple[str, str]:
        """The two runs that stand side by side at first: this one, and the first of the others."""
        return run, next((other for other in self.runs if other != run), run)

    def lines(self, user_id: str, reference: str) -> list[Line]:
        """What each run makes of a user, with what its list shares with that of the reference."""
        own = dict(zip(self.runs, self.of_users[user_id], strict=True))
        against = own[reference]
        return [_line(run, found, against) for run, found in own.items()]


def shown_lists(
    lists: Mapping[str, RunLists],
    users: Mapping[str, int],
    *,
    items: pa.Table,
    images: pa.Table,
    keywords: pa.Table,
    thumbnails: Thumbnails,
) -> ShownLists:
    """What the runs make of some users.

    Args:
        lists: By run, of these users at least.
        users: User index by user id.
        items: CLEAN_ITEMS.
        images: IMAGES.
        keywords: KEYWORDS.
        thumbnails: Pictures by content key.
    """
    of_users = {
        name: [one.of_users.get(index) for one in lists.values()] for name, index in users.items()
    }
    found = [one for own in of_users.values() for one in own if one]
    cards = cards_of_indices(
        {index for one in found for index in (one.target, *one.items)},
        items=items,
        images=images,
        keywords=keywords,
        thumbnails=thumbnails,
    )
    return ShownLists(
        runs=[*lists],
        length=max((one.length for one in lists.values()), default=0),
        cards=cards,
        of_users=of_users,
    )


def _line(run: str, found: UserList | None, against: UserList | None) -> Line:
    if found is None:
        return Line(run, None, is_hit=False, shared=None, length=0)
    both = {*found.items} & {*against.items} if against else set()
    length = max(len(found.items), len(against.items) if against else 0)
    shared = len(both) if against else None
    return Line(run, found.rank, found.target in found.items, shared, length)
