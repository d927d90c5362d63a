"""Raw tables in; integer sequences, sentences, verified pictures and an account of them out.

Interactions first: invalid ones go, then duplicates, then rare users and items. An item that no
interaction is left of goes too (`no_interactions`) if `item_core` is at least 1; with `item_core` 0
it stays as a new item, never trained on and yet a candidate. Order is time, and at equal times what
`tie_order` says: `summary.json` counts for how many users that decides which item tests
(`users_evaluated_tied`). Items without text, without pictures or without both stay and are counted;
so do users with a single interaction, which only train. The texts of the items that stay are
repaired and split, and their pictures decoded, but for those whose verdict is known. What trains,
validates and tests is decided here, by `split`, for everything that follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.data.clean_log import clean_log, no_log
from mmrec.data.clean_tables import items_table, user_tables, with_final_indices, with_keys
from mmrec.data.counted import count_what_is_left, has_times
from mmrec.data.images import RawImages
from mmrec.data.item_content import make_sentences, verify_images
from mmrec.data.protocol import log_protocol, protocol_of
from mmrec.data.sentences import repair_line
from mmrec.data.splitting import SplitLog, split_log
from mmrec.data.steps import Account
from mmrec.data.verdicts import Verdicts
from mmrec.dataset_paths import DatasetPaths
from mmrec.io import DataError, write_json, write_tables
from mmrec.params.datasets import CleanParams


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


class _Content(NamedTuple):
    """The items that stay, titles repaired; their sentences, valid pictures, and failed ones."""

    items: pl.DataFrame
    sentences: pl.DataFrame
    images: pl.DataFrame
    failed_images: pl.DataFrame


def clean(
    items: pa.Table,
    interactions: pa.Table,
    image_links: pa.Table,
    images: RawImages,
    settings: CleanParams,
    *,
    skipped: Mapping[str, int],
    has_users: bool,
    verdicts: Verdicts | None = None,
) -> CleanResult:
    """Clean the raw tables of one dataset.

    Args:
        items: `RAW_ITEMS`.
        interactions: `RAW_INTERACTIONS`.
        image_links: `IMAGE_LINKS`.
        images: the bytes of the pictures.
        settings: what survives, and in which order.
        skipped: what the source did not give, by reason.
        has_users: without, every item stays, and users and sequences have no rows.
        verdicts: what is known of pictures; they are not decoded again.

    Raises:
        DataError: nothing is left after a step, item ids repeat, too many interactions cannot
            be used, or too many pictures failed; `split` leaves nothing to train on, to validate
            on or to test on; or of a source without users, there are interactions all the same, or
            `item_core` asks for some.
        ValueError: a text field that no item has.
    """
    raw, links, catalogue = _frame(interactions), _frame(image_links), _catalogue(items)
    account = Account(catalogue["item_id"], links, keeps_unused=settings.item_core == 0)
    account.add_raw(raw, num_without_id=items.num_rows - catalogue.height, skipped=skipped)
    timed = has_times(raw)
    if has_users:
        coded, user_ids = _log(raw, catalogue["item_id"], account, settings)
    else:
        coded, user_ids = no_log(raw, catalogue["item_id"], item_core=settings.item_core)
    present = account.present(coded)
    content = _content(catalogue[present], links, images, account, settings, verdicts)
    found = split_log(with_final_indices(coded, present), settings.split, timed=timed)
    kept = items_table(
        content.items, content.sentences, content.images, found.coded, settings.cold_threshold
    )
    users, sequences = user_tables(found.coded, found.borders, user_ids)
    told = _told(kept, found, settings, timed=timed)
    return CleanResult(
        items=kept.to_arrow().cast(schemas.CLEAN_ITEMS),
        users=users.to_arrow().cast(schemas.CLEAN_USERS),
        sequences=sequences.to_arrow().cast(schemas.CLEAN_SEQUENCES),
        sentences=content.sentences.to_arrow().cast(schemas.SENTENCES),
        images=with_keys(content.images),
        failed_images=content.failed_images.to_arrow().cast(schemas.FAILED_IMAGES),
        summary=account.as_json() | {"has_users": has_users, **told},
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


def _log(
    raw: pl.DataFrame, item_ids: pl.Series, account: Account, settings: CleanParams
) -> tuple[pl.DataFrame, pl.Series]:
    return clean_log(
        raw,
        item_ids,
        account,
        min_rating=settings.min_rating,
        user_core=settings.user_core,
        item_core=settings.item_core,
        duplicates=settings.duplicates,
        tie_order=settings.tie_order,
        tie_seed=settings.tie_seed,
        max_unusable_share=settings.max_unusable_share,
    )


def _content(
    items: pl.DataFrame,
    links: pl.DataFrame,
    images: RawImages,
    account: Account,
    settings: CleanParams,
    verdicts: Verdicts | None,
) -> _Content:
    kept = items.with_columns(
        title=pl.col("title").map_elements(repair_line, return_dtype=pl.String)
    )
    account.add_items(kept.height)
    sentences, dropped = make_sentences(
        kept, text_fields=settings.text_fields, max_sentences=settings.max_sentences
    )
    account.add_sentences(sentences.height, dropped)
    pictures, failed, dropped = verify_images(
        links.join(kept, on="item_id", how="semi"),
        images,
        max_images=settings.max_images,
        max_failed_share=settings.max_failed_share,
        verdicts=verdicts,
    )
    account.add_images(pictures.height, dropped)
    return _Content(kept, sentences, pictures, failed)


def _told(
    items: pl.DataFrame, found: SplitLog, settings: CleanParams, *, timed: bool
) -> dict[str, object]:
    """What a reader of results must know: counts of what is left, and how it was split."""
    counted = found.counted | count_what_is_left(items, found.coded, timed=timed)
    protocol = protocol_of(
        found,
        counted,
        tie_order=settings.tie_order,
        tie_seed=settings.tie_seed,
        split=settings.split,
    )
    log_protocol(found, protocol)
    return {"counted": counted, "protocol": protocol}


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
