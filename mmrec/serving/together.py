"""Requests that wait for the thread that ranks: those that ask alike are ranked in one go.

A product with the item table takes about as long for one history as for dozens, so that of
several clients at once each waits for all, not for one after the other. Nobody waits for company:
who finds the thread free is ranked alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Final

import polars as pl

from mmrec.library.histories import GivenHistories
from mmrec.library.run import Run
from mmrec.serving import limits
from mmrec.serving.bodies import RecommendBody

_WHOSE: Final = {"histories", "users"}


class _Place:
    """A request in line, and its lists once they are there."""

    def __init__(self, asked: RecommendBody) -> None:
        self.asked = asked
        self.how = asked.model_dump(exclude=_WHOSE)
        self.lists: pl.DataFrame | None = None

    @property
    def size(self) -> int:
        """Lists that it asks for."""
        return len(self.asked.users or self.asked.histories or ())


class Together:
    """Lists of a run for requests that wait.

    Args:
        run: that ranks.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: list[_Place] = []
        self._lock = Lock()

    @contextmanager
    def waiting(self, asked: RecommendBody) -> Iterator[Callable[[], pl.DataFrame]]:
        """What ranks a request, to be called by the thread that ranks while it waits inside.

        What it gives is as of `Run.recommend`, and so is what it raises.
        """
        place = _Place(asked)
        with self._lock:
            self._waiting.append(place)
        try:
            yield lambda: self._lists(place)
        finally:
            with self._lock:
                self._waiting.remove(place)

    def _lists(self, place: _Place) -> pl.DataFrame:
        if place.lists is not None:
            return place.lists
        group = self._alike(place)
        if len(group) > 1:
            # An error is of one of them, who alone is to hear it: each is then ranked by itself.
            with suppress(ValueError):
                self._rank_together(group)
        if place.lists is None:
            asked = place.asked
            place.lists = _recommended(self._run, asked, asked.histories_from(self._run))
        return place.lists

    def _alike(self, place: _Place) -> list[_Place]:
        """This one, and others that wait and ask for the same but for whom."""
        with self._lock:
            others = [one for one in self._waiting if one is not place and one.lists is None]
        group, size = [place], place.size
        for one in others:
            is_small = size + one.size <= limits.HISTORIES
            if one.how == place.how and is_small and place.size and one.size:
                group.append(one)
                size += one.size
        return group

    def _rank_together(self, group: Sequence[_Place]) -> None:
        given = [place.asked.histories_from(self._run) for place in group]
        parts = [[*one.values()] if isinstance(one, Mapping) else [*one] for one in given]
        whole = [history for part in parts for history in part]
        found = _recommended(self._run, group[0].asked, whole)
        start = 0
        for place, part in zip(group, parts, strict=True):
            own = found.filter(pl.col("history").is_between(start, start + len(part) - 1))
            own = own.with_columns(pl.col("history") - start)
            start += len(part)
            place.lists = own if place.asked.users is None else _of_users(own, place.asked.users)


def _recommended(run: Run, asked: RecommendBody, histories: GivenHistories) -> pl.DataFrame:
    filters = asked.filters(keep_seen=asked.keep_seen)
    return run.recommend(histories, asked.k, filters=filters, skip_unknown=asked.skip_unknown)


def _of_users(lists: pl.DataFrame, users: Sequence[str]) -> pl.DataFrame:
    """The same with ids of users in place of their places."""
    names = pl.Series("user_id", users, dtype=pl.String).gather(lists["history"])
    return pl.DataFrame([names, *lists.drop("history").get_columns()])
