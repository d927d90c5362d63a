"""Ids and indices."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mmrec.data.vocabulary import assign_indices

_IDS = st.lists(st.text(min_size=1).filter(lambda s: s.isprintable()), unique=True, min_size=1)


@given(_IDS, st.randoms())
def test_indices_depend_on_the_set_of_ids_alone(ids: list[str], random: object) -> None:
    shuffled = [*ids, *ids[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    expected = assign_indices(pl.Series("item_id", ids), first=1)
    assert assign_indices(pl.Series("item_id", shuffled), first=1).equals(expected)
    assert expected["item_id"].to_list() == sorted(ids, key=str.encode)
    assert expected["index"].to_list() == list(range(1, len(ids) + 1))
