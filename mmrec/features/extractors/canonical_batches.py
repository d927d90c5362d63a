"""Batches of a few fixed shapes, always full, so that a vector does not depend on its neighbours.

Floating-point results depend a little on the shape of a batch, and attention takes another path
when nothing is padded. Texts of similar length therefore meet in batches whose padded length
and size follow from their own token counts alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import numpy as np

from mmrec.features.contract import FloatArray, IntArray
from mmrec.features.prefetch import prefetched

if TYPE_CHECKING:
    import torch

S = TypeVar("S")
T = TypeVar("T")

# fmt: off
PADDED_LENGTHS: Final = (
    8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 768,
    1024, 2048, 4096, 8192,
)
# fmt: on
"""Token counts that texts are padded to; the model's own maximum is added to them."""


class BatchSizes(NamedTuple):
    """What one forward pass takes: the same for every batch on one device."""

    tokens: int
    """Padded tokens of a text batch."""
    images: int


def batch_sizes(device: torch.device) -> BatchSizes:
    """A core is busy with little, and a larger batch leaves its cache; an accelerator is not."""
    return BatchSizes(512, 16) if device.type == "cpu" else BatchSizes(32_768, 128)


class TextBatch(NamedTuple):
    """Which texts are encoded together, and how long they are padded."""

    rows: IntArray
    """Indices of the texts; the last one is repeated until the batch is full."""
    num_real: int
    """How many rows are not repetitions."""
    padded_length: int


def text_batches(
    num_tokens: IntArray, *, max_length: int, tokens_per_batch: int
) -> Iterator[TextBatch]:
    """Group texts by token count.

    Every text is padded by at least one position, except those that fill the maximum length,
    which are kept among themselves: so no batch has a padding mask only because of a neighbour.
    """
    lengths = np.array([n for n in PADDED_LENGTHS if n < max_length] + [max_length])
    # A text as long as the maximum gets a group of its own, one beyond the last length.
    group = np.searchsorted(lengths, num_tokens, side="right")
    order = np.lexsort((num_tokens, group))
    padded = [*lengths.tolist(), max_length]
    for index in np.unique(group).tolist():
        rows = order[group[order] == index]
        size = max(1, tokens_per_batch // padded[index])
        for batch, num_real in full_batches(rows, size):
            yield TextBatch(batch, num_real, padded[index])


def full_batches(rows: IntArray, size: int) -> Iterator[tuple[IntArray, int]]:
    """Cut rows into batches of exactly `size`, the last row repeated; counts the real rows."""
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        filler = np.full(size - len(batch), batch[-1])
        yield np.concatenate([batch, filler]), len(batch)


def chunks(contents: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` contents, drawn only when they are asked for."""
    iterator = iter(contents)
    while chunk := list(islice(iterator, size)):
        yield chunk


def encoded_pictures(
    contents: Iterable[S],
    prepare: Callable[[S], torch.Tensor],
    forward: Callable[[torch.Tensor], FloatArray],
    size: int,
) -> Iterator[FloatArray]:
    """Results of batch after batch of exactly `size` pictures, without those of repetitions.

    Args:
        contents: drawn no further ahead than two batches.
        prepare: makes a tensor of a picture; called by several threads.
        forward: from a batch to a result for each of its pictures.
        size: of a batch.
    """
    import torch

    for pictures in chunks(prefetched(prepare, contents, ahead=2 * size), size):
        rows, num_real = next(full_batches(np.arange(len(pictures)), size))
        yield forward(torch.stack([pictures[row] for row in rows]))[:num_real]
