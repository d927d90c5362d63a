"""Items that stay and a log with its parts in; the tables that cleaning writes out."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.data.borders import Borders, Indices
from mmrec.data.vocabulary import FIRST_ITEM_INDEX


def with_final_indices(coded: pl.DataFrame, present: pl.Series) -> pl.DataFrame:
    """Add `item_index` of the items that stay."""
    indices = pl.DataFrame(
        {
            "item": present,
            "item_index": pl.int_range(
                FIRST_ITEM_INDEX, FIRST_ITEM_INDEX + len(present), dtype=pl.Int32, eager=True
            ),
        }
    )
    return coded.join(indices, on="item", how="left", maintain_order="left")


def items_table(
    kept: pl.DataFrame,
    sentences: pl.DataFrame,
    pictures: pl.DataFrame,
    coded: pl.DataFrame,
    cold_threshold: int,
) -> pl.DataFrame:
    """`CLEAN_ITEMS` of the items that stay, in the order of their indices.

    Args:
        kept: `item_id`, `title`, by id.
        sentences: a row for each, with `item_id`.
        pictures: likewise.
        coded: interactions with `item_index` and `part`.
        cold_threshold: fewest interactions in training of an item that is not cold.
    """
    table = (
        kept.select("item_id", pl.col("title").fill_null(""))
        .with_row_index("item_index", offset=FIRST_ITEM_INDEX)
        .with_columns(pl.col("item_index").cast(pl.Int32))
        .join(_per_item(sentences, "num_sentences"), on="item_id", how="left")
        .join(_per_item(pictures, "num_images"), on="item_id", how="left")
        .join(_training_counts(coded), on="item_index", how="left")
        .with_columns(pl.col("num_sentences", "num_images", "training_count").fill_null(0))
        .with_columns(is_cold=pl.col("training_count") < cold_threshold)
    )
    return table.select(schemas.CLEAN_ITEMS.names).sort("item_index")


def _training_counts(coded: pl.DataFrame) -> pl.DataFrame:
    """Occurrences of each item in what is trained on."""
    training = coded.filter(pl.col("part") == "training")
    return training.group_by("item_index").agg(training_count=pl.len())


def _per_item(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.group_by("item_id").agg(pl.len().alias(name))


def user_tables(
    coded: pl.DataFrame, borders: Borders[Indices], user_ids: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`CLEAN_USERS` and `CLEAN_SEQUENCES`, each with a row for a user of the log.

    Args:
        coded: by user and time: `user`, `item_index`, the time.
        borders: of each user, in that order.
        user_ids: ids by `user`.
    """
    lists = (
        coded.group_by("user", maintain_order=True)
        .agg(items="item_index", timestamps_ns="timestamp_ns")
        .with_columns(**{name: pl.Series(of) for name, of in borders._asdict().items()})
        .with_row_index("user_index")
    )
    users = lists.select(
        user_ids[lists["user"]].alias("user_id"),
        "user_index",
        num_interactions=pl.col("items").list.len(),
    )
    return users, lists.select(schemas.CLEAN_SEQUENCES.names)


def with_keys(pictures: pl.DataFrame) -> pa.Table:
    """`IMAGES` of verified pictures, keys of the fixed size that polars has no type for."""
    keys = pa.array(pictures["content_key"].to_list(), schemas.CONTENT_KEY)
    table = pictures.drop("content_key").to_arrow().append_column("content_key", keys)
    return table.cast(schemas.IMAGES)
