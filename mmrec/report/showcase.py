"""Users with what they chose and what is recommended to them: tables in, a few users out.

They are chosen by even spread, never at random: equal tables, equal page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mmrec.params.pipeline import MaskHistory
from mmrec.report.cards import ItemCard, item_cards
from mmrec.report.gallery import spread
from mmrec.report.thumbnails import Thumbnails

MAX_RECOMMENDED = 24
"""Places shown of a list."""
_MAX_HISTORY = 12
"""Latest items shown of a history."""


@dataclass(frozen=True)
class Recommended:
    """One place of a top-K list."""

    card: ItemCard
    score: float


@dataclass(frozen=True)
class HeldOutItem:
    """The item that the evaluation held out of a history, and its rank among the candidates."""

    card: ItemCard
    rank: int
    num_candidates: int


@dataclass(frozen=True)
class SampleUser:
    """A user with the end of the history, oldest first, and the top-K list.

    Attributes:
        held_out: None for a user whom the evaluation leaves out.
    """

    user_id: str
    user_index: int
    num_interactions: int
    history: Sequence[ItemCard]
    held_out: HeldOutItem | None
    recommended: Sequence[Recommended]


def sample_users(
    *,
    items: pa.Table,
    users: pa.Table,
    sequences: pa.Table,
    ranks: pa.Table,
    recommendations: pa.Table,
    images: pa.Table,
    keywords: pa.Table,
    thumbnails: Thumbnails,
    num_users: int,
    mask_history: MaskHistory,
) -> list[SampleUser]:
    """Users from short to long histories with what they chose and what is recommended.

    Args:
        items: CLEAN_ITEMS.
        users: CLEAN_USERS.
        sequences: CLEAN_SEQUENCES.
        ranks: RANKS of the run that recommends.
        recommendations: RECOMMENDATIONS; empty lists for users that are not in it.
        images: IMAGES.
        keywords: KEYWORDS.
        thumbnails: Pictures by content key.
        num_users: How many users, fewer where there are fewer.
        mask_history: Whether items of a user's history were no candidates of the ranking.
    """
    order = users.sort_by([("num_interactions", "ascending"), ("user_index", "ascending")])
    chosen = order.take(spread(order.num_rows, num_users)).to_pylist()
    indices = [user["user_index"] for user in chosen]
    whole = _sequences_of(sequences, indices)
    item_ids = items.column("item_id")
    histories = [[item_ids[index - 1].as_py() for index in one[-_MAX_HISTORY:]] for one in whole]
    targets = _targets(ranks, items, indices)
    lists = _lists_of(recommendations, [user["user_id"] for user in chosen], MAX_RECOMMENDED)
    shown = {
        *(item_id for history in histories for item_id in history),
        *(place["item_id"] for places in lists.values() for place in places),
        *(target.item_id for target in targets.values()),
    }
    cards = item_cards(shown, items=items, images=images, keywords=keywords, thumbnails=thumbnails)
    masked = whole if mask_history is True else [[]] * len(whole)
    return [
        SampleUser(
            user["user_id"],
            user["user_index"],
            user["num_interactions"],
            [cards[item_id] for item_id in history],
            _held_out(targets.get(user["user_index"]), cards, items.num_rows, seen),
            [Recommended(cards[one["item_id"]], one["score"]) for one in lists[user["user_id"]]],
        )
        for user, history, seen in zip(chosen, histories, masked, strict=True)
    ]


def _sequences_of(sequences: pa.Table, user_indices: Sequence[int]) -> list[list[int]]:
    rows = pc.index_in(
        pa.array(user_indices, pa.int32()),
        value_set=sequences.column("user_index").combine_chunks(),
    )
    taken: list[list[int]] = sequences.column("items").take(rows).to_pylist()
    return taken


class _Target(NamedTuple):
    item_id: str
    item_index: int
    rank: int
    history_length: int


def _targets(ranks: pa.Table, items: pa.Table, user_indices: Sequence[int]) -> dict[int, _Target]:
    """What was held out of each user; of several items the last."""
    here = pc.is_in(ranks.column("user_index"), value_set=pa.array(user_indices, pa.int32()))
    item_ids = items.column("item_id")
    return {
        row["user_index"]: _Target(
            item_ids[row["target"] - 1].as_py(), row["target"], row["rank"], row["history_length"]
        )
        for row in ranks.filter(here).sort_by("history_length").to_pylist()
    }


def _held_out(
    target: _Target | None,
    cards: Mapping[str, ItemCard],
    num_items: int,
    masked: Sequence[int],
) -> HeldOutItem | None:
    """With the number of candidates: all but what of `masked` came before it, if that is other."""
    if target is None:
        return None
    seen = {*masked[: target.history_length]} - {target.item_index}
    return HeldOutItem(cards[target.item_id], target.rank, num_items - len(seen))


def _lists_of(
    recommendations: pa.Table, user_ids: Sequence[str], max_rank: int
) -> dict[str, list[dict[str, Any]]]:
    here = pc.is_in(recommendations.column("user_id"), value_set=pa.array(user_ids, pa.string()))
    near = pc.less_equal(recommendations.column("rank"), max_rank)
    rows = recommendations.filter(pc.and_(here, near)).sort_by("rank").to_pylist()
    lists: dict[str, list[dict[str, Any]]] = {user_id: [] for user_id in user_ids}
    for row in rows:
        lists[row["user_id"]].append(row)
    return lists
