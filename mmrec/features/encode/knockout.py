"""Contents of items in, fewer of them or those of other items out: for experiments."""

from __future__ import annotations

from typing import assert_never

import pyarrow as pa
import pyarrow.compute as pc

from mmrec.io import content_key
from mmrec.params.knockout import (
    ConstantParams,
    DroppedParams,
    KnockoutParams,
    NoiseParams,
    ShuffledParams,
)


def knocked_out(
    contents: pa.Table, knockout: KnockoutParams | None
) -> tuple[pa.Table, dict[str, int]]:
    """Contents as a knock-out leaves them, and how many items it hits.

    One of values leaves all contents where they are (`mmrec/features/encode/replacement.py`).

    Args:
        contents: column item_id, and any others.
        knockout: None leaves everything as it is.
    """
    match knockout:
        case None:
            return contents, {}
        case DroppedParams():
            kept, num_items = dropped(contents, knockout.share, knockout.seed)
            return kept, {"items_dropped": num_items}
        case ShuffledParams():
            given, num_items = shuffled(contents, knockout.seed)
            return given, {"items_shuffled": num_items}
        case ConstantParams() | NoiseParams():
            return contents, {"items_replaced": len(contents["item_id"].unique())}
    assert_never(knockout)


def dropped(contents: pa.Table, share: float, seed: int) -> tuple[pa.Table, int]:
    """The contents without those of a share of the items, and how many items these are."""
    items = _drawn(contents, seed)
    # Of a larger share these are the first.
    lost = pa.array(items[: round(share * len(items))], contents["item_id"].type)
    return contents.filter(pc.invert(pc.is_in(contents["item_id"], lost))), len(lost)


def shuffled(contents: pa.Table, seed: int) -> tuple[pa.Table, int]:
    """The contents, all of an item's given to another one that has some, and how many have."""
    items = _drawn(contents, seed)
    # In a ring of at least two nobody keeps what it has.
    taker = dict(zip(items, [*items[1:], *items[:1]], strict=True))
    place = contents.schema.get_field_index("item_id")
    takers = [taker[item] for item in contents["item_id"].to_pylist()]
    field = contents.schema.field(place)
    return contents.set_column(place, field, pa.array(takers, field.type)), len(items)


def _drawn(contents: pa.Table, seed: int) -> list[str]:
    """The items that have contents, in an order that a hash of seed and item decides."""
    items = contents["item_id"].unique().to_pylist()
    return sorted(items, key=lambda item: content_key(f"{seed} {item}".encode()))
