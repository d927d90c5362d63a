"""Order at equal times: what each setting gives, what a draw depends on, what is told of it."""

from __future__ import annotations

import logging
from collections import Counter
from hashlib import blake2b
from itertools import permutations
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec.data.clean import CleanResult
from mmrec.data.interactions import code
from mmrec.data.protocol import tied_warning
from mmrec.data.tie_order import sort_by_time
from mmrec.data.union import merge_raw
from mmrec.io import DataError
from mmrec.params.split import TieOrder
from tests.data.raw_world import cleaned, histories, interactions, items, sequences, write_raw

Row = tuple[str, str, int]
ROWS = st.lists(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("abcdef"), st.integers(0, 2)), max_size=25
)


def ordered(
    rows: list[Row], tie_order: TieOrder, tie_seed: int = 0, more_items: str = ""
) -> dict[str, list[str]]:
    """Items of every user in order."""
    columns = {"user_id": pl.String, "item_id": pl.String, "timestamp_ns": pl.Int64}
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    item_ids = pl.Series(sorted({*"abcdefghijkl", *more_items}))
    coded, user_ids = code(frame, item_ids)
    found = sort_by_time(
        coded, user_ids=user_ids, item_ids=item_ids, tie_order=tie_order, tie_seed=tie_seed
    )
    assert found.columns == ["user", "item", "timestamp_ns"]
    assert found["timestamp_ns"].to_list() == sorted(found["timestamp_ns"]) or len(user_ids) > 1
    lists: dict[str, list[str]] = {user: [] for user in user_ids}
    for user, item, _ in found.iter_rows():
        lists[user_ids[user]].append(item_ids[item])
    return lists


def drawn_place(user: str, item: str, earlier: int, seed: int) -> int:
    """The number that a draw sorts by, in whole numbers: of all machines and libraries."""

    def of_id(name: str, kind: str) -> int:
        key = {"key": str(seed).encode(), "person": kind.encode()}
        return int.from_bytes(blake2b(name.encode(), digest_size=8, **key).digest(), "little")

    def mixed(number: int) -> int:
        number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
        return number ^ number >> 31

    of_both = (of_id(user, "user") + of_id(item, "item")) % 2**64
    return mixed((mixed(of_both) + earlier) % 2**64)


TIED: list[Row] = [("u", item, 5) for item in "gcaehbfd"]


def test_rows_of_one_time_stand_as_in_the_file_by_item_or_as_drawn() -> None:
    assert ordered(TIED, "file") == {"u": [*"gcaehbfd"]}
    assert ordered(TIED, "item") == {"u": [*"abcdefgh"]}
    for seed in (0, 1, 2020):
        expected = sorted("abcdefgh", key=lambda item: drawn_place("u", item, 0, seed))
        assert ordered(TIED, "random", seed) == {"u": expected}


@pytest.mark.parametrize("tie_order", get_args(TieOrder))
def test_time_comes_first(tie_order: TieOrder) -> None:
    rows = [("u", item, time) for time, item in enumerate("lkjihgfedcba")]
    assert ordered(rows[::-1], tie_order) == {"u": [*"lkjihgfedcba"]}


@settings(deadline=None, max_examples=50)
@given(rows=ROWS, order=st.randoms(use_true_random=False), seed=st.integers(0, 3))
@pytest.mark.parametrize("tie_order", ["item", "random"])
def test_neither_the_file_nor_anybody_else_decides(
    tie_order: TieOrder, rows: list[Row], order: Any, seed: int
) -> None:
    expected = ordered(rows, tie_order, seed)
    shuffled = order.sample(rows, len(rows))
    others = [("another", "c", 1), *shuffled, ("x", "a", 0)]
    found = ordered(others, tie_order, seed, more_items="0Zz")
    assert {user: found[user] for user in expected} == expected


def test_every_order_is_as_likely() -> None:
    rows = [(f"user {user}", item, 1) for user in range(6000) for item in "abc"]
    counts = Counter(map(tuple, ordered(rows, "random").values()))
    assert counts.keys() == {*permutations("abc")}
    assert all(0.9 < count / 1000 < 1.1 for count in counts.values())


