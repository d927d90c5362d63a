"""Cutting an ordered list of rows into batches by how many targets they may hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MIN_TARGETS = 2
"""An in-batch loss needs another target to tell from."""


def cut_batches(num_targets: npt.NDArray[np.int64], batch_size: int) -> list[int]:
    """Borders 0 = b0 < b1 < … = rows, so that rows b[i]:b[i+1] are a batch.

    A batch takes rows until the next would bring it over `batch_size` targets. A last
    batch of less than half that shares evenly with the one before. No batch is left with
    a single target, if need be by one target more than `batch_size`.

    Args:
        num_targets: targets of each row in order, 1 to `batch_size` each.
        batch_size: most targets of a batch.
    """
    ends = np.cumsum(num_targets)
    num_rows = len(ends)
    borders = [0]
    while borders[-1] < num_rows:
        done = _before(ends, borders[-1])
        border = int(np.searchsorted(ends, done + batch_size, side="right"))
        if ends[border - 1] - done < MIN_TARGETS:
            border += 1
        borders.append(min(border, num_rows))
    return _share_last(borders, ends, batch_size)


def _share_last(borders: list[int], ends: npt.NDArray[np.int64], batch_size: int) -> list[int]:
    if len(borders) < 3:
        return borders
    *kept, middle, last = borders
    done, total = _before(ends, kept[-1]), int(ends[-1])
    left = total - _before(ends, middle)
    if left >= MIN_TARGETS and 2 * left >= batch_size:
        return borders
    half = int(np.searchsorted(ends, (done + total) / 2, side="left"))
    choices = [border for border in (half, half + 1) if kept[-1] < border < last]
    border = min(choices, key=lambda choice: abs(2 * _before(ends, choice) - done - total))
    smaller = min(_before(ends, border) - done, total - _before(ends, border))
    return [*kept, last] if smaller < MIN_TARGETS else [*kept, border, last]


def _before(ends: npt.NDArray[np.int64], row: int) -> int:
    return int(ends[row - 1]) if row else 0
