"""A catalogue -> what its shoppers bought: users, items and times, learnable from content.

A shopper's taste is a category, a colour, a pattern and a material. Before each purchase the
category stays, follows the "goes with" graph or (rarely) jumps; the others change now and then,
within the shopper's own small palette. The item is then chosen among what is on sale in the
category, by how well it matches, how popular it is and luck.
"""

from typing import NamedTuple

import numpy as np

from mmrec.demo.attributes import CATEGORIES, COLOURS, GOES_WITH, MATERIALS, PATTERNS
from mmrec.demo.catalogue import Catalogue

OPENING_S = 1_609_459_200  # 2021-01-01 00:00 UTC
DURATION_S = 2 * 365 * 86_400
MIN_LENGTH = 5
MAX_LENGTH = 50
STAY, FIRST, SECOND = 0.55, 0.26, 0.15  # category moves; the rest jumps anywhere
KEEP_COLOUR, KEEP_PATTERN, KEEP_MATERIAL = 0.9, 0.9, 0.85
COLOUR_WEIGHT, PATTERN_WEIGHT, MATERIAL_WEIGHT = 4.5, 3.5, 1.5
_PALETTE_SIZE = 2
_EXTRA_LENGTH = 6.2  # mean number of purchases beyond the fewest
_NUM_CANDIDATES = 64
_NUM_NEW_CANDIDATES = 6  # of them from the latest arrivals
_NEW_SHARE = 0.12
_REMEMBERED = 12  # recent purchases that are not repeated
_LEFT_EARLY = 0.06  # longest time between a last purchase and today, as a share
_SAME_SECOND = 0.03
_REPEATED = 0.02
_CHUNK = 20_000


class Purchases(NamedTuple):
    """Rows of the log in time order; int64 arrays of one length."""

    user: np.ndarray
    item: np.ndarray
    timestamp_s: np.ndarray


class _Shelves(NamedTuple):
    """Items sorted by category and, within it, by release."""

    items: np.ndarray
    keys: np.ndarray  # category + release, ascending
    starts: np.ndarray  # first place of each category
    weights: np.ndarray  # running sum of popularity, with a leading zero


class _Taste(NamedTuple):
    """What each shopper of a chunk wants now, and the palettes it may change within."""

    category: np.ndarray
    wants: dict[str, np.ndarray]
    palettes: dict[str, np.ndarray]


_KEEPS = {"colour": KEEP_COLOUR, "pattern": KEEP_PATTERN, "material": KEEP_MATERIAL}
_WEIGHTS = {"colour": COLOUR_WEIGHT, "pattern": PATTERN_WEIGHT, "material": MATERIAL_WEIGHT}
_SIZES = {"colour": len(COLOURS), "pattern": len(PATTERNS), "material": len(MATERIALS)}
_NEXT = np.array([[CATEGORIES.index(name) for name in GOES_WITH[c]] for c in CATEGORIES])


def draw_purchases(catalogue: Catalogue, num_users: int, seed: int) -> Purchases:
    """Let ``num_users`` shoppers buy."""
    if num_users < 1:
        raise ValueError(f"num_users: found {num_users}, the demo shop needs at least 1")
    shelves = _fill_shelves(catalogue)
    chunks = []
    for number, first in enumerate(range(0, num_users, _CHUNK)):
        generator = np.random.default_rng([seed, 1, number])
        count = min(_CHUNK, num_users - first)
        user, item, timestamp_s = _shop_together(catalogue, shelves, count, generator)
        chunks.append(_with_repeats(Purchases(user + first, item, timestamp_s), generator))
    user, item, timestamp_s = (np.concatenate(column) for column in zip(*chunks, strict=True))
    order = np.argsort(timestamp_s, kind="stable")
    return Purchases(user[order], item[order], timestamp_s[order])


def _fill_shelves(catalogue: Catalogue) -> _Shelves:
    keys = catalogue.category + catalogue.release
    items = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[items], np.arange(len(CATEGORIES) + 1))
    weights = np.concatenate([[0.0], np.cumsum(catalogue.popularity[items])])
    return _Shelves(items, keys[items], starts, weights)


def _shop_together(
    catalogue: Catalogue, shelves: _Shelves, count: int, generator: np.random.Generator
) -> Purchases:
    """One chunk of shoppers, all taking their next step at once."""
    lengths = MIN_LENGTH + generator.geometric(1 / (1 + _EXTRA_LENGTH), size=count) - 1
    lengths = np.minimum(lengths, MAX_LENGTH)
    times = _draw_times(lengths, generator)
    taste = _first_taste(count, generator)
    bought = np.full((count, MAX_LENGTH), -1, dtype=np.int64)
    for step in range(int(lengths.max())):
        # All rows draw, also those that are done: a row's luck must not depend on the others.
        taste = _moved(taste, generator)
        active = np.flatnonzero(lengths > step)
        luck = generator.random((count, _NUM_CANDIDATES, 2), dtype=np.float32)[active]
        recent = bought[active, max(0, step - _REMEMBERED) : step]
        now = times[active, step]
        chosen = _choose(catalogue, shelves, _rows(taste, active), now, recent, luck)
        bought[active, step] = chosen
    user, step_of = np.nonzero(bought >= 0)
    timestamp_s = OPENING_S + (times[user, step_of] * DURATION_S).astype(np.int64)
    return Purchases(user, bought[user, step_of], timestamp_s)


