"""A split by time: hand-made logs with the right answer, and what holds for any log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mmrec import schemas
from mmrec.data.clean import CleanResult
from mmrec.data.sequences import Sequences
from mmrec.data.split import (
    HeldOut,
    held_out_cold_positions,
    hold_out_test,
    hold_out_validation,
    training_part,
)
from mmrec.data.union import merge_raw
from mmrec.io import DataError
from mmrec.params.split import SplitParams, moment_ns
from tests.data.raw_world import cleaned, histories, interactions, items, write_raw

DAY = 86_400 * 10**9
ITEMS = "abcdefgh"


def at(day: int) -> str:
    """The beginning of a day since 1970, as a params file has it."""
    return f"1970-01-{day + 1:02}"


def by_time(validation: str | float, test: str | float, targets: str = "last") -> SplitParams:
    split: SplitParams = TypeAdapter(SplitParams).validate_python(
        {"name": "temporal", "validation": validation, "test": test, "targets": targets}
    )
    return split


def log(**users: str) -> pa.Table:
    """A letter is an item and its place the day: `log(u="ab.c")` had nothing on the third."""
    return interactions(
        *(
            (user, item, day * DAY)
            for user, letters in users.items()
            for day, item in enumerate(letters)
            if item != "."
        )
    )


def told(result: CleanResult, part: str = "counted") -> dict[str, Any]:
    found: Any = result.summary[part]
    return dict(found)


def asked(result: CleanResult, held_out: HeldOut) -> dict[str, list[str]]:
    """Of each user who is asked, a word for each target: `ab>c` is c after a and b."""
    ids = ["", *result.items.column("item_id").to_pylist()]
    users = result.users.column("user_id").to_pylist()
    rows = held_out.histories
    found: dict[str, list[str]] = {}
    for row, (user, target) in enumerate(zip(rows.users, held_out.targets, strict=True)):
        history = rows.padded(torch.tensor([row]))[0].tolist()
        words = "".join(ids[item] for item in history) + ">" + ids[target]
        found.setdefault(users[user], []).append(words)
    return found


def sequences_of(result: CleanResult) -> Sequences:
    return Sequences.from_table(result.sequences)


def trained(result: CleanResult) -> dict[str, str]:
    ids = ["", *result.items.column("item_id").to_pylist()]
    part = training_part(sequences_of(result))
    users = result.users.column("user_id").to_pylist()
    return {name: "".join(ids[i] for i in part.of(user)) for user, name in enumerate(users)}


# Validation is of the third day and the fourth, the test from the fifth on.
USERS = {
    "all": "abcdef",
    "early": "ab",
    "late": "....gh",
    "later": "..a.bc",
    "no_test": "abc",
    "no_validation": "a...bg",
}
EXPECTED = {
    "first": (
        {"all": ["ab>c"], "no_test": ["ab>c"]},
        {"all": ["abcd>e"], "later": ["a>b"], "no_validation": ["a>b"]},
    ),
    "last": (
        {"all": ["abc>d"], "no_test": ["ab>c"]},
        {"all": ["abcde>f"], "later": ["ab>c"], "no_validation": ["ab>g"]},
    ),
    "all": (
        {"all": ["ab>c", "abc>d"], "no_test": ["ab>c"]},
        {
            "all": ["abcd>e", "abcde>f"],
            "later": ["a>b", "ab>c"],
            "no_validation": ["a>b", "ab>g"],
        },
    ),
}


@pytest.mark.parametrize("targets", ["first", "last", "all"])
def test_what_trains_validates_and_tests(tmp_path: Path, targets: str) -> None:
    split = by_time(at(2), at(4), targets)
    result = cleaned(tmp_path, items(ITEMS), log(**USERS), split=split)
    assert trained(result) == {
        "all": "ab",
        "early": "ab",
        "late": "",
        "later": "",
        "no_test": "ab",
        "no_validation": "a",
    }
    whole = sequences_of(result)
    validation, test = EXPECTED[targets]
    assert asked(result, hold_out_validation(whole)) == validation
    assert asked(result, hold_out_test(whole)) == test
    num_tested = sum(map(len, test.values()))
    new = {"first": 1, "last": 3, "all": 4}[targets]
    assert (
        told(result).items()
        >= {
            "users_evaluated": 3,
            "users_evaluated_tied": 0,
            "users_without_history": 1,
            "items_tested": num_tested,
            "new_items_tested": new,
        }.items()
    )
    assert told(result, "protocol")["split"] == {
        "name": "temporal",
        "validation": at(2),
        "test": at(4),
        "targets": targets,
        "validation_begins": "1970-01-03T00:00:00Z",
        "test_begins": "1970-01-05T00:00:00Z",
    }


def test_counts_and_cold_flags_come_from_what_trains(tmp_path: Path) -> None:
    split = by_time(at(2), at(4))
    result = cleaned(tmp_path, items(ITEMS), log(**USERS), split=split, cold_threshold=4)
    counts = dict(zip(ITEMS, result.items.column("training_count").to_pylist(), strict=True))
    assert counts == {"a": 4, "b": 3, **dict.fromkeys("cdefgh", 0)}
    assert result.items.column("is_cold").to_pylist() == [False] + [True] * 7


def test_an_item_nobody_had_before_stays_candidate_and_target(tmp_path: Path) -> None:
    log_of_two = log(u="ab.d.f", v="a.b.d")
    result = cleaned(tmp_path, items(ITEMS), log_of_two, split=by_time(at(2), at(4)))
    assert asked(result, hold_out_test(sequences_of(result))) == {"u": ["abd>f"], "v": ["ab>d"]}
    assert told(result)["new_items_tested"] == 2
    assert result.items.num_rows == 8


def test_cold_positions_are_those_that_do_not_train(tmp_path: Path) -> None:
    split = by_time(at(2), at(4), "first")
    result = cleaned(tmp_path, items(ITEMS), log(**USERS), split=split, cold_threshold=1)
    is_cold = torch.tensor([False, *result.items.column("is_cold").to_pylist()])
    found = asked(result, held_out_cold_positions(sequences_of(result), is_cold))
    assert found == {
        "all": ["ab>c", "abc>d", "abcd>e", "abcde>f"],
        "late": ["g>h"],
        "later": ["ab>c"],
        "no_test": ["ab>c"],
        "no_validation": ["ab>g"],
    }


def test_interactions_of_one_time_stay_on_one_side_of_a_share(tmp_path: Path) -> None:
    # Ten interactions at 0 0 0 1 1 1 1 2 2 3: six tenths are at most earlier than day 1.
    days = [0, 0, 0, 1, 1, 1, 1, 2, 2, 3]
    rows = [("u", ITEMS[place % 8], day * DAY) for place, day in enumerate(days)]
    result = cleaned(tmp_path, items(ITEMS), interactions(*rows), split=by_time(0.6, 0.9, "all"))
    assert told(result, "protocol")["split"]["validation_begins"] == "1970-01-02T00:00:00Z"
    assert told(result, "protocol")["split"]["test_begins"] == "1970-01-04T00:00:00Z"
    assert trained(result) == {"u": "abc"}
    assert len(asked(result, hold_out_validation(sequences_of(result)))["u"]) == 6


def test_a_share_is_of_whole_numbers(tmp_path: Path) -> None:
    # 0.29 * 100 is 28.999999999999996.
    rows = [("u", ITEMS[day % 8], day * DAY) for day in range(100)]
    result = cleaned(tmp_path, items(ITEMS), interactions(*rows), split=by_time(0.29, 0.58))
    assert len(trained(result)["u"]) == 29


def test_a_tie_decides_where_the_tested_item_has_another_beside_it(tmp_path: Path) -> None:
    rows = [("u", "a", 0), ("u", "b", 2 * DAY), ("u", "c", 4 * DAY), ("u", "d", 4 * DAY)]
    rows += [("v", "a", 0), ("v", "b", 0), ("v", "c", 2 * DAY), ("v", "d", 4 * DAY)]
    for targets in ("first", "last", "all"):
        split = by_time(at(2), at(4), targets)
        result = cleaned(tmp_path / targets, items(ITEMS), interactions(*rows), split=split)
        assert told(result)["users_evaluated"] == 2
        assert told(result)["users_evaluated_tied"] == 1


def test_times_of_an_iso_text_are_utc_unless_it_says_otherwise() -> None:
    assert moment_ns("1970-01-02T00:00:00") == moment_ns("1970-01-02") == DAY
    assert moment_ns("1970-01-02T02:00:00+02:00") == moment_ns("1970-01-02T00:00:00Z") == DAY
    assert moment_ns("1970-01-01T00:00:00.000001") == 1000


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (by_time(at(0), at(4)), "no interaction is left to train on.*split.validation to a later"),
        (by_time(at(2), at(6)), "no interaction is left to test on.*split.test to an earlier time"),
        (by_time(at(2), "9999-12-31"), "left to test on.*the test at 9999-12-31T00:00:00Z; set"),
        (by_time(at(4), 0.5), "no interaction is left to validate on.*1970-01-05T00:00:00Z, the"),
        (by_time(0.01, at(4)), "no interaction is left to train on"),
    ],
)
def test_borders_that_leave_a_side_empty_are_refused(
    tmp_path: Path, split: SplitParams, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        cleaned(tmp_path, items(ITEMS), log(u="abcdef", v="abcdef"), split=split)


@pytest.mark.parametrize(
    ("users", "part"),
    [
        ({"u": "ab..", "v": "..ab", "w": "a...b"}, "validation"),
        ({"u": "abcd", "v": "....ab"}, "test"),
    ],
)
def test_periods_of_users_without_a_past_are_refused(
    tmp_path: Path, users: dict[str, str], part: str
) -> None:
    says = f"ranked for the {part}: of 1 users .*none has an earlier one; set split.{part} to"
    with pytest.raises(DataError, match=says):
        cleaned(tmp_path, items(ITEMS), log(**users), split=by_time(at(2), at(4)))


def test_a_log_without_times_cannot_be_split_by_time(tmp_path: Path) -> None:
    says = r"split is temporal, but no interaction has a time; set it to \{name: leave_one_out\}"
    with pytest.raises(DataError, match=says):
        cleaned(tmp_path, items("abc"), histories(u="abc"), split=by_time(0.5, 0.8))
    with pytest.raises(DataError, match=says):
        cleaned(tmp_path, items("abc"), interactions(), split=by_time(0.5, 0.8), has_users=False)


def test_a_union_has_one_border_for_both_sides(tmp_path: Path) -> None:
    left = write_raw(tmp_path / "left", items(ITEMS), log(u="abcdef"))
    right = write_raw(tmp_path / "right", items(ITEMS), log(v="..abc", w="ab..cd"))
    merge_raw(left, right, left_name="x", right_name="y", out=tmp_path / "out")
    tables = [pq.read_table(tmp_path / "out" / f"{name}.parquet") for name in RAW]
    result = cleaned(tmp_path / "clean", *tables, split=by_time(at(2), at(4)))
    assert trained(result) == {"x/u": "x/ax/b", "y/v": "", "y/w": "y/ay/b"}
    assert asked(result, hold_out_test(sequences_of(result))) == {
        "x/u": ["x/ax/bx/cx/dx/e>x/f"],
        "y/v": ["y/ay/b>y/c"],
        "y/w": ["y/ay/by/c>y/d"],
    }


RAW = ("items", "interactions")
ROWS = st.lists(
    st.tuples(st.sampled_from("uvwxyz"), st.sampled_from(ITEMS), st.integers(0, 9)),
    min_size=8,
    max_size=60,
)


@settings(deadline=None, max_examples=60)
@given(
    rows=ROWS,
    borders=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    targets=st.sampled_from(["first", "last", "all"]),
)
def test_nothing_after_a_border_trains_and_all_of_a_period_is_asked_for(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, int]],
    borders: tuple[int, int],
    targets: str,
) -> None:
    assume(borders[0] < borders[1])
    table = interactions(*((user, item, day * DAY) for user, item, day in rows))
    folder = tmp_path_factory.mktemp("clean")
    try:
        result = cleaned(folder, items(ITEMS), table, split=by_time(*map(at, borders), targets))
    except DataError as error:
        assert "clean.split" in str(error)  # noqa: PT017
        return
    whole, times = sequences_of(result), result.sequences.column("timestamps_ns").to_pylist()
    days = [[time // DAY for time in of_user] for of_user in times]
    trains = training_part(whole)
    for user, of_user in enumerate(days):
        assert len(trains.of(user)) == sum(day < borders[0] for day in of_user)
    for held_out, start, end in (
        (hold_out_validation(whole), *borders),
        (hold_out_test(whole), borders[1], 99),
    ):
        rows_of = held_out.histories
        for user, of_user in enumerate(days):
            positions = [place for place, day in enumerate(of_user) if start <= day < end]
            expected = {"first": positions[:1], "last": positions[-1:], "all": positions}[targets]
            if positions and positions[0] == 0:
                expected = []
            found = rows_of.lengths[rows_of.users == user].tolist()
            assert found == expected
            assert held_out.targets[rows_of.users == user].tolist() == [
                whole.of(user)[place] for place in expected
            ]
    counts = np.bincount(trains.items.numpy(), minlength=result.items.num_rows + 1)[1:]
    assert counts.tolist() == result.items.column("training_count").to_pylist()
    assert result.sequences.schema == schemas.CLEAN_SEQUENCES
