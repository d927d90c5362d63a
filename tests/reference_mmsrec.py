"""What MMSRec is trained on, one pair and one row at a time, in float64 and without autograd.

The network itself, written down as one does first, is `benchmarks.straightforward_mmsrec`.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import chisquare

TERMS = (("v", "v2"), ("t", "t2"), ("v", "t"), ("vt", "vt2"))
"""What is contrasted with what; the second of a kind is another pass with other dropout."""


def item_contrast(passes, *, weights, temperature):
    """Sum of weight times `contrast` over the four terms; passes [n, D] by name."""
    terms = [contrast(passes[first], passes[second], temperature) for first, second in TERMS]
    return sum(weight * term for weight, term in zip(weights, terms, strict=True))


def contrast(first, second, temperature):
    """Two matrices [n, D] of the same items: both directions, added; each is a mean over items."""
    total = 0.0
    for anchors, others in ((first, second), (second, first)):
        for j, anchor in enumerate(anchors):
            powers = [math.exp(_cosine(anchor, other) / temperature) for other in others]
            total -= math.log(powers[j] / sum(powers))
    return total / len(first)


def masked_item_loss(states, table, targets, *, temperature):
    """Mean over states [n, D] of minus log of the target's share among items 1 and up [N, D]."""
    total = 0.0
    for state, target in zip(states, targets, strict=True):
        powers = [math.exp(_cosine(state, row) / temperature) for row in table[1:]]
        total -= math.log(powers[target - 1] / sum(powers))
    return total / len(targets)


def _cosine(first, second):
    products, first_square, second_square = 0.0, 0.0, 0.0
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        products += one * other
        first_square += one * one
        second_square += other * other
    return products / math.sqrt(first_square * second_square)


def numerical_gradient(function, values, step=1e-6):
    """Central differences of a function of one array, value by value."""
    gradient = np.zeros_like(values)
    for place in np.ndindex(values.shape):
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[place] += sign * step
            ends.append(function(moved))
        gradient[place] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def slope(function, parameters, directions, step=1e-6):
    """Central difference of a function without arguments along a direction of its parameters."""
    starts = [parameter.detach().clone() for parameter in parameters]
    ends = []
    for sign in (1, -1, 0):  # the last puts them back
        with torch.no_grad():
            moves = zip(parameters, starts, directions, strict=True)
            for parameter, start, direction in moves:
                parameter.copy_(start + sign * step * direction)
            ends.append(function().item())
    return (ends[0] - ends[1]) / (2 * step)


class MaskedRow(NamedTuple):
    """What a model is shown, and what it is to name at each position, 0 where nothing."""

    shown: list[int]
    targets: list[int]

    @property
    def original(self):
        """The row before anything was replaced."""
        return [target or item for item, target in zip(self.shown, self.targets, strict=True)]


def rows_of(batches):
    """Rows of batches, without their padding on the right."""
    found = []
    for batch in batches:
        for shown, targets in zip(batch.items.tolist(), batch.targets.tolist(), strict=True):
            length = sum(item != 0 for item in shown)
            assert all(item != 0 for item in shown[:length]), "padding within a row"
            assert not any(targets[length:]), "a target behind the end of a row"
            found.append(MaskedRow(shown[:length], targets[:length]))
    return found


def prefixes(histories, longest):
    """The latest `longest` items of s_1..s_k for every k from 2, of every history."""
    ends = [(history, end) for history in histories for end in range(2, 1 + len(history))]
    return [history[max(end - longest, 0) : end] for history, end in ends]


def check_masks(rows, originals, *, num_items, mask_probability, shares=(0.8, 0.1, 0.1), p=1e-4):
    """Assert that rows are the originals, masked as MMSRec masks; N items incl. padding, mask N.

    The last item is always masked and asked for. Each other is asked for with `mask_probability`,
    and is then the mask, any item drawn from 1 to N - 1, or itself, by these shares. Shares and
    draws are chi-square tests, which a right source fails with a chance of `p` each.
    """
    assert Counter(tuple(row.original) for row in rows) == Counter(map(tuple, originals))
    for row in rows:
        assert row.shown[-1] == num_items, "the last item is not masked"
        assert row.targets[-1] != 0, "the last item is not asked for"
        for shown, target in zip(row.shown, row.targets, strict=True):
            assert 1 <= shown <= num_items
            assert 0 <= target < num_items, "the mask is asked for"
            assert target or shown != num_items, "a mask that nobody asks for"
    _check_selection(rows, mask_probability, p)
    asked = [
        (shown, target)
        for row in rows
        for shown, target in zip(row.shown[:-1], row.targets[:-1], strict=True)
        if target
    ]
    _check_kinds(asked, num_items, shares, p)
    if shares[1]:
        _check_draws([pair for pair in asked if pair[0] not in (num_items, pair[1])], num_items, p)


def _check_selection(rows, mask_probability, p):
    """As often at every distance from the end, and in no row more than by chance."""
    longest = max(len(row.shown) for row in rows)
    for distance in range(2, 1 + longest):
        found = [row.targets[-distance] != 0 for row in rows if len(row.shown) >= distance]
        _fits([sum(found), len(found) - sum(found)], [mask_probability, 1 - mask_probability], p)
    pairs = Counter(
        (first != 0, second != 0)
        for row in rows
        for first, second in zip(row.targets[:-2], row.targets[1:-1], strict=True)
    )
    chances = {True: mask_probability, False: 1 - mask_probability}
    kinds = [(first, second) for first in chances for second in chances]
    _fits([pairs[kind] for kind in kinds], [chances[a] * chances[b] for a, b in kinds], p)


def _check_kinds(asked, num_items, shares, p):
    """Masks, other items and unchanged ones; a random item is now and then the same one."""
    masked, random, same = shares
    by_chance = random / (num_items - 1)
    masks = sum(shown == num_items for shown, _ in asked)
    unchanged = sum(shown == target for shown, target in asked)
    counts = [masks, len(asked) - masks - unchanged, unchanged]
    _fits(counts, [masked, random - by_chance, same + by_chance], p)


def _check_draws(replaced, num_items, p):
    """Every item as often as every other among those that an item was replaced by."""
    found, expected = np.zeros(num_items), np.zeros(num_items)
    for shown, target in replaced:
        found[shown] += 1
        expected[1:] += 1 / (num_items - 2)
        expected[target] -= 1 / (num_items - 2)
    _fits(found[1:], expected[1:] / len(replaced), p)


def _fits(counts, chances, p):
    counts = np.asarray(counts, dtype=np.float64)
    expected = np.asarray(chances) * counts.sum()
    possible = expected > 0
    assert not counts[~possible].any(), f"{counts} where {chances} are the chances"
    assert expected[possible].min() >= 5, "too few to tell"
    if possible.sum() > 1:
        found = chisquare(counts[possible], expected[possible]).pvalue
        assert found > p, f"{counts} where {expected} are expected: {found}"
