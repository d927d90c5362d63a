"""Items and lists of a made-up world, as the page shows them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.report.maps import Maps
from mmrec.report.run_lists import RunLists, lists_of_run
from mmrec.report.shown_items import ShownItems, shown_items
from mmrec.report.shown_lists import ShownLists, shown_lists
from mmrec.report.thumbnails import Thumbnails, tiny_thumbnail
from tests.report.worlds import World, maps_of, page_of

CATEGORIES = ("lamp", "mug")


def run_lists(world: World, run: str, *, start: int = 0) -> RunLists:
    """Lists of five items: of user u those from item u + start + 1 on, again from 1 on."""
    num_items = len(world.item_ids)
    users = world.ranks["user_index"].to_pylist()
    items = [[(user + start + step) % num_items + 1 for step in range(5)] for user in users]
    lists = pa.table({"user_index": users, "items": items}).cast(schemas.LISTS)
    everybody = range(world.users.num_rows)
    return lists_of_run(run, lists, world.ranks, num_items=num_items, user_indices=everybody)


def all_lists(world: World) -> dict[str, RunLists]:
    """Of the runs of `made_runs`: the second shares three items with the first, the third two."""
    names = ("shop-popularity", "shop-sasrec", "shop-mp4sr")
    starts = (0, 2, 3)
    return {
        name: run_lists(world, name, start=start) for name, start in zip(names, starts, strict=True)
    }


def items_of(world: World) -> ShownItems:
    """The table of items, with every third of them in a category."""
    words = ["A lamp.", "A mug.", "Nothing."]
    sentences = pa.table(
        {
            "item_id": world.item_ids,
            "position": np.zeros(len(world.item_ids), np.int32),
            "sentence": [words[place % 3] for place in range(len(world.item_ids))],
        },
        schema=schemas.SENTENCES,
    )
    return shown_items(
        "shop",
        items=world.items,
        images=world.images,
        keywords=world.keywords,
        sentences=sentences,
        categories=CATEGORIES,
        lists=all_lists(world)["shop-mp4sr"],
        thumbnails=_thumbnails(world),
    )


def lists_of(world: World) -> ShownLists:
    """Lists of all runs for the users that the page shows."""
    return shown_lists(
        all_lists(world),
        {user.user_id: user.user_index for user in world.showcase().users},
        items=world.items,
        images=world.images,
        keywords=world.keywords,
        thumbnails=_thumbnails(world),
    )


def _thumbnails(world: World) -> Thumbnails:
    return Thumbnails(RawImages(world.raw_images), size=64, made_by=tiny_thumbnail)


def maps_with_lists(world: World) -> Maps:
    """Maps of two of the runs, whose points are the items of the table."""
    lists = {name: found for name, found in all_lists(world).items() if name != "shop-sasrec"}
    return maps_of(*lists, num_items=len(world.item_ids), lists=lists)


def whole_page(world: World) -> str:
    """The page with all that it may show."""
    return page_of(world, maps_with_lists(world), items_of(world), lists_of(world))
