"""Raw texts and pictures of the items that stay in; sentences and verified pictures out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import polars as pl

from mmrec import schemas
from mmrec.data.images import RawImages, picture_fault
from mmrec.data.sentences import has_word, repair_text, split_sentences
from mmrec.data.verdicts import Verdicts
from mmrec.io import DataError

_BATCH = 256


def make_sentences(
    items: pl.DataFrame, *, text_fields: Sequence[str], max_sentences: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Repair and split the texts of every item, the title as it is, in the order of `text_fields`.

    A title is one sentence. What is without a letter or digit is dropped (`no_word`); then
    the first `max_sentences` of an item are kept.

    Args:
        items: `item_id`, `title` (repaired), `texts` as in `RAW_ITEMS`.
        text_fields: fields to take; `title` is the title.
        max_sentences: most sentences of an item.

    Returns:
        `item_id`, `position`, `sentence`, sorted; and what was dropped, by reason.

    Raises:
        ValueError: a field that no item has.
    """
    fields = _fields(items)
    known = {"title", *fields["field"].unique()}
    unknown = [name for name in text_fields if name not in known]
    if unknown:
        raise ValueError(
            f"clean.text_fields: {unknown} found on no item; take some of {sorted(known)}"
        )
    rank = {name: place for place, name in enumerate(text_fields)}
    chosen = fields.filter(pl.col("field").is_in(list(rank))).with_columns(
        rank=pl.col("field").replace_strict(rank, default=None, return_dtype=pl.Int32)
    )
    ordered = chosen.sort("item_id", "rank", maintain_order=True)
    lists = pl.Series(
        "sentence",
        [_sentences(field, text) for field, text in ordered.select("field", "text").iter_rows()],
        dtype=pl.List(pl.String),
    )
    pieces = ordered.select("item_id", lists).explode("sentence")
    sentences = (
        pieces.filter(pl.col("sentence").map_elements(has_word, return_dtype=pl.Boolean))
        .with_columns(position=pl.int_range(pl.len(), dtype=pl.Int32).over("item_id"))
        .select("item_id", "position", "sentence")
    )
    kept = sentences.filter(pl.col("position") < max_sentences)
    dropped = {
        "no_word": pieces.height - sentences.height,
        "over_max_sentences": sentences.height - kept.height,
    }
    return kept, dropped


def _fields(items: pl.DataFrame) -> pl.DataFrame:
    titles = items.select("item_id", field=pl.lit("title"), text="title").drop_nulls("text")
    texts = (
        items.select("item_id", "texts")
        .filter(pl.col("texts").list.len() > 0)
        .explode("texts")
        .unnest("texts")
    )
    return pl.concat([titles, texts.select("item_id", "field", "text")])


def _sentences(field: str, text: str) -> list[str]:
    # A text of which nothing is left still is one, without a word.
    return [text] if field == "title" else split_sentences(repair_text(text)) or [""]


def verify_images(
    links: pl.DataFrame,
    images: RawImages,
    *,
    max_images: int,
    max_failed_share: float,
    verdicts: Verdicts | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Decode every picture of `links` once and keep the first `max_images` of each item.

    Args:
        links: rows of `IMAGE_LINKS` of the items that stay.
        images: the bytes.
        max_images: most pictures of an item; broken ones do not count.
        max_failed_share: share of failed links, not fetched or not decoded, that stops.
        verdicts: what is known of pictures; they are not decoded again.

    Returns:
        `item_id`, `position` (that of the link), `content_key`, sorted; of the links that
        failed `item_id`, `position`, `link`, `reason`, sorted; and what was dropped, by reason.

    Raises:
        DataError: more than `max_failed_share` of the links failed.
    """
    keys = links["content_key"].drop_nulls().unique().to_list()
    broken = find_broken(images, keys, verdicts)
    reasons = pl.DataFrame(
        {"content_key": list(broken), "verdict": list(broken.values())},
        schema={"content_key": pl.Binary, "verdict": pl.String},
    )
    judged = links.join(reasons, on="content_key", how="left").with_columns(
        reason=pl.when(pl.col("status") == "ok")
        .then(pl.col("verdict").fill_null(""))
        .otherwise("reason")
    )
    judged = judged.sort("item_id", "position")
    valid = judged.filter(pl.col("reason") == "")
    failed = judged.filter(pl.col("reason") != "").select(schemas.FAILED_IMAGES.names)
    _refuse_many(failed, links.height, max_failed_share)
    order = pl.int_range(pl.len()).over("item_id")
    kept = valid.filter(order < max_images).select("item_id", "position", "content_key")
    failures = Counter(failed["reason"].to_list())
    dropped = {name: failures[name] for name in sorted(failures)}
    return kept, failed, {**dropped, "over_max_images": valid.height - kept.height}


def find_broken(
    images: RawImages, keys: Iterable[bytes], verdicts: Verdicts | None = None
) -> dict[bytes, str]:
    """Decode the pictures with `keys`; give the reason of each that is none."""
    wanted = list(keys)
    unknown = [key for key in wanted if verdicts is None or key not in verdicts]
    found: dict[bytes, str] = {}
    pictures = images.iterate(unknown)
    with ThreadPoolExecutor() as pool:
        # In batches: a pool takes all of its input at once.
        while batch := list(islice(pictures, _BATCH)):
            reasons = pool.map(picture_fault, [data for _, data in batch])
            found |= {key: why for (key, _), why in zip(batch, reasons, strict=True)}
    if verdicts is not None:
        verdicts.add(found)
        found |= {key: verdicts[key] for key in wanted}
    return {key: why for key, why in found.items() if why}


def _refuse_many(failed: pl.DataFrame, num_links: int, max_failed_share: float) -> None:
    if failed.height > max_failed_share * num_links:
        counts = Counter(failed["reason"].to_list()).most_common(5)
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts)
        first = "; ".join(
            f"{link!r} of item {item_id!r}: {reason}"
            for item_id, link, reason in failed.select("item_id", "link", "reason").head(5).rows()
        )
        allow = "link_outside_folder" in set(failed["reason"])
        remedy = "repair the source" + (", set allow_links_outside of the dataset" if allow else "")
        raise DataError(
            f"clean: {failed.height} of {num_links} pictures failed"
            f" ({failed.height / num_links:.1%}): {reasons} (first: {first}); {remedy}, or raise"
            f" clean.max_failed_share ({max_failed_share}), then clean/failed_images.parquet lists"
            " all of them"
        )
