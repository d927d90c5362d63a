"""The embedded synthetic shop as a source: drawn from a seed, no files."""

from __future__ import annotations

import polars as pl

from mmrec.data.sources.raw_tables import build_interactions, build_items
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.data.sources.times import NANOSECONDS
from mmrec.demo.shop import draw_shop


class DemoSource:
    """Draws the shop; pictures one by one as they are consumed."""

    def __init__(self, *, num_items: int, num_users: int, seed: int) -> None:
        self._num_items = num_items
        self._num_users = num_users
        self._seed = seed

    def read(self) -> RawCatalogue:
        """Draw catalogue and log."""
        shop = draw_shop(self._num_items, self._num_users, self._seed)
        log = shop.interactions.with_columns(timestamp_ns=pl.col("timestamp_s") * NANOSECONDS["s"])
        return RawCatalogue(
            items=build_items(shop.items, {"description": "description"}),
            interactions=build_interactions(log),
            image_refs=(
                ImageRef(item_id, position, f"{item_id}/{position}", data)
                for item_id, position, data in shop.pictures()
            ),
        )