def _draw_times(lengths: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Ascending times in [0, 1) [U, MAX_LENGTH]; beyond a shopper's length they mean nothing."""
    begin = 0.75 * generator.random(len(lengths))
    # Nearly all are customers to this day, so that their last purchases meet the new season.
    end = 1 - (1 - begin) * _LEFT_EARLY * generator.random(len(lengths))
    gaps = generator.exponential(size=(len(lengths), MAX_LENGTH))
    gaps[generator.random(gaps.shape) < _SAME_SECOND] = 0.0
    passed = np.cumsum(gaps, axis=1)
    whole = passed[np.arange(len(lengths)), lengths - 1][:, None] + 1e-9
    return np.asarray(np.clip(begin[:, None] + (end - begin)[:, None] * passed / whole, 0.0, 1.0))


def _first_taste(count: int, generator: np.random.Generator) -> _Taste:
    palettes = {
        name: generator.integers(0, size, size=(count, _PALETTE_SIZE))
        for name, size in _SIZES.items()
    }
    wants = {name: palette[:, 0] for name, palette in palettes.items()}
    return _Taste(generator.integers(0, len(CATEGORIES), size=count), wants, palettes)


def _moved(taste: _Taste, generator: np.random.Generator) -> _Taste:
    count = len(taste.category)
    move = generator.random(count)
    category = generator.integers(0, len(CATEGORIES), size=count)
    bounds = (STAY, STAY + FIRST, STAY + FIRST + SECOND)
    category = np.where(move < bounds[2], _NEXT[taste.category, 1], category)
    category = np.where(move < bounds[1], _NEXT[taste.category, 0], category)
    category = np.where(move < bounds[0], taste.category, category)
    wants = {}
    for name, palette in taste.palettes.items():
        pick = palette[np.arange(count), generator.integers(0, _PALETTE_SIZE, size=count)]
        wants[name] = np.where(generator.random(count) < _KEEPS[name], taste.wants[name], pick)
    return _Taste(category, wants, taste.palettes)


def _rows(taste: _Taste, rows: np.ndarray) -> _Taste:
    wants = {name: want[rows] for name, want in taste.wants.items()}
    return _Taste(taste.category[rows], wants, taste.palettes)


def _choose(
    catalogue: Catalogue,
    shelves: _Shelves,
    taste: _Taste,
    now: np.ndarray,
    recent: np.ndarray,
    luck: np.ndarray,
) -> np.ndarray:
    """The item each of U shoppers takes: int64 [U]; ``luck`` is uniform [U, C, 2]."""
    start = shelves.starts[taste.category]
    stop = np.searchsorted(shelves.keys, taste.category + np.minimum(now, 1 - 1e-9), side="right")
    stop = np.maximum(stop, start + 1)  # before the first release, the first item is sold early
    low, high = shelves.weights[start][:, None], shelves.weights[stop][:, None]
    spots = low + luck[:, _NUM_NEW_CANDIDATES:, 0] * (high - low)
    popular = np.searchsorted(shelves.weights, spots, side="right") - 1
    latest = np.ceil(_NEW_SHARE * (stop - start))[:, None]
    new = stop[:, None] - 1 - (luck[:, :_NUM_NEW_CANDIDATES, 0] * latest).astype(np.int64)
    places = np.clip(np.concatenate([new, popular], axis=1), start[:, None], stop[:, None] - 1)
    candidates = shelves.items[np.minimum(places, len(shelves.items) - 1)]  # [U, C]
    score = -np.log(-np.log(np.clip(luck[:, :, 1], 1e-7, 1 - 1e-7)))
    for name, weight in _WEIGHTS.items():
        matches = getattr(catalogue, name)[candidates] == taste.wants[name][:, None]
        score = score + weight * matches
    for column in recent.T:
        score = np.where(candidates == column[:, None], -np.inf, score)
    return np.asarray(candidates[np.arange(len(now)), score.argmax(axis=1)])


def _with_repeats(purchases: Purchases, generator: np.random.Generator) -> Purchases:
    """Add rows that log a purchase once more, up to a day later."""
    again = generator.random(len(purchases.user)) < _REPEATED
    delay = generator.integers(0, 86_400, size=len(again))
    later = Purchases(
        purchases.user[again],
        purchases.item[again],
        np.minimum(purchases.timestamp_s + delay, OPENING_S + DURATION_S)[again],
    )
    return Purchases(*(np.concatenate(pair) for pair in zip(purchases, later, strict=True)))
