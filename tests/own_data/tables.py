"""Three shops' files, as different as shops write them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

Make: TypeAlias = Callable[[Path], tuple[Path, Path]]

NUM_ITEMS, NUM_USERS = 40, 30
START = datetime(2021, 3, 1, 12, tzinfo=UTC)
KINDS = ("shoes", "hats", "bags")


def events() -> list[tuple[int, int, datetime, int]]:
    """User, item, time and rating, of users who come five times or more."""
    drawn = random.Random(7)
    return [
        (user, item, START + timedelta(hours=user + 24 * place), 1 + place % 5)
        for user in range(NUM_USERS)
        for place, item in enumerate(drawn.sample(range(NUM_ITEMS), drawn.randint(5, 9)))
    ]


def semicolons(folder: Path) -> tuple[Path, Path]:
    """Excel's separator, `ItemID`, seconds since 1970, addresses of pictures and a price."""
    items, log = folder / "products.csv", folder / "orders.csv"
    rows = [
        f"A-{n};Fine {KINDS[n % 3]} no. {n};A long and warm text about {n}.;{KINDS[n % 3]};{n}.50;"
        f"https://shop.example/{n}.jpg"
        for n in range(NUM_ITEMS)
    ]
    items.write_text("\n".join(["ItemID;Product Name;Beschreibung;category;price;img", *rows]))
    lines = [
        f"{1000 + user};A-{item};{int(time.timestamp())};{rating}"
        for user, item, time, rating in events()
    ]
    log.write_text("\n".join(["CustomerNo;ItemID;ts;stars", *lines]))
    return items, log


def parquet(folder: Path) -> tuple[Path, Path]:
    """`sku` as numbers, milliseconds, users by a name that says nothing, files of pictures."""
    items, log = folder / "catalogue.parquet", folder / "clicks.parquet"
    (folder / "img").mkdir()
    for n in range(NUM_ITEMS):
        (folder / "img" / f"{n}.jpg").touch()
    numbers = range(NUM_ITEMS)
    pl.DataFrame(
        {
            "sku": [700_000 + n for n in numbers],
            "headline": [f"The {KINDS[n % 3]} of your life" for n in numbers],
            "stock": [n % 4 for n in numbers],
            "picture": [f"img/{n}.jpg" for n in numbers],
        }
    ).write_parquet(items)
    found = events()
    pl.DataFrame(
        {
            "when": [int(time.timestamp() * 1000) for _, _, time, _ in found],
            "who": [f"u{user}" for user, *_ in found],
            "product": [700_000 + item for _, item, *_ in found],
        }
    ).write_parquet(log)
    return items, log


def tabs(folder: Path) -> tuple[Path, Path]:
    """`asin`, ISO times, packed text files, and a folder of pictures named after the items."""
    items, log = folder / "meta.tsv", folder / "reviews.tsv"
    (folder / "pictures").mkdir()
    for n in range(NUM_ITEMS - 10):
        (folder / "pictures" / f"B0{n:03}_0.jpg").touch()
    rows = [f"B0{n:03}\tSome {KINDS[n % 3]}\t{5 * n}" for n in range(NUM_ITEMS)]
    items.write_text("\n".join(["asin\ttitle\tsalesRank", *rows]))
    lines = [
        f"R{user:02}\tB0{item:03}\t{rating}.0\t{time.isoformat()}"
        for user, item, time, rating in events()
    ]
    log.write_text("\n".join(["reviewerID\tasin\toverall\treviewTime", *lines]))
    return items, log


WANTED: list[tuple[Make, dict[str, Any], dict[str, Any]]] = [
    (
        semicolons,
        {
            "file": "orders.csv",
            "separator": None,
            "user_id": "CustomerNo",
            "item_id": "ItemID",
            "timestamp": "ts",
            "timestamp_unit": "s",
            "rating": "stars",
        },
        {
            "file": "products.csv",
            "separator": None,
            "item_id": "ItemID",
            "title": "Product Name",
            "texts": ["Beschreibung", "category"],
            "image_files": None,
            "image_folder": None,
            "image_urls": None,
        },
    ),
    (
        parquet,
        {
            "file": "clicks.parquet",
            "separator": None,
            "user_id": "who",
            "item_id": "product",
            "timestamp": "when",
            "timestamp_unit": "ms",
            "rating": None,
        },
        {
            "file": "catalogue.parquet",
            "separator": None,
            "item_id": "sku",
            "title": "headline",
            "texts": [],
            "image_files": "picture",
            "image_folder": None,
            "image_urls": None,
        },
    ),
    (
        tabs,
        {
            "file": "reviews.tsv",
            "separator": None,
            "user_id": "reviewerID",
            "item_id": "asin",
            "timestamp": "reviewTime",
            "timestamp_unit": "iso",
            "rating": "overall",
        },
        {
            "file": "meta.tsv",
            "separator": None,
            "item_id": "asin",
            "title": "title",
            "texts": [],
            "image_files": None,
            "image_folder": "pictures",
            "image_urls": None,
        },
    ),
]
"""What each is taken for: the columns of `interactions`, and of `items`."""
