"""Where training, validation and test lie in each user's sequence: lengths in, borders out."""

from __future__ import annotations

from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mmrec.params.split import Targets

MIN_HELD_OUT: Final = 3
"""Interactions a user needs for a training item, a validation and a test target."""

Indices = NDArray[np.int64]
T = TypeVar("T")


class Borders(NamedTuple, Generic[T]):
    """Of each user [U]: places in the sequence, the first of a part and the one after its last.

    What is before `training_end` is trained on. What is from `validation_start` to
    `validation_end` is ranked for validation, each item after all items before it; the same of
    the test. Both come after the training part and after something. Other items stand in
    histories and are asked for by nobody.
    """

    training_end: T
    validation_start: T
    validation_end: T
    test_start: T
    test_end: T


def leave_one_out(lengths: Indices) -> Borders[Indices]:
    """The last item tests, the second last validates; of fewer than three, all train.

    >>> [int(place) for place, in leave_one_out(np.array([5]))]
    [3, 3, 4, 4, 5]
    """
    held_out = (lengths >= MIN_HELD_OUT).astype(np.int64)
    training_end, validation_end = lengths - 2 * held_out, lengths - held_out
    return Borders(training_end, training_end, validation_end, validation_end, lengths)


def by_period(
    lengths: Indices, validation: Indices, test: Indices, targets: Targets
) -> Borders[Indices]:
    """What comes before the period of validation trains; some of each period is asked for.

    Of a period that nothing of the user comes before, nothing is.

    >>> borders = by_period(np.array([6]), np.array([2]), np.array([4]), "last")
    >>> [int(place) for place, in borders]
    [2, 3, 4, 5, 6]

    Args:
        lengths: of the sequences.
        validation: how many items come before the period of validation.
        test: how many come before that of the test.
        targets: which items of a period are asked for.
    """
    return Borders(
        validation, *_targets(validation, test, targets), *_targets(test, lengths, targets)
    )


def _targets(start: Indices, end: Indices, targets: Targets) -> tuple[Indices, Indices]:
    end = np.where(start > 0, end, start)
    if targets == "first":
        return start, np.minimum(start + 1, end)
    if targets == "last":
        return np.maximum(end - 1, start), end
    return start, end


PARTS: Final = ("history", "training", "validation", "test")
"""What an interaction may be for: for nothing but the histories of others, or for one of these."""


def part_of_each(borders: Borders[Indices], lengths: Indices) -> NDArray[np.uint8]:
    """Of every interaction, user after user, its part as a place in `PARTS`."""
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    of_each = Borders(*(np.repeat(border, lengths) for border in borders))
    parts = np.zeros(len(place), dtype=np.uint8)
    parts[place < of_each.training_end] = PARTS.index("training")
    validated = (place >= of_each.validation_start) & (place < of_each.validation_end)
    parts[validated] = PARTS.index("validation")
    parts[(place >= of_each.test_start) & (place < of_each.test_end)] = PARTS.index("test")
    return parts
