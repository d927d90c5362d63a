"""Raw tables in; integer sequences, sentences, verified pictures and an account of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.data.borders import Borders, Indices
from mmrec.data.clean_log import clean_log, no_log
from mmrec.data.counted import count_what_is_left, has_times
from mmrec.data.images import RawImages
from mmrec.data.interactions import Duplicates
from mmrec.data.item_content import make_sentences, verify_images
from mmrec.data.protocol import log_protocol, protocol_of
from mmrec.data.sentences import repair_line
from mmrec.data.splitting import split_log
from mmrec.data.steps import Account
from mmrec.data.verdicts import Verdicts
from mmrec.data.vocabulary import FIRST_ITEM_INDEX
from mmrec.dataset_paths import DatasetPaths
from mmrec.io import DataError, write_json, write_tables
from mmrec.params.split import LeaveOneOutParams, SplitParams, TieOrder

_LEAVE_ONE_OUT = LeaveOneOutParams()


@dataclass(frozen=True)
class CleanResult:
    """The clean tables, each with its schema of the same name, and `summary.json`."""

    items: pa.Table
    users: pa.Table
    sequences: pa.Table
    sentences: pa.Table
    images: pa.Table
    failed_images: pa.Table
    summary: dict[str, object]


def clean(
    items: pa.Table,
    interactions: pa.Table,
    image_links: pa.Table,
    images: RawImages,
    *,
    skipped: Mapping[str, int],
    has_users: bool,
    text_fields: Sequence[str],
    max_sentences: int,
    max_images: int,
    min_rating: float | None,
    user_core: int,
    item_core: int,
    duplicates: Duplicates,
    cold_threshold: int,
    max_unusable_share: float,
    max_failed_share: float,
    tie_order: TieOrder = "file",
    tie_seed: int = 0,
    split: SplitParams = _LEAVE_ONE_OUT,
    verdicts: Verdicts | None = None,
) -> CleanResult:
    """Clean the raw tables of one dataset; `skipped` is what the source did not give, by reason.

    Interactions first: invalid ones go, then duplicates, then rare users and items. An item
    that no interaction is left of goes too (`no_interactions`) if `item_core` is at least 1;
    with `item_core` 0 it stays as a new item, never trained on and yet a candidate. Order is
    time, and at equal times what `tie_order` says: `summary.json` counts for how many users that
    decides which item tests (`users_evaluated_tied`). What trains, validates and tests is decided
    here, by `split`, for everything that follows. Items
    without text, without pictures or without both stay and are counted; so do users with a
    single interaction, which only train. Then the texts of the items that stay are repaired
    and split, and their pictures decoded, but for those that `verdicts` knows.

    Of a source without users (`has_users`) every item stays, and the tables of users and of
    sequences have no rows.

    Raises:
        DataError: nothing is left after a step, item ids repeat, too many interactions cannot
            be used, or too many pictures failed; `split` leaves nothing to train on, to validate
            on or to test on; or of a source without users, there are interactions all the same, or
            `item_core` asks for some.
        ValueError: a text field that no item has.
    """
    catalogue = _catalogue(items)
    links = _frame(image_links)
    account = Account(catalogue["item_id"], links, keeps_unused=item_core == 0)
    raw = _frame(interactions)
    account.add_raw(raw, num_without_id=items.num_rows - catalogue.height, skipped=skipped)
    if has_users:
        coded, user_ids = clean_log(
            raw,
            catalogue["item_id"],
            account,
            min_rating=min_rating,
            user_core=user_core,
            item_core=item_core,
            duplicates=duplicates,
            tie_order=tie_order,
            tie_seed=tie_seed,
            max_unusable_share=max_unusable_share,
        )
    else:
        coded, user_ids = no_log(raw, catalogue["item_id"], item_core=item_core)
    kept = _with_repaired_titles(catalogue[account.present(coded)])
    account.add_items(kept.height)
    sentences, counts = make_sentences(kept, text_fields=text_fields, max_sentences=max_sentences)
    account.add_sentences(sentences.height, counts)
    pictures, failed, counts = verify_images(
        links.join(kept, on="item_id", how="semi"),
        images,
        max_images=max_images,
        max_failed_share=max_failed_share,
        verdicts=verdicts,
    )
    account.add_images(pictures.height, counts)
    found = split_log(
        _with_final_indices(coded, account.present(coded)), split, timed=has_times(raw)
    )
    training_counts = _training_counts(found.coded)
    clean_items = _items_table(kept, sentences, pictures, training_counts, cold_threshold)
    users, sequences = _user_tables(found.coded, found.borders, user_ids)
    counted = found.counted | count_what_is_left(clean_items, found.coded, timed=has_times(raw))
    protocol = protocol_of(found, counted, tie_order=tie_order, tie_seed=tie_seed, split=split)
    log_protocol(found, protocol)
    return CleanResult(
        items=clean_items.to_arrow().cast(schemas.CLEAN_ITEMS),
        users=users.to_arrow().cast(schemas.CLEAN_USERS),
        sequences=sequences.to_arrow().cast(schemas.CLEAN_SEQUENCES),
        sentences=sentences.to_arrow().cast(schemas.SENTENCES),
        images=_with_keys(pictures),
        failed_images=failed.to_arrow().cast(schemas.FAILED_IMAGES),
        summary=account.as_json()
        | {"has_users": has_users, "counted": counted, "protocol": protocol},
    )


def write_clean(result: CleanResult, dataset: DatasetPaths) -> None:
    """Write the tables and, last, `summary.json`."""
    write_tables(
        {
            dataset.items: (result.items, schemas.CLEAN_ITEMS),
            dataset.users: (result.users, schemas.CLEAN_USERS),
            dataset.sequences: (result.sequences, schemas.CLEAN_SEQUENCES),
            dataset.sentences: (result.sentences, schemas.SENTENCES),
            dataset.images: (result.images, schemas.IMAGES),
            dataset.failed_images: (result.failed_images, schemas.FAILED_IMAGES),
        }
    )
    write_json(result.summary, dataset.clean_summary)


def _frame(table: pa.Table) -> pl.DataFrame:
    # Binary keys as such: polars has no type for binary of a fixed size.
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _catalogue(items: pa.Table) -> pl.DataFrame:
    frame = _frame(items).filter(pl.col("item_id") != "").sort("item_id")
    repeated = frame.filter(pl.col("item_id").is_duplicated())["item_id"].unique().sort()
    if len(repeated):
        raise DataError(
            f"raw/items.parquet: {len(repeated)} item ids stand more than once"
            f" (first: {repeated[0]!r}); keep one row per item in the source"
        )
    return frame


def _with_repaired_titles(items: pl.DataFrame) -> pl.DataFrame:
    title = pl.col("title").map_elements(repair_line, return_dtype=pl.String)
    return items.with_columns(title=title)


def _with_final_indices(coded: pl.DataFrame, present: pl.Series) -> pl.DataFrame:
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


def _training_counts(coded: pl.DataFrame) -> pl.DataFrame:
    """Occurrences of each item in what is trained on."""
    training = coded.filter(pl.col("part") == "training")
    return training.group_by("item_index").agg(training_count=pl.len())


def _items_table(
    kept: pl.DataFrame,
    sentences: pl.DataFrame,
    pictures: pl.DataFrame,
    training_counts: pl.DataFrame,
    cold_threshold: int,
) -> pl.DataFrame:
    table = (
        kept.select("item_id", pl.col("title").fill_null(""))
        .with_row_index("item_index", offset=FIRST_ITEM_INDEX)
        .with_columns(pl.col("item_index").cast(pl.Int32))
        .join(_per_item(sentences, "num_sentences"), on="item_id", how="left")
        .join(_per_item(pictures, "num_images"), on="item_id", how="left")
        .join(training_counts, on="item_index", how="left")
        .with_columns(pl.col("num_sentences", "num_images", "training_count").fill_null(0))
        .with_columns(is_cold=pl.col("training_count") < cold_threshold)
    )
    return table.select(schemas.CLEAN_ITEMS.names).sort("item_index")


def _per_item(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.group_by("item_id").agg(pl.len().alias(name))


def _user_tables(
    coded: pl.DataFrame, borders: Borders[Indices], user_ids: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame]:
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


def _with_keys(pictures: pl.DataFrame) -> pa.Table:
    keys = pa.array(pictures["content_key"].to_list(), schemas.CONTENT_KEY)
    table = pictures.drop("content_key").to_arrow().append_column("content_key", keys)
    return table.cast(schemas.IMAGES)
