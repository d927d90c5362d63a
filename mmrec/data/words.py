"""Sentences of items in, the words of each item and how often it has them out."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.part_writer import PartWriter

_WORD = r"\b\w\w+\b"
"""Two or more letters, digits or `_`: scikit-learn's, by Unicode's rules for all scripts."""


def bags_of_words(sentences: pa.Table) -> pa.Table:
    """`BAGS_OF_WORDS` of a `SENTENCES` table; an item without a word has no row.

    Words are in lower case. A script without spaces has a word for each stretch of letters.
    """
    frame = pl.from_arrow(sentences)
    assert isinstance(frame, pl.DataFrame)
    found = pl.col("sentence").str.to_lowercase().str.extract_all(_WORD)
    words = frame.select("item_id", word=found).explode("word").drop_nulls("word")
    counted = words.group_by("item_id", "word").agg(count=pl.len()).sort("item_id", "word")
    bags = counted.group_by("item_id", maintain_order=True).agg(words="word", counts="count")
    return bags.to_arrow().cast(schemas.BAGS_OF_WORDS)


def write_bags_of_words(bags: pa.Table, directory: Path) -> None:
    """Write the feature that every dataset has without an extractor."""
    with PartWriter(directory, schemas.BAGS_OF_WORDS) as writer:
        writer.write(bags)
