"""Amazon, Goodreads and H&M in the layouts in which they are published."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from mmrec.data.sources.amazon_products import NOT_TAKEN
from mmrec.data.sources.build import build_source
from mmrec.data.sources.source import ImageRef, RawCatalogue, Url
from mmrec.io import DataError
from mmrec.params import sources as params
from tests.data.sources.published import (
    BOOKS,
    EVENTS,
    GENRES,
    PRODUCTS_2014,
    PRODUCTS_2018,
    REVIEWS_2014,
    REVIEWS_2018,
    REVIEWS_2023,
    amazon_2023,
    goodreads_json,
    hm_world,
    write_lines,
)

SECOND = 10**9

_NOTHING = dict.fromkeys(
    ("item_without_id", "item_repeated", "title_is_page_code", *NOT_TAKEN),
    0,
)


def _amazon(layout: Any, images: Any = "hi_res") -> params.AmazonSourceParams:
    return params.AmazonSourceParams(
        name="amazon", layout=layout, reviews="reviews.json", metadata="meta.json", images=images
    )


def _read(source: params.SourceParams, folder: Path) -> RawCatalogue:
    return build_source(source, folder).read()


def _log(raw: RawCatalogue) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in raw.interactions.to_pylist()]


def _texts(raw: RawCatalogue, item: int = 0) -> dict[str, str]:
    return {one["field"]: one["text"] for one in raw.items.to_pylist()[item]["texts"]}


@pytest.mark.parametrize("literals", [True, False])
def test_amazon_2014_in_json_and_in_python_literals(tmp_path: Path, *, literals: bool) -> None:
    write_lines(tmp_path / "reviews.json", REVIEWS_2014, literals=literals)
    write_lines(tmp_path / "meta.json", PRODUCTS_2014, literals=literals)
    raw = _read(_amazon(2014), tmp_path)
    assert _log(raw) == [
        ("A2SUAM1J3GNN3B", "0000031852", 1252800000 * SECOND, 5.0),
        ("B", "0000031909", 1252800001 * SECOND, 1.0),
    ]
    assert raw.items.column("title").to_pylist() == ['Girls "Ballet" Tutu\'s', None]
    assert _texts(raw) == {
        "description": "A tutu.",
        "brand": "Coxlures",
        "categories": "Sports & Outdoors, Other Sports, Dance",
    }
    link = "http://ecx.images-amazon.com/images/I/51fAmVkTbyL._SY300_.jpg"
    assert list(raw.image_refs) == [ImageRef("0000031852", 0, link, Url(link))]


def test_a_python_literal_is_never_run(tmp_path: Path) -> None:
    flag = tmp_path / "run"
    write_lines(tmp_path / "meta.json", PRODUCTS_2014, literals=True)
    (tmp_path / "reviews.json").write_text(f"__import__('pathlib').Path({str(flag)!r}).touch()\n")
    with pytest.raises(DataError, match=r"reviews\.json, line 1: expected a JSON object or a Pyth"):
        _read(_amazon(2014), tmp_path)
    assert not flag.exists()


def test_amazon_2018_takes_all_large_pictures_and_no_page_code(tmp_path: Path) -> None:
    write_lines(tmp_path / "reviews.json", REVIEWS_2018)
    write_lines(tmp_path / "meta.json", PRODUCTS_2018)
    raw = _read(_amazon(2018), tmp_path)
    assert _log(raw) == [("AUI6WTTT0QZYS", "0000031852", 1514764800 * SECOND, 5.0)]
    assert raw.items.column("title").to_pylist() == ["Girls Ballet Tutu Zebra Hot Pink", None]
    assert _texts(raw)["features"] == "Botiquecutie Trademark\n\nHot Pink Zebra"
    assert _texts(raw)["description"] == "This tutu is great."
    assert [(ref.item_id, ref.position, ref.link) for ref in raw.image_refs] == [
        ("0000031852", 0, "http://images-na.ssl/I/51f.jpg"),
        ("0000031852", 1, "http://images-na.ssl/I/51g.jpg"),
        ("B1", 0, "http://a/t.jpg"),
    ]
    assert raw.skipped == {
        **_NOTHING,
        "item_repeated": 1,
        "title_is_page_code": 1,
        "detail_is_item_id": 4,
    }
    assert _texts(raw)["details"].split("\n\n") == [
        "Product Dimensions: 2 x 3 inches ; 4 ounces",
        "Shipping Weight: 4 ounces (",
        "Domestic Shipping: Item can be shipped within U.S.",
        "Label: Capezio",
    ]


def test_amazon_2023_names_items_by_their_parent(tmp_path: Path) -> None:
    raw = _read(amazon_2023(tmp_path), tmp_path)
    assert _log(raw) == [
        ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B01CUPMQZE", 1588687728_923_000_000, 5.0),
        ("U2", "B2", 1588687728 * SECOND, 2.0),
    ]
    assert raw.items.column("title").to_pylist() == ["Howard Leather Salve", "Half a pair ?"]
    assert _texts(raw) == {
        "description": "For leather.\n\nNot for suede.",
        "features": "Protects.\n\nCleans.",
        "brand": "Howard Products",
        "categories": "Beauty, Leather",
        "details": "Brand: Howard",
    }
    assert [ref.link for ref in raw.image_refs] == ["https://m/I/a.jpg", "https://m/I/b.jpg"]


@pytest.mark.parametrize(
    ("images", "links"),
    [("hi_res", ["https://m/I/a_1500.jpg", "https://m/I/b.jpg"]), ("none", [])],
)
def test_amazon_pictures_come_in_the_size_asked_for(
    tmp_path: Path, images: str, links: list[str]
) -> None:
    source = amazon_2023(tmp_path).model_copy(update={"images": images})
    assert [ref.link for ref in _read(source, tmp_path).image_refs] == links


def test_amazon_without_metadata_has_the_items_of_its_log(tmp_path: Path) -> None:
    source = amazon_2023(tmp_path).model_copy(update={"metadata": None})
    assert _read(source, tmp_path).items.column("item_id").to_pylist() == ["B01CUPMQZE", "B2"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"rating": 5.0, "asin', r"line 3: expected a JSON object, found '\{\"rating\": 5\.0, "),
        ("[1, 2]", r"line 3: expected a JSON object, found '\[1, 2\]'"),
        (
            '{"user_id": "u", "parent_asin": "B"}',
            r"line 3: expected a time in ms as 'timestamp', found no such key",
        ),
        (
            '{"user_id": "u", "parent_asin": "B", "timestamp": "soon"}',
            "line 3: expected a time in ms, from 1677 to 2262, as 'timestamp', found",
        ),
        (
            '{"user_id": "u", "parent_asin": "B", "timestamp": NaN}',
            "line 3: expected a time in ms, from 1677 to 2262, as 'timestamp', found",
        ),
        (
            f'{{"user_id": "u", "parent_asin": "B", "timestamp": 1{"0" * 400}}}',
            "line 3: expected a time in ms, from 1677 to 2262, as 'timestamp', found",
        ),
        (
            '{"user_id": "u", "parent_asin": "B", "timestamp": 1e300, "rating": 5}',
            "line 3: expected a time in ms, from 1677 to 2262, as 'timestamp', found",
        ),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    source = amazon_2023(tmp_path).model_copy(update={"reviews": "r.jsonl"})
    path = write_lines(tmp_path / "r.jsonl", REVIEWS_2023)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=rf"r\.jsonl, {message}"):
        _read(source, tmp_path)


def test_a_file_that_is_cut_off_or_in_another_encoding_is_named(tmp_path: Path) -> None:
    source = amazon_2023(tmp_path).model_copy(update={"reviews": "r.jsonl.gz"})
    whole = gzip.compress(b'{"rating": 5}\n' * 100)
    (tmp_path / "r.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"r\.jsonl\.gz.*replace the file|no such key"):
        _read(source, tmp_path)
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(b'{"title": "\xe9"}\n'))
    with pytest.raises(DataError, match="line 1: expected utf-8 text, found the byte 0xe9"):
        _read(source, tmp_path)


@pytest.mark.parametrize("half", [r"\ud83d", r"\uD83D"])
def test_half_a_surrogate_pair_is_replaced_wherever_it_stands(tmp_path: Path, half: str) -> None:
    source = amazon_2023(tmp_path).model_copy(update={"metadata": "m.jsonl"})
    images = f'[{{"large": "http://x/{half}.jpg"}}]'
    details = f'{{"Color{half}": "red {half}"}}'
    title = r'"parent_asin": "B2", "title": "\ud83d\ude00"'
    row = f'{{{title}, "details": {details}, "images": {images}}}'
    (tmp_path / "m.jsonl").write_text(row + "\n")
    raw = _read(source, tmp_path)
    assert raw.items.column("title").to_pylist() == ["\U0001f600"]
    assert _texts(raw) == {"details": "Color?: red ?"}
    assert [ref.link for ref in raw.image_refs] == ["http://x/?.jpg"]


def test_half_a_surrogate_pair_in_a_genre_is_replaced(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path).model_copy(update={"genres": "g.json"})
    (tmp_path / "g.json").write_text(r'{"book_id": "5333265", "genres": {"sad \ud83d": 1}}')
    assert _texts(_read(source, tmp_path))["genres"] == "sad ?"


def test_goodreads_has_times_genres_and_real_covers_only(tmp_path: Path) -> None:
    raw = _read(goodreads_json(tmp_path), tmp_path)
    assert _log(raw) == [
        ("8842281e1d1347389f2ab93d60773d4d", "5333265", 1459825853 * SECOND, 5.0),
        ("u2", "1333909", 946684800 * SECOND, None),
    ]
    assert raw.items.column("title").to_pylist() == ["W.C. Fields", "Good Harbor"]
    assert _texts(raw) == {
        "description": "A story.",
        "genres": "history, biography, fiction",
        "publisher": "St. Martin's Press",
    }
    assert [ref.item_id for ref in raw.image_refs] == ["5333265"]
    assert raw.skipped == {
        "item_without_id": 0,
        "item_repeated": 1,
        "no_cover": 1,
        "genres_repeated": 0,
        "genres_of_no_item": 0,
    }


def test_goodreads_as_csv_names_books_by_the_map(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path).model_copy(
        update={"interactions": "i.csv", "book_ids": "book_id_map.csv", "genres": None}
    )
    (tmp_path / "book_id_map.csv").write_text("book_id_csv,book_id\n0,5333265\n1,1333909\n")
    log = "user_id,book_id,is_read,rating,is_reviewed\n0,1,1,5,0\n0,0,0,0,0\n"
    (tmp_path / "i.csv").write_text(log)
    raw = _read(source, tmp_path)
    assert _log(raw) == [("0", "1333909", None, 5.0), ("0", "5333265", None, None)]
    (tmp_path / "i.csv").write_text(log + "0,7,1,5,0\n")
    with pytest.raises(DataError, match=r"i\.csv, line 4: expected a book_id that book_id_map"):
        _read(source, tmp_path)


def test_a_book_id_map_gives_a_book_one_id(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path).model_copy(
        update={"interactions": "i.csv", "book_ids": "m.csv", "genres": None}
    )
    (tmp_path / "i.csv").write_text("user_id,book_id,rating\n0,1,5\n")
    (tmp_path / "m.csv").write_text("book_id_csv,book_id\n1,5333265\n1,5333265\n")
    assert _log(_read(source, tmp_path)) == [("0", "5333265", None, 5.0)]
    (tmp_path / "m.csv").write_text("book_id_csv,book_id\n1,5333265\n1,7\n")
    with pytest.raises(DataError, match=r"m\.csv: expected one book_id per .*several for '1'"):
        _read(source, tmp_path)


def test_goodreads_counts_genres_that_it_cannot_use(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path)
    rows = [*GENRES, GENRES[0], {"book_id": "7", "genres": {"fiction": 1}}]
    write_lines(tmp_path / "genres.json.gz", [*rows, {"book_id": "1333909", "genres": {}}])
    raw = _read(source, tmp_path)
    assert raw.skipped["genres_repeated"] == 1
    assert raw.skipped["genres_of_no_item"] == 1
    assert "genres" not in _texts(raw, 1)


def test_genres_of_no_book_are_not_passed_over(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path)
    write_lines(
        tmp_path / "genres.json.gz",
        [{"book_id": f"00{row['book_id']}", "genres": {}} for row in GENRES],
    )
    message = (
        r"genres\.json\.gz: none of .* is about an item .*without leading zeros.*set genres to"
    )
    with pytest.raises(DataError, match=message):
        _read(source, tmp_path)


def test_goodreads_as_it_really_looks(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path)
    book = {
        "isbn": "",
        "series": [],
        "similar_books": [],
        "num_pages": "",
        "description": "",
        "publisher": None,
        "image_url": "",
        "book_id": 8,
        "title": None,
    }
    write_lines(tmp_path / "books.json.gz", [*BOOKS, book])
    event = {**EVENTS[1], "book_id": "8", "date_added": "", "read_at": "", "started_at": ""}
    write_lines(tmp_path / "events.json.gz", [*EVENTS, event])
    raw = _read(source, tmp_path)
    assert raw.items.to_pylist()[2] == {"item_id": "8", "title": None, "texts": []}
    assert _log(raw)[2] == ("u2", "8", None, None)
    assert raw.skipped["no_cover"] == 2


def test_a_goodreads_time_before_1677_is_named(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path)
    event = {**EVENTS[0], "date_added": "Fri Jan 01 00:00:00 -0800 0016"}
    write_lines(tmp_path / "events.json.gz", [*EVENTS, event])
    with pytest.raises(DataError, match=r"line 3: expected a time from 1677 .*'date_added', found"):
        _read(source, tmp_path)


def test_a_malformed_time_of_goodreads_is_named(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path)
    write_lines(tmp_path / "events.json.gz", [*EVENTS, {**EVENTS[0], "date_added": "2016-04-04"}])
    with pytest.raises(DataError, match=r"line 3: expected a time such as .* found '2016-04-04'"):
        _read(source, tmp_path)


def test_goodreads_without_covers_needs_no_download(tmp_path: Path) -> None:
    source = goodreads_json(tmp_path).model_copy(update={"images": False})
    assert list(_read(source, tmp_path).image_refs) == []
    assert not params.names_pictures_on_the_web(source)
    assert len(BOOKS) == 3


def test_hm_keeps_leading_zeros_and_finds_its_pictures(tmp_path: Path) -> None:
    raw = _read(hm_world(tmp_path), tmp_path)
    assert _log(raw) == [
        ("000058a1", "0108775015", 1537401600 * SECOND, None),
        ("000058a1", "0108775044", 1537488000 * SECOND, None),
    ]
    assert raw.items.column("item_id").to_pylist() == ["0108775015", "0108775044"]
    assert _texts(raw)["description"] == "Jersey top, narrow."
    assert "description" not in _texts(raw, 1)
    path = tmp_path / "images/010/0108775015.jpg"
    assert list(raw.image_refs) == [ImageRef("0108775015", 0, "images/010/0108775015.jpg", path)]
    assert raw.skipped == {
        "item_without_id": 0,
        "picture_of_no_item": 1,
        "picture_in_wrong_folder": 1,
        "file_with_other_ending": 1,
    }
    with pytest.raises(DataError, match="photos: folder of pictures not found"):
        _read(params.HmSourceParams(name="hm", images="photos"), tmp_path)
