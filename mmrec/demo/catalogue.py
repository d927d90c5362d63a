"""(num_items, seed) -> the hidden truth of every item, as integer columns."""

from dataclasses import dataclass

import numpy as np

from mmrec.demo.attributes import (
    BACKGROUNDS,
    BRANDS,
    CATEGORIES,
    COLOURS,
    MATERIALS,
    PATTERNS,
    STYLES,
)

MIN_ITEMS = 60
_AT_OPENING = 0.35  # share of the items on sale from the first day
_NEW_SEASON = 0.14  # share of items that arrive in the last part of the shop's time
_SEASON_LENGTH = 0.04
_POPULARITY_SPREAD = 0.7  # sigma of the log-normal
_PICTURE_COUNTS = (0.55, 0.3, 0.15)  # of one, two and three pictures
_NO_PICTURES = 0.04
_NO_TEXT = 0.03
_NEITHER = 0.01
_BROKEN = 0.02
_DUPLICATES = 0.02
_TOLD = 0.5
_TOLD_TOGETHER = 0.8


@dataclass(frozen=True)
class Catalogue:
    """One array per attribute, all of length ``num_items``.

    Attributes:
        category, colour, pattern, background, material, style, brand: indices into the lists of
            ``mmrec.demo.attributes``.
        popularity: positive weight, log-normal.
        release: in [0, 1), share of the shop's time that has passed when the item appears.
        picture_seed: of the drawings.
        num_pictures: 0 to 3.
        broken_picture: position of the picture that is cut off, -1 if none.
        duplicate_of: row whose first picture is repeated, -1 if none.
        has_text, tells_colour, tells_pattern: bool.
    """

    category: np.ndarray
    colour: np.ndarray
    pattern: np.ndarray
    background: np.ndarray
    material: np.ndarray
    style: np.ndarray
    brand: np.ndarray
    popularity: np.ndarray
    release: np.ndarray
    picture_seed: np.ndarray
    num_pictures: np.ndarray
    broken_picture: np.ndarray
    duplicate_of: np.ndarray
    has_text: np.ndarray
    tells_colour: np.ndarray
    tells_pattern: np.ndarray


def draw_catalogue(num_items: int, seed: int) -> Catalogue:
    """Draw the attributes of every item."""
    if num_items < MIN_ITEMS:
        raise ValueError(f"num_items: found {num_items}, the demo shop needs at least {MIN_ITEMS}")
    generator = np.random.default_rng([seed, 0])
    drawn = _draw_attributes(num_items, generator)
    popularity = np.exp(_POPULARITY_SPREAD * generator.standard_normal(num_items))
    opening = generator.random(num_items) < _AT_OPENING
    moment = generator.random(num_items)
    season = generator.random(num_items) < _NEW_SEASON
    earlier = np.where(opening, 0.0, moment * (1 - _SEASON_LENGTH))
    release = np.where(season, 1 - moment * _SEASON_LENGTH, earlier)
    tells_colour = generator.random(num_items) < _TOLD
    together = generator.random(num_items) < _TOLD_TOGETHER
    fate = generator.random(num_items)
    has_pictures = fate >= _NO_PICTURES + _NEITHER
    counts = generator.choice(len(_PICTURE_COUNTS), size=num_items, p=_PICTURE_COUNTS) + 1
    num_pictures = np.where(has_pictures, counts, 0)
    duplicate_of = _draw_duplicates(num_pictures, generator)
    repeats = np.flatnonzero(duplicate_of >= 0)
    for name in ("category", "colour", "pattern", "background", "picture_seed"):
        drawn[name][repeats] = drawn[name][duplicate_of[repeats]]
    return Catalogue(
        **drawn,
        popularity=popularity,
        release=release,
        num_pictures=num_pictures,
        broken_picture=_draw_broken(num_pictures, duplicate_of, generator),
        duplicate_of=duplicate_of,
        has_text=(fate >= _NEITHER) & (fate < 1.0 - _NO_TEXT),
        tells_colour=tells_colour,
        tells_pattern=np.where(together, tells_colour, ~tells_colour),
    )


def _draw_attributes(num_items: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    drawn = {
        name: generator.integers(0, len(names), size=num_items)
        for name, names in (
            ("colour", COLOURS),
            ("pattern", PATTERNS),
            ("background", BACKGROUNDS),
            ("material", MATERIALS),
            ("style", STYLES),
            ("brand", BRANDS),
            ("picture_seed", range(2**31)),
        )
    }
    # Every category gets its share, so that no shopper finds an empty shelf.
    drawn["category"] = generator.permutation(num_items) % len(CATEGORIES)
    return drawn


def _draw_duplicates(num_pictures: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The row each item repeats the first picture of, -1 for most; originals are no repeats."""
    repeats = (generator.random(len(num_pictures)) < _DUPLICATES) & (num_pictures > 0)
    originals = np.flatnonzero(~repeats & (num_pictures > 0))
    chosen = originals[generator.integers(0, len(originals), size=len(num_pictures))]
    return np.where(repeats, chosen, -1)


def _draw_broken(
    num_pictures: np.ndarray, duplicate_of: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The position of the broken picture, -1 for most; never one that is or has a duplicate."""
    involved = duplicate_of >= 0
    involved[duplicate_of[involved]] = True
    broken = (generator.random(len(num_pictures)) < _BROKEN) & (num_pictures > 0) & ~involved
    positions = (generator.random(len(num_pictures)) * num_pictures).astype(np.int64)
    return np.where(broken, positions, -1)
