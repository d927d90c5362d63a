"""How the data behind results were ordered and split: a protocol in, words out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmrec.data.protocol import tied_warning

_ORDERS = {
    "file": "the source's rows",
    "item": "item ids",
    "random": "a draw of its own (tie_seed {seed})",
}
_TARGETS = {
    "first": "the first of each user is ranked",
    "last": "the last of each user is ranked",
    "all": "each is ranked",
}


class Ordering(NamedTuple):
    """What stands above the metrics of a dataset.

    Attributes:
        leaves_one_out: whether a user's last item tests, and the one before it validates.
        split: sentences on what trains, validates and tests, and what of it leaks.
        order: one on the order of interactions, and for whom it decides.
        warning: of an order that decides for many.
    """

    leaves_one_out: bool
    split: str
    order: str
    warning: str | None


def ordering(protocol: Mapping[str, Any]) -> Ordering:
    """The protocol in words."""
    split = protocol["split"]
    return Ordering(
        split["name"] == "leave_one_out",
        _split(split) + _leaks(protocol),
        _order(protocol),
        tied_warning(protocol),
    )


def order_in_words(protocol: Mapping[str, Any]) -> str:
    """What decides at equal times; another order than those known by its key."""
    order: str = protocol.get("tie_order", "unknown")
    return _ORDERS.get(order, order).format(seed=protocol.get("tie_seed"))


def _split(split: Mapping[str, Any]) -> str:
    if split["name"] == "leave_one_out":
        return (
            "Leave-one-out: of every user with at least three interactions, the last one tests and"
            " the one before it validates."
        )
    return (
        f"Split by time: what anybody did before {split['validation_begins']} trains, what came"
        f" from then on validates, what came from {split['test_begins']} on tests. Of these"
        f" interactions {_TARGETS[split['targets']]}, after all that the user did before it; who"
        " did nothing before a period is not ranked in it."
    )


def _leaks(protocol: Mapping[str, Any]) -> str:
    if "later_training_share" not in protocol:
        return ""
    told = (
        " Of all pairs of a tested item and an interaction that trains,"
        f" {protocol['later_training_share']:.1%} are the wrong way round: the latter is later, and"
        " was not known then"
    )
    if "later_training_share_of_items" in protocol:
        told += f" (of pairs of one item {protocol['later_training_share_of_items']:.1%})"
    return told + "."


def _order(protocol: Mapping[str, Any]) -> str:
    if "tied_share" not in protocol:
        return "The source has no times: interactions stand in the order of its rows."
    return (
        f"At equal times, interactions stand in the order of {order_in_words(protocol)};"
        f" {protocol['tied_share']:.0%} of the users evaluated have a test item at the same time as"
        " another of theirs."
    )
