"""Core filtering, alone."""

from __future__ import annotations

from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.interactions import keep_core

_LOGS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=60)
_CORES = st.integers(0, 4)


def _coded(rows: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"user": pl.Int32, "item": pl.Int32}, orient="row")


@given(_LOGS, _CORES, _CORES)
def test_core_is_idempotent_and_leaves_nobody_rare(
    rows: list[tuple[int, int]], user_core: int, item_core: int
) -> None:
    once, dropped = keep_core(_coded(rows), user_core=user_core, item_core=item_core)
    twice, nothing = keep_core(once, user_core=user_core, item_core=item_core)
    assert once.equals(twice)
    for counts in (nothing.interactions, nothing.users, nothing.items):
        assert not any(counts.values())
    assert once.height + sum(dropped.interactions.values()) == len(rows)
    assert once["user"].n_unique() + sum(dropped.users.values()) == len({u for u, _ in rows})
    assert once["item"].n_unique() + sum(dropped.items.values()) == len({i for _, i in rows})
    assert min(Counter(once["user"]).values(), default=user_core) >= user_core
    assert min(Counter(once["item"]).values(), default=item_core) >= item_core


@given(_LOGS, _CORES, _CORES)
def test_core_is_the_largest_set_one_removal_at_a_time_finds(
    rows: list[tuple[int, int]], user_core: int, item_core: int
) -> None:
    left = list(rows)
    while True:
        users, items = Counter(u for u, _ in left), Counter(i for _, i in left)
        rare = [r for r in left if users[r[0]] < user_core or items[r[1]] < item_core]
        if not rare:
            break
        left.remove(rare[0])
    kept, _ = keep_core(_coded(rows), user_core=user_core, item_core=item_core)
    assert kept.rows() == left
