"""Share of training interactions later than test targets, against a double loop."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec.data.counted import TIME
from mmrec.data.leakage import later_training_shares
from mmrec.data.splitting import PART
from tests.data.raw_world import cleaned, histories, interactions, items
from tests.data.test_temporal_split import USERS, at, by_time, log

Row = tuple[int, int, str]


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"item": pl.Int32, TIME: pl.Int64, "part": PART}, orient="row")


def by_looking_at_every_pair(rows: list[Row]) -> dict[str, float]:
    trained = [(item, time) for item, time, part in rows if part == "training"]
    tested = [(item, time) for item, time, part in rows if part == "test"]
    pairs = [(trains, tests) for trains in trained for tests in tested]
    of_item = [(trains, tests) for trains, tests in pairs if trains[0] == tests[0]]
    shares = {}
    for name, some in (("share", pairs), ("share_of_items", of_item)):
        if some:
            later = sum(trains[1] > tests[1] for trains, tests in some)
            shares[f"later_training_{name}"] = later / len(some)
    return shares


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 6), st.sampled_from(PART.categories.to_list())),
        max_size=40,
    )
)
def test_shares_are_those_of_all_pairs(rows: list[Row]) -> None:
    rows += [(0, 3, "training"), (1, 3, "test")]
    assert later_training_shares(frame(rows)) == pytest.approx(by_looking_at_every_pair(rows))


def protocol(result: Any) -> dict[str, float]:
    return {name: value for name, value in result.summary["protocol"].items() if "training" in name}


def test_leave_one_out_trains_on_what_is_later_than_what_it_asks_for(tmp_path: Path) -> None:
    # The test items are c at 3 and b at 30; a at 1, b at 10 and c at 11 train.
    log = interactions(
        *(("u", item, time) for item, time in (("a", 1), ("b", 2), ("c", 3))),
        *(("v", item, time) for item, time in (("b", 10), ("c", 11), ("a", 20), ("b", 30))),
    )
    found = protocol(cleaned(tmp_path, items("abc"), log))
    # u's target: b and c are later; v's: nothing is. Of c one of one is later, of b none of one.
    assert found == {
        "later_training_share": pytest.approx((2 / 3 + 0) / 2),
        "later_training_share_of_items": pytest.approx(1 / 2),
    }


@pytest.mark.parametrize("targets", ["first", "last", "all"])
def test_a_split_by_time_has_nothing_later(tmp_path: Path, targets: str) -> None:
    split = by_time(at(2), at(4), targets)
    found = protocol(cleaned(tmp_path, items("abcdefgh"), log(**USERS), split=split))
    assert found["later_training_share"] == 0
    assert not any(found.values())


def test_nothing_is_said_without_times_or_without_a_target(tmp_path: Path) -> None:
    assert not protocol(cleaned(tmp_path / "a", items("abc"), histories(u="abc")))
    assert not protocol(cleaned(tmp_path / "b", items("abc"), interactions(("u", "a", 1))))
    assert not protocol(cleaned(tmp_path / "c", items("abc"), interactions(), has_users=False))


def test_a_million_interactions_take_seconds() -> None:
    generator = np.random.default_rng(0)
    size = 1_000_000
    coded = pl.DataFrame(
        {
            "item": generator.integers(0, 20_000, size, dtype=np.int32),
            TIME: generator.integers(0, 10**17, size),
            "part": pl.Series(["training"] * 9 + ["test"], dtype=PART).sample(
                size, with_replacement=True, seed=0
            ),
        }
    )
    before = time.process_time()
    assert 0.45 < later_training_shares(coded)["later_training_share"] < 0.55
    assert time.process_time() - before < 5
