"""(num_items, num_users, seed) -> a whole synthetic shop: items, pictures, interactions, truth.

The shop is a pure function of its three arguments: the same bytes in every process.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from mmrec.demo.attributes import (
    BACKGROUNDS,
    BRANDS,
    CATEGORIES,
    COLOURS,
    MATERIALS,
    PATTERNS,
    STYLES,
)
from mmrec.demo.catalogue import Catalogue, draw_catalogue
from mmrec.demo.drawing import Product, draw_product
from mmrec.demo.shoppers import DURATION_S, OPENING_S, Purchases, draw_purchases
from mmrec.demo.texts import draw_texts

DEFAULT_NUM_ITEMS = 2_000
DEFAULT_NUM_USERS = 3_000
PICTURE_SIZE = 128
_JPEG_SHARE = 0.8
_KEPT_OF_BROKEN = 3  # one in three bytes of a broken picture is left


@dataclass(frozen=True)
class Shop:
    """A drawn shop.

    Attributes:
        items: ``item_id`` str (unique), ``title`` str or null, ``description`` str (raw HTML) or
            null; in catalogue order.
        truth: what the shop knows about its items, in the same order: ``item_id``, ``category``,
            ``colour``, ``pattern``, ``background``, ``material``, ``style``, ``brand`` (names),
            ``release_s`` int64, ``popularity`` float64, ``num_pictures`` int64,
            ``broken_picture`` int64 (position of the picture whose bytes are cut off, -1 if
            none), ``duplicate_of`` str or null (the item whose first picture this item's first
            picture repeats byte by byte), ``tells_colour`` bool and ``tells_pattern`` bool (the
            text names it), ``picture_seed`` int64.
        interactions: ``user_id`` str, ``item_id`` str, ``timestamp_s`` int64 (UTC seconds), in
            the order they were logged: by time, not by user.
        seed: the seed it was drawn with.
    """

    items: pl.DataFrame
    truth: pl.DataFrame
    interactions: pl.DataFrame
    seed: int

    def pictures(self) -> Iterator[tuple[str, int, bytes]]:
        """Draw the pictures one by one: (item_id, position from 0, JPEG or PNG bytes)."""
        for row in self.truth.iter_rows(named=True):
            product = Product(
                row["category"],
                row["colour"],
                row["pattern"],
                row["background"],
                row["picture_seed"],
            )
            for position in range(row["num_pictures"]):
                data = encode_picture(product, position)
                if position == row["broken_picture"]:
                    data = data[: len(data) // _KEPT_OF_BROKEN]
                yield row["item_id"], position, data


def draw_shop(num_items: int, num_users: int, seed: int) -> Shop:
    """Draw the shop; the pictures only when ``Shop.pictures`` is consumed.

    Args:
        num_items: at least 60.
        num_users: at least 1; each has five or more interactions.
        seed: not negative.
    """
    catalogue = draw_catalogue(num_items, seed)
    item_ids = _numbered("P", num_items, 5)
    titles, descriptions = zip(*draw_texts(catalogue, seed), strict=True)
    columns = {"item_id": item_ids, "title": titles, "description": descriptions}
    items = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    purchases = draw_purchases(catalogue, num_users, seed)
    return Shop(
        items=items,
        truth=_truth_table(catalogue, item_ids),
        interactions=_interaction_table(purchases, item_ids, num_users),
        seed=seed,
    )


def encode_picture(product: Product, view: int) -> bytes:
    """Draw a product and compress it: JPEG for most products, PNG for the others."""
    buffer = io.BytesIO()
    picture = draw_product(product, view, PICTURE_SIZE)
    if product.seed < _JPEG_SHARE * 2**31:
        picture.save(buffer, "JPEG", quality=90)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def _numbered(letter: str, count: int, width: int) -> pl.Series:
    width = max(width, len(str(count)))
    return pl.Series([f"{letter}{number:0{width}d}" for number in range(1, count + 1)])


def _truth_table(catalogue: Catalogue, item_ids: pl.Series) -> pl.DataFrame:
    named = {
        name: pl.Series(names).gather(getattr(catalogue, name))
        for name, names in (
            ("category", CATEGORIES),
            ("colour", tuple(COLOURS)),
            ("pattern", PATTERNS),
            ("background", BACKGROUNDS),
            ("material", MATERIALS),
            ("style", STYLES),
            ("brand", BRANDS),
        )
    }
    repeated = pl.Series(np.where(catalogue.duplicate_of >= 0, catalogue.duplicate_of, 0))
    return pl.DataFrame(
        {
            "item_id": item_ids,
            **named,
            "release_s": OPENING_S + (catalogue.release * DURATION_S).astype(np.int64),
            "popularity": catalogue.popularity,
            "num_pictures": catalogue.num_pictures,
            "broken_picture": catalogue.broken_picture,
            "duplicate_of": item_ids.gather(repeated).zip_with(
                pl.Series(catalogue.duplicate_of >= 0), pl.Series([None], dtype=pl.String)
            ),
            "tells_colour": catalogue.tells_colour & catalogue.has_text,
            "tells_pattern": catalogue.tells_pattern & catalogue.has_text,
            "picture_seed": catalogue.picture_seed,
        }
    )


def _interaction_table(purchases: Purchases, item_ids: pl.Series, num_users: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": _numbered("U", num_users, 5).gather(purchases.user),
            "item_id": item_ids.gather(purchases.item),
            "timestamp_s": purchases.timestamp_s,
        }
    )
