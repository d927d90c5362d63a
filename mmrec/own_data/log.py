"""The log's columns in; which of them are user, item, time and rating out, with the reasons."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

import polars as pl

from mmrec.data.sources import columns as convert
from mmrec.data.sources.times import Unit
from mmrec.io import DataError
from mmrec.own_data import names
from mmrec.own_data.look import Look, share

_UNITS: Final[tuple[Unit, ...]] = ("s", "ms", "us", "ns", "iso")
_PLAUSIBLE: Final = (631_152_000 * 10**9, 4_102_444_800 * 10**9)
"""1990 to 2100, in nanoseconds."""
_MOST_GRADES: Final = 101
_MANY: Final = 100
"""Distinct items by which a column is one of items."""


class Guess(NamedTuple):
    """A column, or what is written in its place, and why."""

    value: str
    why: str


class ItemColumns(NamedTuple):
    """By which column the catalogue and the log name an item."""

    catalogue: Guess
    log: Guess
    share: float
    """Of the log's first rows, those whose item is in the catalogue."""


def guess_items(items: Look, log: Look) -> ItemColumns | None:
    """The pair of columns by which the two files name an item; None if there is none."""
    sides = {
        name: ids
        for name in items.columns
        if (ids := items.ids(name)) is not None and len(ids) and ids.n_unique() == len(ids)
    }
    best: tuple[float, str, str, float] | None = None
    for left in sides:
        known = items.all_ids(left).unique()
        for right in log.columns:
            found = log.ids(right)
            if found is None or found.is_empty():
                continue
            inside = found.filter(found.is_in(known.implode()))
            there = len(inside) / len(found)
            called = names.likeness(left, names.ITEM) + names.likeness(right, names.ITEM)
            # Users, grades and amounts may be numbers that are also ids of items: few, or named.
            many = min(1.0, inside.n_unique() / min(_MANY, len(known)))
            others = max(names.likeness(right, usual) for usual in names.OTHERS)
            score = 3 * there + many + called - 2 * others
            if (there > 0 or called >= 1) and (best is None or score > best[0]):
                best = score, left, right, there
    if best is None:
        return None
    _, left, right, there = best
    said = f"{there:.0%} of the log's are in the catalogue"
    return ItemColumns(Guess(left, f"no value twice; {said}"), Guess(right, said), there)


def guess_time(log: Look, taken: Collection[str]) -> tuple[Guess, Unit] | None:
    """The column of times and their unit, where one reads as times between 1990 and 2100."""
    found = [
        (names.likeness(name, names.TIME), -place, name, unit)
        for place, name in enumerate(log.columns)
        if name not in taken and (unit := _unit(log, name)) is not None
    ]
    if not found:
        return None
    called, _, name, unit = max(found)
    example = log.sample.frame[name].drop_nulls()[0]
    how = "by its name and values" if called else "by its values"
    return Guess(name, f"{how}, such as {example}"), unit


def _unit(log: Look, name: str) -> Unit | None:
    for unit in _UNITS:
        try:
            found = convert.as_timestamps_ns(log.sample, name, unit).drop_nulls()
        except DataError:
            continue
        if len(found) and share(found.is_between(*_PLAUSIBLE)) > 0.9:
            return unit
    return None


def guess_rating(log: Look, taken: Collection[str]) -> Guess | None:
    """The column of ratings: called so, and of few numbers."""
    for name in sorted(log.columns, key=lambda one: -names.likeness(one, names.RATING)):
        if name in taken or not names.likeness(name, names.RATING):
            continue
        try:
            found = convert.as_ratings(log.sample, name).drop_nulls()
        except DataError:
            continue
        grades = sorted({*found.to_list()})
        if 0 < len(grades) <= _MOST_GRADES:
            return Guess(name, f"by its name; {grades[0]:g} to {grades[-1]:g}")
    return None


def guess_user(log: Look, taken: Collection[str]) -> Guess | None:
    """The column of users: called so, or the only one left whose values come again."""
    left = [name for name in log.columns if name not in taken]
    best = max(left, key=lambda name: names.likeness(name, names.USER), default=None)
    if best is not None and names.likeness(best, names.USER):
        return Guess(best, "by its name")
    recurring = [name for name in left if _recurs(log.ids(name))]
    if len(recurring) == 1:
        return Guess(recurring[0], "the only column left whose values come again")
    return None


def _recurs(ids: pl.Series | None) -> bool:
    return ids is not None and 1 < ids.n_unique() <= len(ids) / 2
