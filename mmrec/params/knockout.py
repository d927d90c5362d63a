"""What a feature is deprived of, to see what it was worth: for studies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from mmrec.params.section import Section


class DroppedParams(Section):
    """A share of the items that have the feature lose it: an artificial gap.

    Whom it hits, a hash of seed and item says: a larger share hits those of a smaller one, too, and
    features of the same items the same ones.
    """

    name: Literal["dropped"]
    share: Annotated[float, Field(gt=0, lt=1)]
    """Of the items that have the feature."""
    seed: NonNegativeInt


class ShuffledParams(Section):
    """Every item that has the feature gets that of another: only what contents say is lost.

    Features of the same items are given to the same ones by the same seed. With a content an item
    gets its number of tokens.
    """

    name: Literal["shuffled"]
    seed: NonNegativeInt


class ConstantParams(Section):
    """All items that have the feature have the same: the mean of all its rows.

    So they cannot be told apart by it. An item keeps its number of rows, of vectors or of tokens.
    """

    name: Literal["constant"]


class NoiseParams(Section):
    """Every row is drawn from a normal distribution with mean and deviation of each dimension.

    Items can be told apart by it as by an ID, and it says nothing of them. An item keeps its number
    of rows; what it draws, a hash of seed, feature, item and position says, so that two features of
    an item have nothing in common.
    """

    name: Literal["noise"]
    seed: NonNegativeInt


KnockoutParams = Annotated[
    DroppedParams | ShuffledParams | ConstantParams | NoiseParams, Field(discriminator="name")
]
