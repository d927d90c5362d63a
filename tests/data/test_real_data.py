"""The published counts of real data sets, through source and clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmrec.data.clean import CleanResult
from mmrec.data.sources.movielens import MovielensSource
from mmrec.data.sources.sequences import SequencesSource
from mmrec.data.sources.source import RawCatalogue, Source
from mmrec.data.sources.tabular import InteractionColumns, ItemColumns, TabularSource
from tests.data.raw_world import cleaned, real_data

pytestmark = pytest.mark.realdata


def _counts(result: CleanResult) -> tuple[int, int, int]:
    interactions = sum(result.users.column("num_interactions").to_pylist())
    return result.users.num_rows, result.items.num_rows, interactions


def _clean(folder: Path, source: Source, **settings: Any) -> tuple[RawCatalogue, CleanResult]:
    raw = source.read()
    refs = list(raw.image_refs)
    core = {"user_core": 5, "item_core": 5, "max_failed_share": 0.0, **settings}
    return raw, cleaned(folder, raw.items, raw.interactions, refs, **core)


def test_movielens_100k(tmp_path: Path) -> None:
    files = real_data("ml-100k")
    source = MovielensSource(files, layout="100k", posters="posters", metadata="tmdb_metadata.csv")
    fields = ["title", "genres", "tagline", "overview"]
    raw, result = _clean(tmp_path, source, text_fields=fields)
    assert (raw.items.num_rows, raw.interactions.num_rows) == (1_682, 100_000)
    assert raw.skipped["metadata_row_repeated"] == 64
    assert _counts(result) == (943, 1_349, 99_287)
    assert result.images.num_rows == 1_342
    assert result.summary["counted"]["items_without_text"] == 0  # type: ignore[index]


def test_movielens_1m(tmp_path: Path) -> None:
    # The posters are listed but not decoded: those of 100K are.
    source = MovielensSource(real_data("ml-1m"), layout="csv", posters="posters", metadata=None)
    raw = source.read()
    assert len(list(raw.image_refs)) == 2_556
    fields = ["title", "genres", "plot"]
    result = cleaned(
        tmp_path, raw.items, raw.interactions, text_fields=fields, user_core=5, item_core=5
    )
    assert _counts(result) == (6_040, 3_416, 999_611)


def test_movielens_1m_without_the_films_of_100k(tmp_path: Path) -> None:
    files = tmp_path / "ml-1m"
    files.mkdir()
    for name in ("items.csv", "interactions.csv.gz"):
        (files / name).symlink_to(real_data("ml-1m") / name)
    (files / "u.item").symlink_to(real_data("ml-100k") / "u.item")
    source = MovielensSource(files, layout="csv", posters=None, metadata=None, without="u.item")
    raw = source.read()
    assert raw.skipped["shared_film"] + raw.items.num_rows == 3_416
    fields = ["title", "genres", "plot"]
    result = cleaned(
        tmp_path, raw.items, raw.interactions, text_fields=fields, user_core=5, item_core=5
    )
    assert _counts(result) == (6_036, 1_946, 512_168)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Beauty", (22_363, 12_101, 198_502)), ("Sports_and_Outdoors", (35_598, 18_357, 296_337))],
)
def test_sequence_files(tmp_path: Path, name: str, expected: tuple[int, int, int]) -> None:
    source = SequencesSource(real_data("sequences") / f"{name}.txt")
    _, result = _clean(tmp_path, source, text_fields=[])
    assert _counts(result) == expected


def test_amazon_beauty_2014(tmp_path: Path) -> None:
    source = TabularSource(
        real_data("amazon-beauty-2014"),
        interactions=InteractionColumns(
            "interactions.csv.gz", "user_id", "item_id", "timestamp", "s"
        ),
        items=ItemColumns("items.csv", "item_id", "title"),
    )
    _, result = _clean(tmp_path, source, text_fields=["title"], duplicates="keep_last")
    assert _counts(result) == (22_332, 12_086, 198_215)
    assert result.sentences.num_rows == 12_086
    assert not any("&amp;" in text for text in result.sentences.column("sentence").to_pylist())