def test_seeds_and_times_are_drawn_apart() -> None:
    rows = [
        (f"user {user}", item, time) for user in range(3000) for time in (1, 2) for item in "ab"
    ]
    first, second = ordered(rows, "random", 1), ordered(rows, "random", 2)
    seeds_agree = sum(first[user][:2] == second[user][:2] for user in first)
    times_agree = sum(one[:2] == one[2:] for one in first.values())
    assert 0.45 < seeds_agree / 3000 < 0.55
    assert 0.45 < times_agree / 3000 < 0.55


def protocol(result: CleanResult) -> dict[str, Any]:
    found: Any = result.summary["protocol"]
    return dict(found)


def tied(num_tied: int, num_users: int = 100) -> Any:
    """A log of users with three items each, of whom some had the last two at one time."""
    return interactions(
        *(
            (f"{user:03}", item, place if user >= num_tied else min(place, 1))
            for user in range(num_users)
            for place, item in enumerate("cba")
        )
    )


def test_cleaning_sorts_as_asked_and_says_so(tmp_path: Path) -> None:
    log = tied(2, 4)
    by_file, by_item = (
        cleaned(tmp_path / order, items("abc"), log, tie_order=order) for order in ("file", "item")
    )
    untied = {"002": ["c", "b", "a"], "003": ["c", "b", "a"]}
    assert sequences(by_file) == {"000": ["c", "b", "a"], "001": ["c", "b", "a"], **untied}
    assert sequences(by_item) == {"000": ["c", "a", "b"], "001": ["c", "a", "b"], **untied}
    assert protocol(by_file).items() >= {"tie_order": "file", "tied_share": 0.5}.items()
    assert protocol(by_item).items() >= {"tie_order": "item", "tied_share": 0.5}.items()
    assert "tie_seed" not in protocol(by_item)
    drawn = cleaned(tmp_path / "random", items("abc"), log, tie_order="random", tie_seed=3)
    told = {"tie_order": "random", "tie_seed": 3, "tied_share": 0.5}
    assert protocol(drawn).items() >= told.items()
    assert sequences(drawn).items() >= untied.items()


def test_of_duplicates_at_one_time_one_is_left(tmp_path: Path) -> None:
    log = interactions(*(("u", item, 1) for item in "abab"))
    result = cleaned(tmp_path, items("ab"), log, tie_order="random", duplicates="keep_last")
    assert sorted(sequences(result)["u"]) == ["a", "b"]


def test_many_ties_are_warned_of_and_few_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mmrec"):
        few = cleaned(tmp_path / "few", items("abc"), tied(5))
        assert not caplog.records
        many = cleaned(tmp_path / "many", items("abc"), tied(6))
    assert tied_warning(protocol(few)) is None
    assert caplog.messages == [tied_warning(protocol(many))]
    assert "6% of the users evaluated have a test item at the same time" in caplog.text
    assert "clean.tie_order (file) decides which of them tests" in caplog.text
    every = {**protocol(many), "split": {"name": "temporal", "targets": "all"}}
    assert "decides which of them stands in the history of the other" in str(tied_warning(every))


@pytest.mark.parametrize("tie_order", ["item", "random"])
def test_without_times_there_is_no_order_but_the_files(tmp_path: Path, tie_order: str) -> None:
    says = rf"clean\.tie_order is {tie_order}, but no interaction has a time.*; set it to file"
    with pytest.raises(DataError, match=says):
        cleaned(tmp_path, items("ab"), histories(u="ab"), tie_order=tie_order)
    assert "tied_share" not in protocol(cleaned(tmp_path, items("ab"), histories(u="ab")))


@pytest.mark.parametrize("other_log", [histories(u="ab"), interactions(*TIED)])
def test_a_union_is_ordered_as_one_log_where_both_sides_have_times(
    tmp_path: Path, other_log: Any
) -> None:
    left = write_raw(tmp_path / "left", items("abcdefgh"), interactions(*TIED))
    right = write_raw(tmp_path / "right", items("abcdefgh"), other_log)
    merge_raw(left, right, left_name="x", right_name="y", out=tmp_path / "out")
    raw = [pl.read_parquet(tmp_path / "out" / f"{name}.parquet").to_arrow() for name in RAW]
    if other_log.column("timestamp_ns").null_count:
        with pytest.raises(DataError, match="no interaction has a time"):
            cleaned(tmp_path / "clean", *raw, tie_order="item")
        return
    result = cleaned(tmp_path / "clean", *raw, tie_order="item")
    assert sequences(result) == {f"{n}/u": [f"{n}/{item}" for item in "abcdefgh"] for n in "xy"}


RAW = ("items", "interactions")
