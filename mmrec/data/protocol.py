"""How a dataset was ordered and split, as summary.json and results have it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from mmrec.data.leakage import later_training_shares
from mmrec.data.splitting import SplitLog
from mmrec.params.split import SplitParams, TieOrder

logger = logging.getLogger(__name__)

MOST_TIED: Final = 0.05
"""Share of the users evaluated above which the order at equal times is warned of."""

FIGURES: Final = ("tied_share", "later_training_share", "later_training_share_of_items")
"""What of a protocol is counted from the data; the rest is chosen, and alike where results are to
be compared."""


def protocol_of(
    found: SplitLog,
    counted: Mapping[str, int],
    *,
    tie_order: TieOrder,
    tie_seed: int,
    split: SplitParams,
) -> dict[str, object]:
    """What a reader of results must know of how the data behind them were ordered and split.

    `tie_order`, for a random one `tie_seed`, and `tied_share`: of the users evaluated, how many
    have a test item at the same time as another of theirs. `split`: its settings, and of one by
    time when validation and test begin. And the shares of `later_training_shares`. All shares are
    left out of a log without times.

    Args:
        found: the log with its parts.
        counted: of `count_what_is_left`.
        tie_order: what decides at equal times.
        tie_seed: of a random order.
        split: the settings.
    """
    begins = {f"{part}_begins": moment for part, moment in found.moments.items()}
    told: dict[str, object] = {"tie_order": tie_order, "split": {**split.model_dump(), **begins}}
    if tie_order == "random":
        told["tie_seed"] = tie_seed
    if "users_evaluated_tied" in counted:
        told["tied_share"] = counted["users_evaluated_tied"] / max(1, counted["users_evaluated"])
        told |= later_training_shares(found.coded)
    return told


def log_protocol(found: SplitLog, protocol: Mapping[str, Any]) -> None:
    """One line on what trains and what is held out, and a warning where there is one."""
    counts = dict(found.coded.group_by("part").len().iter_rows())
    held_out = " and ".join(f"{counts.get(part, 0):,} {part}" for part in ("validation", "test"))
    later = protocol.get("later_training_share")
    logger.info(
        "split: %s interactions train, %s targets%s",
        f"{counts.get('training', 0):,}",
        held_out,
        ""
        if later is None
        else f"; of pairs with a test target {later:.1%} train on what is later",
    )
    if warning := tied_warning(protocol):
        logger.warning("%s", warning)


def tied_warning(protocol: Mapping[str, Any]) -> str | None:
    """What to say where the order at equal times decides the test item of many users.

    Args:
        protocol: of `protocol_of`.
    """
    share = protocol.get("tied_share", 0)
    if share <= MOST_TIED:
        return None
    all_test = protocol["split"].get("targets") == "all"
    decided = "stands in the history of the other" if all_test else "tests"
    return (
        f"{share:.0%} of the users evaluated have a test item at the same time as another of"
        f" theirs: clean.tie_order ({protocol['tie_order']}) decides which of them {decided}, and a"
        " model may learn an order that users never had; compare results by tie_order: file and"
        " random (docs/evaluation.md)"
    )
