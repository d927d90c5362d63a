"""A number of items in, their token states in the files of a feature out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec import schemas
from mmrec.part_writer import PartWriter

ITEMS_AT_ONCE = 1024


def item_ids(num_items: int) -> list[str]:
    """Of a catalogue in the order of its ids."""
    return [f"{number:08d}" for number in range(1, num_items + 1)]


def write_tokens(
    folder: Path, num_items: int, *, width: int, shortest: int, longest: int, seed: int
) -> int:
    """Write a content for every item, of random length and noise; returns how many tokens.

    One block of noise serves all items, each from a place of its own: a training reads as many
    bytes, and drawing them anew would take minutes.
    """
    generator = np.random.default_rng(seed)
    lengths = generator.integers(shortest, longest + 1, num_items)
    schema = schemas.token_features(width, pa.float16())
    described = schema.with_metadata({schemas.FINGERPRINT_KEY: '{"simulated": true}'})
    noise = generator.standard_normal((ITEMS_AT_ONCE * (longest + 1), width), np.float32)
    with PartWriter(folder, described) as writer:
        for table in _tables(lengths, noise.astype(np.float16), schema):
            writer.write(table)
    return int(lengths.sum())


def _tables(
    lengths: npt.NDArray[np.int64], noise: npt.NDArray[np.float16], schema: pa.Schema
) -> Iterator[pa.Table]:
    ids = item_ids(len(lengths))
    for start in range(0, len(lengths), ITEMS_AT_ONCE):
        own = lengths[start : start + ITEMS_AT_ONCE]
        item_of_token = np.repeat(np.arange(len(own)), own)
        first = np.cumsum(own) - own
        begin = start // ITEMS_AT_ONCE % (len(noise) - len(item_of_token))
        states = noise[begin : begin + len(item_of_token)]
        keys = [number.to_bytes(16, "big") for number in range(start, start + len(own))]
        columns = [
            pa.array(ids[start : start + len(own)]).take(pa.array(item_of_token)),
            pa.array(np.zeros(len(item_of_token), np.int32)),
            pa.array((np.arange(len(item_of_token)) - first[item_of_token]).astype(np.int32)),
            pa.array(keys, schemas.CONTENT_KEY).take(pa.array(item_of_token)),
            pa.FixedSizeListArray.from_arrays(pa.array(states.reshape(-1)), states.shape[1]),
        ]
        yield pa.table(columns, schema=schema)
