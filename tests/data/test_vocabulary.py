"""Ids and indices."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.vocabulary import distinct_ids, places

_IDS = st.lists(st.text(min_size=1).filter(lambda s: s.isprintable()), unique=True, min_size=1)


@given(_IDS, st.randoms())
def test_places_depend_on_the_set_of_ids_alone(ids: list[str], random: object) -> None:
    shuffled = [*ids, *ids[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    distinct = distinct_ids(pl.Series("item_id", shuffled))
    assert distinct.to_list() == sorted(ids, key=str.encode)
    found = places(pl.Series("item_id", shuffled), distinct)
    assert found.dtype == pl.Int32
    assert [distinct[place] for place in found] == shuffled


def test_an_id_that_is_not_among_the_distinct_ones_is_refused() -> None:
    with pytest.raises(pl.exceptions.InvalidOperationError):
        places(pl.Series("item_id", ["a", "x"]), pl.Series(["a", "b"]))
