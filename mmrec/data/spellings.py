"""Ids that a list does not know in; an example, and the way of writing that mends most, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

_ID = pl.col("id")
_TRIMMED = _ID.str.strip_chars()
_WHOLE = _ID.str.replace(r"\.0+$", "")
_SHORT = _ID.str.strip_chars_start("0")
_SPELLINGS: Final[Mapping[str, pl.Expr]] = {
    "without leading zeros": _SHORT,
    "without spaces around them": _TRIMMED,
    "in lower case": _ID.str.to_lowercase(),
    "without a final .0": _WHOLE,
    "without leading zeros, spaces around them and a final .0, in lower case": (
        _TRIMMED.str.to_lowercase().str.replace(r"\.0+$", "").str.strip_chars_start("0")
    ),
}


def describe_unknown(
    unknown: pl.Series, known: pl.Series, *, variants: Sequence[pl.Series] = ()
) -> str:
    """Say in words what ids look like that `known` lacks, and how more of them would match.

    Args:
        unknown: an id per row; none of them is in `known`.
        known: ids of the catalogue.
        variants: other readings of `unknown`, row by row, that may be the ids.

    >>> describe_unknown(pl.Series(["7", "7", "x"]), pl.Series(["007", "008"]))
    "such as '7' where the catalogue has '007': written without leading zeros, 67% would match"
    """
    ids = known.alias("id").to_frame().unique().sort("id")
    found = [
        (how, _matches(_counted(rows), ids, spell))
        for rows in (unknown, *variants)
        for how, spell in _SPELLINGS.items()
    ]
    # Of equals the first, which asks for least.
    how, matches = max(found, key=lambda one: int(one[1]["count"].sum()))
    if matches.is_empty():
        has = f"has ids such as {_quoted(ids['id'][0])}" if ids.height else "is empty"
        return f"such as {_quoted(unknown[0])}; the catalogue {has}"
    there, here = matches.row(0, named=True)["id"], matches.row(0, named=True)["known"]
    share = matches["count"].sum() / len(unknown)
    return (
        f"such as {_quoted(there)} where the catalogue has {_quoted(here)}: written {how},"
        f" {share:.0%} would match"
    )


def _counted(ids: pl.Series) -> pl.DataFrame:
    return ids.alias("id").to_frame().group_by("id", maintain_order=True).agg(count=pl.len())


def _matches(rows: pl.DataFrame, ids: pl.DataFrame, spell: pl.Expr) -> pl.DataFrame:
    """`id`, `count` and `known`, by which it would be known, in the order of `rows`."""
    keys = ids.select(key=spell, known="id").unique("key", keep="first", maintain_order=True)
    return rows.with_columns(key=spell).join(keys, on="key", how="inner", maintain_order="left")


def _quoted(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
