"""Files of words in, the words of every item in memory out: those of item i between two offsets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from mmrec import schemas
from mmrec.features.item_rows import ItemRows, offsets_of
from mmrec.features.parts import item_index_of
from mmrec.io import DataError, read_table


@dataclass(frozen=True)
class WordTable(ItemRows):
    """The distinct words of every item; none for padding and for an item without text."""

    words: Tensor
    """[R] int64 number of the word, 0..V-1."""
    times: Tensor
    """[R] int64 how often the item has it."""
    offsets: Tensor
    """[N + 1] int64, N items including padding: rows of item i are offsets[i]:offsets[i + 1]."""
    num_words: int
    """V."""


def load_word_table(directory: Path, items: pa.Table) -> WordTable:
    """Read the words of a dataset's items and give them to the items they name.

    Words are numbered in the order of their UTF-8 bytes, so that nothing depends on where in the
    catalogue they stand first.

    Args:
        directory: folder of the feature's parts.
        items: columns item_id, item_index.

    Raises:
        DataError: there are none, an item that `items` has not or has them twice, or a word
            without its count.
    """
    bags = read_table(directory, schemas.BAGS_OF_WORDS)
    item_index = item_index_of(bags["item_id"], items, directory)
    order = np.argsort(item_index, kind="stable")
    if (np.diff(item_index[order]) == 0).any():
        raise DataError(f"{directory}: an item has its words twice; run the clean stage again")
    bags = bags.take(pa.array(order))
    lengths = pc.list_value_length(bags["words"])
    if not lengths.equals(pc.list_value_length(bags["counts"])):
        raise DataError(f"{directory}: a word has no count; run the clean stage again")
    words = pc.list_flatten(bags["words"]).combine_chunks()
    vocabulary = pc.unique(words).sort()
    numbers = pc.index_in(words, value_set=vocabulary).to_numpy().astype(np.int64)
    counts = np.zeros(items.num_rows + 1, np.int64)
    counts[item_index[order]] = lengths.to_numpy()
    return WordTable(
        torch.from_numpy(numbers),
        torch.from_numpy(pc.list_flatten(bags["counts"]).to_numpy().astype(np.int64)),
        offsets_of(torch.from_numpy(counts)),
        len(vocabulary),
    )
