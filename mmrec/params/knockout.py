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
    seed: NonNegativeInt


class ShuffledParams(Section):
    """Every item that has the feature gets that of another: only what contents say is lost.

    Features of the same items are given to the same ones by the same seed.
    """

    name: Literal["shuffled"]
    seed: NonNegativeInt


KnockoutParams = Annotated[DroppedParams | ShuffledParams, Field(discriminator="name")]
