"""How the data behind results were ordered: the protocol of a run's metrics in, words out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ORDERS = {
    "file": "the source's rows",
    "item": "item ids",
    "random": "a draw of its own (tie_seed {seed})",
}


def order_in_words(protocol: Mapping[str, Any]) -> str:
    """What decides at equal times; another order than those known by its key."""
    order: str = protocol.get("tie_order", "unknown")
    return _ORDERS.get(order, order).format(seed=protocol.get("tie_seed"))


def ordering(protocol: Mapping[str, Any]) -> str:
    """A sentence on the order of interactions, and what share of the users it decides for."""
    order = f"At equal times, interactions stand in the order of {order_in_words(protocol)}"
    if "tied_share" not in protocol:
        return "The source has no times: interactions stand in the order of its rows."
    return (
        f"{order}; {protocol['tied_share']:.0%} of the users evaluated have a test item at the same"
        " time as another of theirs."
    )
