"""PMMRec's losses as its paper writes them: loops over the slots of a batch, one float at a time.

A batch is a list of sequences, lists of items; vectors are dictionaries by item. An item that lacks
a text or a picture is in no dictionary of it.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import exp, floor, log, sqrt


def cosine(first, second):
    """Of the angle between two vectors."""
    return dot(first, second) / sqrt(dot(first, first) * dot(second, second))


def dot(first, second):
    """Inner product."""
    return sum(float(one) * float(other) for one, other in zip(first, second, strict=True))


def contrast(texts, images, sequences, *, kind, denominator, temperature):
    """Mean of equations 6, 7 or 8 over anchors and directions."""
    losses = []
    for own, other in ((texts, images), (images, texts)):
        for row, sequence in enumerate(sequences):
            for item, following in pairwise(sequence):
                if item in texts and item in images:
                    others = _items_of_others(sequences, row)
                    losses.append(
                        _contrast_of(
                            item, following, others, own, other, kind, denominator, temperature
                        )
                    )
    return sum(losses) / len(losses)


def _items_of_others(sequences, row):
    """Each once, without any that is in the row."""
    found = []
    for number, sequence in enumerate(sequences):
        for item in sequence:
            if number != row and item not in sequences[row] and item not in found:
                found.append(item)
    return found


def _contrast_of(item, following, others, own, other, kind, denominator, temperature):
    def likeness(vectors, of):
        return exp(cosine(own[item], vectors[of]) / temperature)

    first = likeness(other, item)
    above, below = first, first
    if kind == "nicl" and following != item:
        for vectors in (other, own):
            if following in vectors:
                above += likeness(vectors, following)
        if denominator == "all_positives":
            below = above
    for one in others:
        if one in other:
            below += likeness(other, one)
        if one in own and kind != "vcl":
            below += likeness(own, one)
    return -log(above / below)


def next_item_among_slots(states, vectors, sequences, shares):
    """Equation 5 minus the log of shares, where there are any: `states` by (row, column)."""
    total = 0.0
    for (row, column), state in states.items():
        powers, right = 0.0, None
        for other, sequence in enumerate(sequences):
            for slot, item in enumerate(sequence):
                is_right = (other, slot) == (row, column + 1)
                if item in sequences[row] and not is_right:
                    continue
                power = exp(dot(state, vectors[item])) / (shares[item] if shares else 1)
                powers += power
                right = power if is_right else right
        total -= log(right / powers)
    return total / len(states)


def noised_item_detection(states, labels, weight, bias, *, relu):
    """Equation 10, with a softmax for its logarithm's argument."""
    total = 0.0
    for state, label in zip(states, labels, strict=True):
        values = [dot(state, row) + float(of) for row, of in zip(weight, bias, strict=True)]
        if relu:
            values = [max(value, 0.0) for value in values]
        total -= log(exp(values[label]) / sum(exp(value) for value in values))
    return total / len(labels)


def robust_contrast(clean, corrupted, *, similarity, temperature):
    """Equation 11."""
    total = 0.0
    for user, own in enumerate(clean):
        powers = [
            exp(cosine(own, other) / temperature if similarity == "normalised" else dot(own, other))
            for other in corrupted
        ]
        total -= log(powers[user] / sum(powers))
    return total / len(clean)


def num_shuffled(length, share):
    """Of a row of that many items."""
    return max(2, _rounded(length, share)) if length >= 4 else 0


def num_replaced(length, share):
    """Of a row of that many items, and the probability of one more."""
    found = _rounded(length, share)
    return found, (0 if found else Fraction(str(share)) * length)


def _rounded(length, share):
    return floor(Fraction(str(share)) * length + Fraction(1, 2))
