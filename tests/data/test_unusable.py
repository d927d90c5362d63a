"""A log that loses most of its rows stops cleaning, and says what the two sides look like."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl
import pytest

from mmrec.data.spellings import describe_unknown
from mmrec.io import DataError
from tests.data.raw_world import cleaned, dropped, histories, interactions, items

IDS = ["0101", "0102", "0103", "2104"]


def test_ids_that_lost_a_leading_zero_stop_cleaning_and_are_recognised(tmp_path: Path) -> None:
    log = interactions(*((f"u{n}", item.lstrip("0")) for n in range(3) for item in IDS))
    with pytest.raises(DataError) as raised:
        cleaned(tmp_path, items(IDS), log, max_unusable_share=0.2)
    assert str(raised.value) == (
        "clean: 9 of 12 interactions (75.0%) cannot be used: 9 unknown_item (items such as '101'"
        " where the catalogue has '0101': written without leading zeros, 100% would match);"
        " correct the source, or raise clean.max_unusable_share (0.2)"
    )


def test_as_much_as_the_share_may_go_and_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = histories(u="abcdz")
    with caplog.at_level(logging.INFO):
        result = cleaned(tmp_path, items("abcd"), log, max_unusable_share=0.2)
    assert "1 interactions are of unknown items (items such as 'z'; the catalogue" in caplog.text
    assert dropped(result, "interactions") == {"unknown_item": 1}
    with pytest.raises(DataError, match=r"1 of 5 interactions \(20\.0%\).*share \(0\.19\)"):
        cleaned(tmp_path, items("abcd"), log, max_unusable_share=0.19)


def test_every_reason_counts_that_no_setting_gives(tmp_path: Path) -> None:
    rows = [("u", "a", None), ("u", "a", -1), ("", "a", 1), ("u", "a", 1, float("nan"))]
    good = [("u", item, 1, 5.0) for item in "abcd"]
    with pytest.raises(DataError, match=r"4 of 8 .*: 1 empty_id, 1 missing_timestamp, 1 neg"):
        cleaned(tmp_path, items("abcd"), interactions(*rows, *good), max_unusable_share=0.49)


def test_what_settings_drop_does_not_count(tmp_path: Path) -> None:
    low = [("u", "b", 1, 1.0), ("u", "c", 1, None), ("u", "d", 1, 2.0), ("v", "a", 1, 5.0)]
    log = interactions(("u", "a", 1, 5.0), ("u", "a", 2, 5.0), *low)
    settings = {"min_rating": 3, "user_core": 2, "duplicates": "keep_all"}
    result = cleaned(tmp_path, items("abcd"), log, max_unusable_share=0.0, **settings)
    assert dropped(result, "interactions") == {"missing_rating": 1, "low_rating": 2}


def test_where_nothing_can_be_used_no_setting_is_advised(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"2 of 2 .*such as 'x'.*ids such as 'a'\); correct the so"
    ) as it:
        cleaned(tmp_path, items("ab"), histories(u="xy"), max_unusable_share=1.0)
    assert "min_rating" not in str(it.value)
    assert "max_unusable_share" not in str(it.value)


@pytest.mark.parametrize(
    ("unknown", "known", "words"),
    [
        (
            ["7", "7", "x"],
            ["007"],
            "'7' where the catalogue has '007': written without leading zeros, 67%",
        ),
        (
            ["007"],
            ["7", "8"],
            "'007' where the catalogue has '7': written without leading zeros, 100%",
        ),
        ([" a", "b "], ["a", "b"], "written without spaces around them, 100%"),
        (["A1", "B2"], ["a1"], "'A1' where the catalogue has 'a1': written in lower case, 50%"),
        (["12.0"], ["12"], "written without a final .0, 100%"),
        ([" 007.0", "x"], ["7"], "spaces around them and a final .0, in lower case, 50%"),
        (["x"], ["a"], "such as 'x'; the catalogue has ids such as 'a'"),
        (["x"], [], "such as 'x'; the catalogue is empty"),
    ],
)
def test_the_way_of_writing_that_mends_most_is_named(
    unknown: list[str], known: list[str], words: str
) -> None:
    there, here = (pl.Series(ids, dtype=pl.String) for ids in (unknown, known))
    assert words in describe_unknown(there, here)
