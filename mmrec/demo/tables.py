"""A drawn shop -> the files that a shop would have: catalogue, log, new arrivals, pictures.

They are as dirty as such files are: beside what the texts and pictures of the shop have, there
are items without an id, orders of items that have left the catalogue or of nobody, and a picture
of no item.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from mmrec.demo.catalogue import MIN_ITEMS
from mmrec.demo.shop import Shop, draw_shop

NUM_ARRIVALS: Final = 6
_WITHOUT_ID: Final = 2
_SOLD_OUT: Final = 0.01
_OF_NOBODY: Final = 0.005


class Written(NamedTuple):
    """The files, and how many rows or pictures are in each."""

    items: tuple[Path, int]
    orders: tuple[Path, int]
    arrivals: tuple[Path, int]
    pictures: tuple[Path, int]


def write_tables(num_items: int, num_users: int, seed: int, folder: Path) -> Written:
    """Draw a shop and write `items.csv`, `orders.csv`, `arrivals.csv` and `pictures/`.

    `items.csv` has the columns `sku`, `name`, `category` and `description`; `orders.csv`
    `customer`, `sku` and `time` (ISO 8601, UTC). `arrivals.csv` has items that no row of either
    names, as `mmrec recommend --new-items` reads them, with pictures in `arrivals/`. Pictures
    lie in `pictures/` as `<sku>_<n>.jpg` or `.png`.

    Args:
        num_items: at least 60.
        num_users: at least 1.
        seed: not negative; the same one gives the same bytes.
        folder: a new or an empty one.

    Raises:
        FileExistsError: the folder has something in it.
        ValueError: a number is too small.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder}: found files in it; name a new folder")
    if seed < 0:
        raise ValueError(f"seed: found {seed}, expected 0 or more")
    shop = draw_shop(num_items, num_users, seed)
    folder.mkdir(parents=True, exist_ok=True)
    items, orders = _catalogue(shop), _log(shop)
    items.write_csv(folder / "items.csv")
    orders.write_csv(folder / "orders.csv")
    num_pictures = _write_pictures(shop.pictures(), folder / "pictures")
    first = next(data for _, _, data in shop.pictures())
    (folder / "pictures" / f"logo{_ending(first)}").write_bytes(first)
    arrivals = _write_arrivals(seed, folder)
    return Written(
        items=(folder / "items.csv", items.height),
        orders=(folder / "orders.csv", orders.height),
        arrivals=(folder / "arrivals.csv", arrivals),
        pictures=(folder / "pictures", num_pictures + 1),
    )


def _catalogue(shop: Shop) -> pl.DataFrame:
    """Items in catalogue order, and some whose id is missing."""
    told = shop.items["title"].is_not_null()
    items = pl.DataFrame(
        {
            "sku": shop.items["item_id"],
            "name": shop.items["title"],
            "category": shop.truth["category"].zip_with(told, pl.Series([None], dtype=pl.String)),
            "description": shop.items["description"],
        }
    )
    lost = items.filter(told).head(_WITHOUT_ID).with_columns(sku=pl.lit(None, dtype=pl.String))
    return pl.concat([items, lost])


def _log(shop: Shop) -> pl.DataFrame:
    """Orders by time; of some the item is in no catalogue any more, of others the customer lost."""
    luck = np.random.default_rng([shop.seed, 3]).random((shop.interactions.height, 2))
    sold_out = pl.Series(luck[:, 0] < _SOLD_OUT)
    nobody = pl.Series(luck[:, 1] < _OF_NOBODY)
    return shop.interactions.select(
        customer=pl.when(nobody).then(None).otherwise("user_id"),
        sku=pl.when(sold_out).then("OLD-" + pl.col("item_id")).otherwise("item_id"),
        time=pl.from_epoch("timestamp_s", "s").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _write_arrivals(seed: int, folder: Path) -> int:
    """Items of another shop of the same kind that have a text and a whole picture."""
    shop = draw_shop(MIN_ITEMS, 1, seed + 1)
    whole = (pl.col("num_pictures") > 0) & (pl.col("broken_picture") < 0)
    table = shop.items.with_columns(
        shop.truth["category"], kept=shop.truth.select(whole).to_series()
    )
    found = table.filter("kept", pl.col("title").is_not_null()).head(NUM_ARRIVALS)
    called = {old: f"N{number:03}" for number, old in enumerate(found["item_id"], start=1)}
    pictures = [(called[old], n, data) for old, n, data in shop.pictures() if old in called]
    _write_pictures(pictures, folder / "arrivals")
    names: dict[str, list[str]] = {new: [] for new in called.values()}
    for new, position, data in pictures:
        names[new].append(f"arrivals/{new}_{position}{_ending(data)}")
    found.select(
        item_id=pl.col("item_id").replace_strict(called),
        title=pl.col("title"),
        category=pl.col("category"),
        description=pl.col("description"),
        images=pl.Series(["|".join(paths) for paths in names.values()]),
    ).write_csv(folder / "arrivals.csv")
    return found.height


def _write_pictures(pictures: Iterable[tuple[str, int, bytes]], folder: Path) -> int:
    """Write each as `<id>_<n>` with the ending of its kind; how many there are."""
    folder.mkdir()
    count = 0
    for item_id, position, data in pictures:
        (folder / f"{item_id}_{position}{_ending(data)}").write_bytes(data)
        count += 1
    return count


def _ending(data: bytes) -> str:
    return ".png" if data.startswith(b"\x89PNG") else ".jpg"
