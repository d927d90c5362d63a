"""clean: what becomes of every kind of row, and the summary that says so."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec import schemas
from mmrec.data.clean import CleanResult, write_clean
from mmrec.data.sequences import Sequences
from mmrec.data.sources.source import ImageRef
from mmrec.dataset_paths import DatasetPaths
from mmrec.io import DataError, read_json, read_table
from tests.data.raw_world import (
    cleaned,
    dropped,
    histories,
    interactions,
    items,
    jpeg,
    sequences,
)


def test_sequences_are_in_time_order(tmp_path: Path) -> None:
    log = interactions(("u", "a", 30), ("u", "b", 10), ("u", "c", 20))
    result = cleaned(tmp_path, items("abc"), log)
    assert sequences(result) == {"u": ["b", "c", "a"]}
    assert result.sequences.column("timestamps_ns").to_pylist() == [[10, 20, 30]]


def test_ties_in_time_are_broken_by_row_order(tmp_path: Path) -> None:
    letters = [f"i{n}" for n in random.Random(0).sample(range(500), 500)]
    log = interactions(*(("u", item, 7) for item in letters))
    assert sequences(cleaned(tmp_path, items(letters), log)) == {"u": letters}


def test_without_any_timestamp_rows_are_the_order_and_times_are_zero(tmp_path: Path) -> None:
    result = cleaned(tmp_path, items("abc"), histories(u="cab"))
    assert sequences(result) == {"u": ["c", "a", "b"]}
    assert result.sequences.column("timestamps_ns").to_pylist() == [[0, 0, 0]]


def test_invalid_interactions_are_dropped_and_counted_by_reason(tmp_path: Path) -> None:
    log = interactions(
        ("u", "a", 1, 5.0),
        ("u", "b", None, 5.0),
        ("u", "b", -1, 5.0),
        ("u", "b", 2, float("nan")),
        ("u", "b", 2, float("inf")),
        ("u", "b", 2, 2.0),
        ("u", "b", 2, None),
        ("u", "z", 2, 5.0),
        ("", "b", 2, 5.0),
        ("u", "", 2, 5.0),
    )
    result = cleaned(tmp_path, items("ab"), log, min_rating=3)
    assert sequences(result) == {"u": ["a"]}
    assert dropped(result, "interactions") == {
        "empty_id": 2,
        "unknown_item": 1,
        "missing_timestamp": 1,
        "negative_timestamp": 1,
        "rating_not_finite": 2,
        "missing_rating": 1,
        "low_rating": 1,
    }


def test_without_min_rating_a_low_or_missing_rating_stays_but_nan_goes(tmp_path: Path) -> None:
    log = interactions(("u", "a", 1, 0.5), ("u", "b", 2, None), ("u", "a", 3, float("nan")))
    result = cleaned(tmp_path, items("ab"), log)
    assert sequences(result) == {"u": ["a", "b"]}
    assert dropped(result, "interactions") == {"rating_not_finite": 1}


def test_min_rating_without_ratings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"clean\.min_rating is 3, but no interaction has a rating"):
        cleaned(tmp_path, items("a"), histories(u="a"), min_rating=3)


@pytest.mark.parametrize(
    ("duplicates", "expected"),
    [("keep_last", "bca"), ("keep_first", "abc"), ("keep_all", "abca")],
)
def test_repeated_pairs(tmp_path: Path, duplicates: str, expected: str) -> None:
    log = interactions(("u", "a", 9), ("u", "b", 2), ("u", "c", 3), ("u", "a", 1), ("v", "a", 1))
    result = cleaned(tmp_path, items("abc"), log, duplicates=duplicates)
    assert sequences(result) == {"u": list(expected), "v": ["a"]}


def test_core_is_taken_to_the_fixed_point(tmp_path: Path) -> None:
    # c has one user; without c, v has one item; without v, b has one user, and u one item.
    log = histories(u="ab", v="bc", w="ad", x="ad")
    result = cleaned(tmp_path, items("abcd"), log, user_core=2, item_core=2)
    assert sequences(result) == {"w": ["a", "d"], "x": ["a", "d"]}
    assert sum(dropped(result, "core").values()) == 4
    assert dropped(result, "items") == {"no_interactions": 2}


def test_core_of_one_drops_items_without_interactions_and_core_of_zero_keeps_them(
    tmp_path: Path,
) -> None:
    log = histories(u="abc")
    with_unused = cleaned(tmp_path, items("abcz"), log, item_core=0)
    assert with_unused.items.column("training_count").to_pylist() == [1, 0, 0, 0]
    assert with_unused.items.column("item_id").to_pylist() == ["a", "b", "c", "z"]
    without = cleaned(tmp_path, items("abcz"), log, item_core=1)
    assert without.items.column("item_id").to_pylist() == ["a", "b", "c"]
    assert dropped(without, "items") == {"no_interactions": 1}


def test_an_empty_result_names_the_step_and_what_to_lower(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"step 'core' .*user_core\); lower clean\.user_core"):
        cleaned(tmp_path, items("ab"), histories(u="ab"), user_core=5)
    with pytest.raises(DataError, match=r"step 'interactions' .*1 low_rating.*min_rating"):
        cleaned(tmp_path, items("ab"), interactions(("u", "a", 1, 1.0)), min_rating=4)
    with pytest.raises(DataError, match=r"step 'core' .*item_core\); lower clean\.item_core$"):
        cleaned(tmp_path, items("ab"), histories(u="ab"), item_core=5)
    unrated = interactions(("u", "a", 1, None), ("u", "z", 1, 5.0))
    with pytest.raises(DataError, match=r"missing_rating\); set clean\.min_rating to null$"):
        cleaned(tmp_path, items("ab"), unrated, min_rating=4)
    with pytest.raises(DataError, match=r"dropped: none\); check the log"):
        cleaned(tmp_path, items("ab"), interactions())
    with pytest.raises(DataError, match="catalogue has no items"):
        cleaned(tmp_path, items(""), histories(u="xy"), text_fields=[])


def test_item_indices_ascend_with_the_id_and_start_at_one(tmp_path: Path) -> None:
    ids = ["b", "a", "10", "9", "é", "Z", "a.b c", "日本"]
    result = cleaned(tmp_path, items(ids), interactions(*(("u", i) for i in ids)))
    assert result.items.column("item_id").to_pylist() == sorted(ids, key=str.encode)
    assert result.items.column("item_index").to_pylist() == list(range(1, 9))
    assert sequences(result) == {"u": ids}


def test_user_indices_ascend_with_the_id_and_start_at_zero(tmp_path: Path) -> None:
    result = cleaned(tmp_path, items("ab"), histories(v="a", u="ab", w="b"))
    assert result.users.to_pylist() == [
        {"user_id": "u", "user_index": 0, "num_interactions": 2},
        {"user_id": "v", "user_index": 1, "num_interactions": 1},
        {"user_id": "w", "user_index": 2, "num_interactions": 1},
    ]
    assert sequences(result) == {"u": ["a", "b"], "v": ["a"], "w": ["b"]}


def test_training_counts_leave_the_last_two_of_three_out(tmp_path: Path) -> None:
    log = histories(u="abc", v="ab", w="a", x="abca")
    result = cleaned(tmp_path, items("abc"), log, cold_threshold=3)
    # u trains on a, v on a b, w on a, x on a b.
    counts = dict(zip("abc", result.items.column("training_count").to_pylist(), strict=True))
    assert counts == {"a": 4, "b": 2, "c": 0}
    assert result.items.column("is_cold").to_pylist() == [False, True, True]


def test_users_with_one_interaction_stay_and_are_counted(tmp_path: Path) -> None:
    result = cleaned(tmp_path, items("abc"), histories(u="abc", v="a"))
    counted = result.summary["counted"]
    assert isinstance(counted, dict)
    assert counted["users_with_one_interaction"] == 1
    assert counted["users_evaluated"] == 1


def test_items_without_text_picture_or_both_stay_and_are_counted(tmp_path: Path) -> None:
    raw = items("abcd", titles={"a": "A", "b": "B"}, texts={})
    refs = [ImageRef("a", 0, "a.jpg", jpeg()), ImageRef("c", 0, "c.jpg", jpeg())]
    result = cleaned(tmp_path, raw, histories(u="abcd"), refs, text_fields=["title"])
    assert result.items.column("num_sentences").to_pylist() == [1, 1, 0, 0]
    assert result.items.column("num_images").to_pylist() == [1, 0, 1, 0]
    assert result.items.column("title").to_pylist() == ["A", "B", "", ""]
    assert result.summary["counted"] == {
        "items_without_text": 2,
        "items_without_image": 2,
        "items_without_both": 1,
        "cold_items": 4,
        "new_items": 2,
        "items_without_interaction": 0,
        "users_with_one_interaction": 0,
        "users_evaluated": 1,
        "items_tested": 1,
        "new_items_tested": 1,
    }


def test_items_that_nobody_bought_are_counted_apart_from_those_only_held_out(
    tmp_path: Path,
) -> None:
    log = histories(u="abc", v="ab")
    counted = _counted(cleaned(tmp_path, items("abcyz"), log, item_core=0))
    assert (counted["new_items"], counted["items_without_interaction"]) == (3, 2)
    counted = _counted(cleaned(tmp_path, items("abcyz"), log, item_core=1))
    assert (counted["new_items"], counted["items_without_interaction"]) == (1, 0)


def test_users_whose_last_two_interactions_are_of_one_time_are_counted(tmp_path: Path) -> None:
    log = interactions(
        *(("tied", item, time) for item, time in (("a", 1), ("b", 2), ("c", 2))),
        *(("earlier", item, time) for item, time in (("a", 1), ("b", 1), ("c", 2))),
        # Not evaluated: it trains on both.
        *(("short", item, 1) for item in "ab"),
        # The tie goes with the duplicate.
        *(("repeated", item, time) for item, time in (("a", 1), ("b", 2), ("c", 3), ("b", 3))),
        *(("repeats", item, time) for item, time in (("a", 1), ("b", 1), ("c", 3), ("a", 3))),
    )
    counted = _counted(cleaned(tmp_path, items("abc"), log, duplicates="keep_first"))
    assert (counted["users_evaluated"], counted["users_evaluated_tied"]) == (4, 1)
    counted = _counted(cleaned(tmp_path, items("abc"), log, duplicates="keep_last"))
    assert (counted["users_evaluated"], counted["users_evaluated_tied"]) == (4, 3)


def test_nothing_is_said_of_ties_where_the_source_has_no_times(tmp_path: Path) -> None:
    assert "users_evaluated_tied" not in _counted(
        cleaned(tmp_path, items("abc"), histories(u="abc"))
    )


def _counted(result: CleanResult) -> dict[str, int]:
    counted: Any = result.summary["counted"]
    return dict(counted)


def test_without_users_every_item_stays_and_users_and_sequences_are_empty(tmp_path: Path) -> None:
    refs = [ImageRef("a", 0, "a", jpeg()), ImageRef("b", 0, "b", b"none")]
    raw, nobody = items(["a", "b", ""]), interactions()
    result = cleaned(tmp_path, raw, nobody, refs, has_users=False)
    write_clean(result, DatasetPaths(tmp_path / "written"))
    clean_items = result.items.to_pylist()
    assert [row["item_id"] for row in clean_items] == ["a", "b"]
    assert [row["num_sentences"] for row in clean_items] == [3, 3]
    assert [row["num_images"] for row in clean_items] == [1, 0]
    assert [(row["training_count"], row["is_cold"]) for row in clean_items] == [(0, True)] * 2
    assert result.users.equals(schemas.CLEAN_USERS.empty_table())
    assert result.sequences.equals(schemas.CLEAN_SEQUENCES.empty_table())
    summary: Any = read_json(tmp_path / "written" / "clean" / "summary.json")
    assert summary["has_users"] is False
    assert [step["step"] for step in summary["steps"]] == ["raw", "items", "sentences", "images"]
    assert all(step["users"] == step["interactions"] == 0 for step in summary["steps"])
    assert summary["steps"][0]["dropped"] == {"empty_id": 1}
    assert summary["steps"][-1]["dropped"] == {"not_an_image": 1}
    assert summary["counted"]["items_without_interaction"] == 2


def test_a_log_that_is_empty_by_mistake_is_an_error_and_no_dataset_without_users(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match="no user and no interaction is left"):
        cleaned(tmp_path, items("ab"), interactions(), has_users=True)
    assert cleaned(tmp_path, items("ab"), histories(u="ab")).summary["has_users"] is True


def test_what_contradicts_a_source_without_users_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 rows, but raw/summary\.json says .* no users"):
        cleaned(tmp_path, items("ab"), histories(u="ab"), has_users=False)
    with pytest.raises(DataError, match=r"item_core is 1, but the source has no users.* to 0"):
        cleaned(tmp_path, items("ab"), interactions(), has_users=False, item_core=1)
    with pytest.raises(DataError, match="catalogue has no items"):
        cleaned(tmp_path, items(""), interactions(), has_users=False)


def test_duplicate_item_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 item ids stand more than once \(first: 'a'\)"):
        cleaned(tmp_path, items("aba"), histories(u="ab"))


def test_an_item_without_an_id_is_dropped_and_counted(tmp_path: Path) -> None:
    result = cleaned(tmp_path, items(["", "a", ""]), histories(u="a"))
    assert dropped(result, "raw") == {"empty_id": 2}
    assert result.items.column("item_id").to_pylist() == ["a"]


def test_written_tables_have_their_schemas_and_equal_bytes(tmp_path: Path) -> None:
    refs = [ImageRef("a", 0, "a", jpeg())]
    result = cleaned(tmp_path, items("abc"), histories(u="abc"), refs)
    for name in ("one", "two"):
        write_clean(result, DatasetPaths(tmp_path / name))
    written = {
        "items": schemas.CLEAN_ITEMS,
        "users": schemas.CLEAN_USERS,
        "sequences": schemas.CLEAN_SEQUENCES,
        "sentences": schemas.SENTENCES,
        "images": schemas.IMAGES,
        "failed_images": schemas.FAILED_IMAGES,
    }
    for name, schema in written.items():
        table = read_table(tmp_path / "one" / "clean" / f"{name}.parquet", schema)
        assert table == getattr(result, name)
    assert read_json(tmp_path / "one" / "clean" / "summary.json") == result.summary
    one, two = (sorted((tmp_path / name / "clean").iterdir()) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("uvwxy"), st.sampled_from("abcdef")), min_size=1))
def test_training_counts_and_sequences_hold_every_interaction_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("clean")
    result = cleaned(folder, items("abcdef"), interactions(*rows))
    expected: dict[str, list[str]] = {}
    for user, item in rows:
        expected.setdefault(user, []).append(item)
    assert sequences(result) == expected
    held_out = sum(2 for history in expected.values() if len(history) >= 3)
    trained = pc.sum(result.items.column("training_count")).as_py()
    assert trained == len(rows) - held_out
    borders = Sequences.from_table(result.sequences).borders
    lengths = [len(history) for history in sequences(result).values()]
    assert borders is not None
    assert list(zip(*(border.tolist() for border in borders), strict=True)) == [
        (n - 2, n - 2, n - 1, n - 1, n) if n >= 3 else (n, n, n, n, n) for n in lengths
    ]
