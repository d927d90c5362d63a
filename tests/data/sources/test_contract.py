"""What every source promises, for every member of the union in params."""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mmrec import schemas
from mmrec.data.fetch import fetch_images
from mmrec.data.images import decode_image
from mmrec.data.sources.build import build_source
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.io import DataError
from mmrec.params import sources as params
from tests.data.crawler.nowhere import Nowhere
from tests.data.raw_world import interactions, items, jpeg, write_raw
from tests.data.sources.published import amazon_2023, goodreads_json, hm_world


def _demo(folder: Path) -> params.SourceParams:
    return params.DemoSourceParams(name="demo", num_items=60, num_users=20, seed=1)


def _movielens(folder: Path) -> params.SourceParams:
    (folder / "u.item").write_text("".join(f"{n}|T{n}|||" + "|0" * 19 + "\n" for n in (1, 2)))
    (folder / "u.data").write_text("1\t1\t5\t9\n1\t2\t4\t8\n")
    (folder / "posters").mkdir()
    (folder / "posters" / "1.jpg").write_bytes(jpeg())
    return params.MovielensSourceParams(
        name="movielens", layout="100k", posters="posters", metadata=None
    )


def _tabular(folder: Path) -> params.TabularSourceParams:
    (folder / "log.csv").write_text("u,i,t,r\n1,a,5,1.5\n2,b,6,\n")
    (folder / "items.tsv").write_text("i\tname\tabout\tpictures\na\tA\tGood.\ta.jpg\nb\t\t\t\n")
    (folder / "a.jpg").write_bytes(jpeg())
    log = params.TabularInteractions(
        file="log.csv", user_id="u", item_id="i", timestamp="t", timestamp_unit="s", rating="r"
    )
    catalogue = params.TabularItems(
        file="items.tsv",
        item_id="i",
        title="name",
        texts=["about"],
        image_files="pictures",
        image_folder=None,
        image_urls=None,
    )
    return params.TabularSourceParams(name="tabular", interactions=log, items=catalogue)


def _captions(folder: Path) -> params.SourceParams:
    catalogue = _tabular(folder).items
    return params.TabularSourceParams(name="tabular", interactions=None, items=catalogue)


def _sequences(folder: Path) -> params.SourceParams:
    (folder / "shop.txt").write_text("1 a b\n2 b c\n")
    return params.SequencesSourceParams(name="sequences", file="shop.txt")


def _raw(folder: Path) -> params.SourceParams:
    refs = [ImageRef("a", 0, "a", jpeg()), ImageRef("b", 0, "b", None)]
    write_raw(folder, items("ab"), interactions(("u", "a", 10**9), ("u", "b", 2 * 10**9)), refs)
    return params.RawSourceParams(name="raw")


_WORLDS: dict[type, Callable[[Path], params.SourceParams]] = {
    params.DemoSourceParams: _demo,
    params.MovielensSourceParams: _movielens,
    params.AmazonSourceParams: amazon_2023,
    params.GoodreadsSourceParams: goodreads_json,
    params.HmSourceParams: hm_world,
    params.TabularSourceParams: _tabular,
    params.SequencesSourceParams: _sequences,
    params.RawSourceParams: _raw,
}
_KINDS = typing.get_args(typing.get_args(params.SourceParams)[0])


@pytest.fixture(params=[*_WORLDS.values(), _captions], ids=lambda world: world.__name__.strip("_"))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], RawCatalogue]:
    chosen = request.param(tmp_path)
    return lambda: build_source(chosen, tmp_path).read()


def test_every_kind_of_source_is_here() -> None:
    assert len(_KINDS) == 8
    assert set(_KINDS) == set(_WORLDS)


def test_tables_have_their_schemas(make: Callable[[], RawCatalogue]) -> None:
    raw = make()
    assert raw.items.schema.equals(schemas.RAW_ITEMS)
    assert raw.interactions.schema.equals(schemas.RAW_INTERACTIONS)
    raw.items.validate(full=True)
    raw.interactions.validate(full=True)
    assert raw.items.num_rows
    assert bool(raw.interactions.num_rows) == raw.has_users


def test_only_a_catalogue_alone_is_without_users(tmp_path: Path) -> None:
    for number, world in enumerate([*_WORLDS.values(), _captions]):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert build_source(world(folder), folder).read().has_users == (world is not _captions)


def test_item_ids_are_unique_and_cover_the_log_and_the_pictures(
    make: Callable[[], RawCatalogue],
) -> None:
    raw = make()
    ids = raw.items.column("item_id").to_pylist()
    assert len(set(ids)) == len(ids)
    assert "" not in ids
    assert set(raw.interactions.column("item_id").to_pylist()) <= set(ids)
    places = [(ref.item_id, ref.position) for ref in raw.image_refs]
    assert {item_id for item_id, _ in places} <= set(ids)
    assert len(set(places)) == len(places)


def test_times_are_nanoseconds_or_absent(make: Callable[[], RawCatalogue]) -> None:
    times = make().interactions.column("timestamp_ns")
    assert times.null_count in {0, len(times)}
    # A second after 1970 at least, and not after 2100.
    assert all(10**9 <= time < 4_102_444_800 * 10**9 for time in times.drop_null().to_pylist())


def test_texts_are_not_empty_and_do_not_repeat_the_title(
    make: Callable[[], RawCatalogue],
) -> None:
    texts = pl.from_arrow(make().items.column("texts").combine_chunks()).explode().drop_nulls()
    if len(texts):
        fields = texts.struct.unnest()
        assert (fields["text"] != "").all()
        assert "title" not in fields["field"]


def test_pictures_can_be_fetched(make: Callable[[], RawCatalogue], tmp_path: Path) -> None:
    refs, out = make().image_refs, tmp_path / "out"
    counts = fetch_images(refs, out, tmp_path / "links.parquet", Nowhere())
    assert counts["links"] == sum(
        count for name, count in counts.items() if name == "ok" or name.startswith("failed")
    )


def test_reading_twice_gives_the_same(make: Callable[[], RawCatalogue]) -> None:
    one, two = make(), make()
    assert one.items.equals(two.items)
    assert one.interactions.equals(two.interactions)
    assert list(one.image_refs) == list(two.image_refs)
    assert one.skipped == two.skipped


def test_the_demo_has_pictures_titles_and_descriptions(tmp_path: Path) -> None:
    raw = build_source(_demo(tmp_path), tmp_path).read()
    assert {text["field"] for row in raw.items.to_pylist() for text in row["texts"]} == {
        "description"
    }
    assert decode_image(typing.cast("bytes", next(iter(raw.image_refs)).load)).mode == "RGB"


def test_a_raw_source_without_its_folder_is_refused(tmp_path: Path) -> None:
    source = build_source(params.RawSourceParams(name="raw"), tmp_path / "nowhere")
    with pytest.raises(DataError, match="folder of raw tables not found"):
        source.read()
