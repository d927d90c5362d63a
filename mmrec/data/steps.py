"""The account of a cleaning: what remained after every step, and why the rest went."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import polars as pl

from mmrec.data.interactions import Dropped
from mmrec.io import DataError

_log = logging.getLogger(__name__)

_REMEDIES = {
    "low_rating": "lower clean.min_rating",
    "missing_rating": "set clean.min_rating to null",
    "user_core": "lower clean.user_core",
    "item_core": "lower clean.item_core",
}
"""By the reason that a setting gives; every other one lies in the source's files."""


class Account:
    """Collects the steps of one cleaning and logs each as one line.

    Args:
        item_ids: ids of the catalogue, ascending; item codes are places in it.
        links: `item_id` of every picture link.
        keeps_unused: whether items without interactions stay.
    """

    def __init__(self, item_ids: pl.Series, links: pl.DataFrame, *, keeps_unused: bool) -> None:
        num_links = links.group_by("item_id").agg(links=pl.len())
        per_item = item_ids.to_frame("item_id").join(
            num_links, on="item_id", how="left", maintain_order="left"
        )
        self._links = per_item["links"].fill_null(0).to_numpy()
        self._num_links = links.height
        self._keeps_unused = keeps_unused
        self._steps: list[dict[str, object]] = []
        self._left: dict[str, int | None] = {}

    def present(self, coded: pl.DataFrame) -> pl.Series:
        """Ascending codes of the items that stay in the catalogue, given interactions."""
        if self._keeps_unused:
            return pl.int_range(len(self._links), dtype=pl.Int32, eager=True)
        return coded["item"].unique().sort()

    def add_raw(
        self, interactions: pl.DataFrame, *, num_without_id: int, skipped: Mapping[str, int]
    ) -> None:
        """What the source gave, without users and items with an empty id; and what it skipped."""
        users = interactions["user_id"]
        self._left = {
            "users": users.filter(users != "").n_unique(),
            "items": len(self._links),
            "interactions": interactions.height,
            "sentences": None,
            "images": self._num_links,
        }
        self._add("raw", "items", {"empty_id": num_without_id}, {"skipped": skipped})
        if not len(self._links):
            raise DataError(
                "clean: the catalogue has no items: the source gave none with an id; check its"
                " files"
            )

    def add_interactions(self, step: str, coded: pl.DataFrame, dropped: Dropped) -> None:
        """A step that drops interactions; none left is a `DataError`."""
        present = self.present(coded)
        self._left |= {
            "users": coded["user"].n_unique(),
            "items": len(present),
            "interactions": coded.height,
            "images": int(np.sum(self._links[present.to_numpy()])),
        }
        gone = {"dropped_users": dropped.users, "dropped_items": dropped.items}
        self._add(step, "interactions", dropped.interactions, gone)
        if coded.is_empty():
            reasons = _happened(dropped.interactions)
            settings = [_REMEDIES[name] for name in reasons if name in _REMEDIES]
            raise DataError(
                f"clean: no user and no interaction is left after the step {step!r}"
                f" (dropped: {_listed(reasons) or 'none'});"
                f" {' or '.join(settings) or 'check the log that the source names'}"
            )

    def add_items(self, num_items: int) -> None:
        """Which items stay in the catalogue."""
        self._left["items"] = num_items
        self._add("items", "items", {"no_interactions": len(self._links) - num_items})

    def add_sentences(self, num_sentences: int, dropped: Mapping[str, int]) -> None:
        """Texts became sentences."""
        self._left["sentences"] = num_sentences
        self._add("sentences", "sentences", dropped)

    def add_images(self, num_images: int, dropped: Mapping[str, int]) -> None:
        """Links became verified pictures."""
        self._left["images"] = num_images
        self._add("images", "images", dropped)

    def as_json(self) -> dict[str, object]:
        """The steps in order, as `summary.json` holds them.

        Each has `step`, what remains (`users`, `items`, `interactions`, `sentences`: null
        before texts are split, `images`: links before they are verified), and `dropped`,
        a count per reason in units of `dropped_unit`. Where these are interactions also
        `dropped_users` and `dropped_items`, those whose last interaction went, by the reason
        of that one; and in the first step `skipped`, what the source held and did not give.
        """
        return {"steps": self._steps}

    def _add(
        self,
        step: str,
        unit: str,
        dropped: Mapping[str, int],
        more: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        entry: dict[str, object] = {"step": step, **self._left}
        entry |= {"dropped_unit": unit, "dropped": _happened(dropped)}
        entry |= {name: _happened(counts) for name, counts in (more or {}).items()}
        self._steps.append(entry)
        left = ", ".join(f"{n:,} {name}" for name, n in self._left.items() if n is not None)
        _log.info("%s: %s left; %s dropped: %s", step, left, unit, _listed(dropped) or "none")


def _happened(counts: Mapping[str, int]) -> dict[str, int]:
    return {reason: count for reason, count in counts.items() if count}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in _happened(counts).items())
