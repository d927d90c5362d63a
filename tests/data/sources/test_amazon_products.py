"""Products of Amazon 2023 as the hub gives them, and values of odd types in any layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmrec.data.sources.amazon_products import NOT_TAKEN
from mmrec.data.sources.build import build_source
from mmrec.data.sources.source import RawCatalogue
from mmrec.io import DataError
from tests.data.sources.published import amazon_2023, write_lines

_NOTHING = dict.fromkeys(
    ("item_without_id", "item_repeated", "title_is_page_code", *NOT_TAKEN),
    0,
)


def _read(folder: Path, **settings: Any) -> RawCatalogue:
    return build_source(amazon_2023(folder).model_copy(update=settings), folder).read()


def _texts(raw: RawCatalogue) -> dict[str, str]:
    return {one["field"]: one["text"] for one in raw.items.to_pylist()[0]["texts"]}


_HUB = {
    "main_category": "All Beauty",
    "title": "Howard Leather Salve",
    "features": [],
    "description": [],
    "price": "None",
    "images": {
        "hi_res": [None, "h", None],
        "large": ["a", "b", None],
        "thumb": ["a_40", "b_40", None],
        "variant": ["MAIN", "PT01", "PT02"],
    },
    "videos": {"title": [], "url": [], "user_id": []},
    "store": None,
    "categories": ["Beauty"],
    "details": '{"Material": "Beech", "UPC": "617", "Pieces": 4, "Colors": ["Red", null, "Blue"],'
    ' "Is Electric": false, "Brand": null, "Best Sellers Rank": {"Beauty": 5},'
    ' "Rooms": [{"a": 1}], "ASIN": "B1"}',
    "parent_asin": "B1",
    "bought_together": None,
    "subtitle": None,
    "author": None,
}
"""As the hub's loader gives products of 2023: details as a string, pictures by size."""


def _hub(folder: Path, images: str, **changes: Any) -> RawCatalogue:
    row = {**_HUB, **changes}
    write_lines(folder / "m.jsonl", [row])
    lines = _read(folder, metadata="m.jsonl", images=images)
    # The hub's files of metadata are Parquet.
    pq.write_table(pa.Table.from_pylist([row]), folder / "m.parquet")
    rows = _read(folder, metadata="m.parquet", images=images)
    assert rows.items.equals(lines.items)
    assert rows.skipped == lines.skipped
    refs = list(lines.image_refs)
    assert list(rows.image_refs) == refs
    return RawCatalogue(lines.items, lines.interactions, refs, lines.skipped)


@pytest.mark.parametrize(
    ("images", "links", "without"),
    [("large", ["a", "b"], 1), ("hi_res", ["a", "h"], 1), ("none", [], 0)],
)
def test_amazon_2023_as_the_hub_gives_it(
    tmp_path: Path, images: str, links: list[str], without: int
) -> None:
    raw = _hub(tmp_path, images)
    assert _texts(raw) == {
        "categories": "Beauty",
        "details": "Material: Beech\n\nUPC: 617\n\nPieces: 4\n\nColors: Red, Blue"
        "\n\nIs Electric: false",
    }
    assert [ref.link for ref in raw.image_refs] == links
    assert raw.skipped == {
        **_NOTHING,
        "detail_is_table": 2,
        "detail_is_item_id": 1,
        "picture_without_link": without,
    }


@pytest.mark.parametrize("details", ["null", "{}", "", None, "[]"])
def test_amazon_details_may_be_nothing(tmp_path: Path, details: str | None) -> None:
    raw = _hub(tmp_path, "none", details=details)
    assert "details" not in _texts(raw)
    assert raw.skipped == _NOTHING


def test_half_a_surrogate_pair_inside_the_string_is_replaced(tmp_path: Path) -> None:
    raw = _hub(tmp_path, "none", details=r'{"Color": "red \ud83d", "Mood": "\ud83d\ude00"}')
    assert _texts(raw)["details"] == "Color: red ?\n\nMood: \U0001f600"


@pytest.mark.parametrize("details", ["Material: Beech", '["Beech"]', "5", '{"Material": '])
def test_amazon_details_that_are_no_object_are_counted(tmp_path: Path, details: str) -> None:
    raw = _hub(tmp_path, "none", details=details)
    assert "details" not in _texts(raw)
    assert raw.skipped == {**_NOTHING, "details_unreadable": 1}


@pytest.mark.parametrize(
    ("images", "links", "skipped"),
    [
        (None, [], {}),
        ([], [], {}),
        ({}, [], {}),
        ({"hi_res": None, "large": ["a"], "thumb": []}, ["a"], {}),
        ({"hi_res": [], "large": ["a", "a"]}, ["a"], {"picture_repeated": 1}),
        ([{"large": "a"}, None, {"variant": "MAIN"}], ["a"], {"picture_without_link": 2}),
    ],
)
def test_amazon_pictures_may_be_missing_in_part(
    tmp_path: Path, images: Any, links: list[str], skipped: dict[str, int]
) -> None:
    write_lines(tmp_path / "m.jsonl", [{"parent_asin": "B1", "images": images}])
    raw = _read(tmp_path, metadata="m.jsonl")
    assert [ref.link for ref in raw.image_refs] == links
    assert raw.skipped == {**_NOTHING, **skipped}


@pytest.mark.parametrize("images", ["a.jpg", ["a.jpg"], [{"large": 5}], {"large": "a.jpg"}])
def test_amazon_pictures_of_another_shape_are_named(tmp_path: Path, images: Any) -> None:
    write_lines(tmp_path / "m.jsonl", [{"parent_asin": "B1", "images": images}])
    with pytest.raises(DataError, match=r"m\.jsonl, line 1: expected a list of pictures with hi_r"):
        _read(tmp_path, metadata="m.jsonl")


def test_numbers_and_nulls_among_texts_are_read(tmp_path: Path) -> None:
    row = {
        "parent_asin": 17,
        "title": 1984,
        "description": [None, "Good.", ["Nested.", 5]],
        "features": float("nan"),
        "categories": None,
    }
    write_lines(tmp_path / "m.jsonl", [row])
    raw = _read(tmp_path, metadata="m.jsonl")
    assert raw.items.column("item_id").to_pylist() == ["17"]
    assert raw.items.column("title").to_pylist() == ["1984"]
    assert _texts(raw) == {"description": "Good.\n\nNested.\n\n5"}
    write_lines(tmp_path / "m.jsonl", [{**row, "title": {"en": "A"}}])
    with pytest.raises(DataError, match="line 1: expected a text or a list of texts as 'title'"):
        _read(tmp_path, metadata="m.jsonl")


def test_amazon_times_are_exact_whatever_their_type(tmp_path: Path) -> None:
    times = [1588687728923, "1588687728100", 1588687728000.5, None, ""]
    rows = [{"user_id": "U", "parent_asin": "B", "timestamp": time, "rating": 1} for time in times]
    write_lines(tmp_path / "r.jsonl", rows)
    raw = _read(tmp_path, reviews="r.jsonl", metadata=None)
    assert raw.interactions.column("timestamp_ns").to_pylist() == [
        1588687728_923_000_000,
        1588687728_100_000_000,
        1588687728_000_500_000,
        None,
        None,
    ]
