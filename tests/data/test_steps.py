"""The account that clean gives: what remained, what went and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmrec.data.clean import CleanResult
from mmrec.data.sources.source import ImageRef
from tests.data.raw_world import cleaned, dropped, histories, interactions, items, jpeg


def test_the_summary_says_what_remains_after_every_step(tmp_path: Path) -> None:
    log = interactions(("u", "a", 1), ("u", "a", 2), ("u", "b", 3), ("v", "z", 1), ("v", "c", 1))
    refs = [
        ImageRef("a", 0, "a", jpeg(1)),
        ImageRef("b", 0, "b", b"no picture"),
        ImageRef("c", 0, "c", jpeg(2)),
    ]
    settings = {"duplicates": "keep_last", "user_core": 2, "item_core": 1}
    result = cleaned(tmp_path, items("abc"), log, refs, **settings)
    steps = result.summary["steps"]
    assert isinstance(steps, list)
    names = ["step", "users", "items", "interactions", "sentences", "images", "dropped"]
    assert [[step[name] for name in names] for step in steps] == [
        ["raw", 2, 3, 5, None, 3, {}],
        ["interactions", 2, 3, 4, None, 3, {"unknown_item": 1}],
        ["duplicates", 2, 3, 3, None, 3, {"duplicate_keep_last": 1}],
        ["core", 1, 2, 2, None, 2, {"user_core": 1}],
        ["items", 1, 2, 2, None, 2, {"no_interactions": 1}],
        ["sentences", 1, 2, 2, 6, 2, {}],
        ["images", 1, 2, 2, 6, 1, {"not_an_image": 1}],
    ]


def test_users_and_items_that_go_with_their_interactions_are_counted_by_reason(
    tmp_path: Path,
) -> None:
    log = interactions(
        ("", "a", 1, 5.0),
        ("u", "a", 1, 5.0),
        ("u", "z", 1, 5.0),
        ("v", "z", 1, 5.0),
        ("v", "b", 1, 1.0),
        ("w", "c", None, 5.0),
    )
    result = cleaned(tmp_path, items("abcd"), log, min_rating=2)
    raw, invalid, *_ = _steps(result)
    assert (raw["users"], invalid["users"]) == (3, 1)
    assert invalid["dropped_users"] == {"missing_timestamp": 1, "low_rating": 1}
    assert invalid["dropped_items"] == {"missing_timestamp": 1, "low_rating": 1}


def test_users_and_items_that_the_core_drops_are_counted_by_reason(tmp_path: Path) -> None:
    # b goes as an item of one user, and v with it; x goes as a user of one item, and d with it.
    log = histories(u="aac", v="bb", w="aac", x="d")
    result = cleaned(tmp_path, items("abcd"), log, user_core=2, item_core=3)
    core = next(step for step in _steps(result) if step["step"] == "core")
    assert core["dropped"] == {"user_core": 1, "item_core": 4}
    assert core["dropped_users"] == {"user_core": 1, "item_core": 1}
    assert core["dropped_items"] == {"user_core": 1, "item_core": 2}
    assert core["users"] == 2


def test_what_the_source_skipped_stands_in_the_first_step(tmp_path: Path) -> None:
    skipped = {"file_with_other_ending": 3, "item_without_id": 0}
    result = cleaned(tmp_path, items(["", "a"]), histories(u="a"), skipped=skipped)
    assert dropped(result, "raw") == {"empty_id": 1}
    assert _steps(result)[0]["skipped"] == {"file_with_other_ending": 3}


def _steps(result: CleanResult) -> list[dict[str, Any]]:
    steps: Any = result.summary["steps"]
    return list(steps)
