"""MovieLens in its three layouts, on a few lines of each."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import pytest

from mmrec.data.sources.movielens import MovielensSource
from mmrec.io import DataError

_NO_GENRES = "0|" * 18 + "0"
_FILM = f"1|Été (1995)|01-Jan-1995||http://x|{'0|0|0|1|1|1' + '|0' * 13}\n"
_OTHER = f"2|unknown||||{'1' + '|0' * 18}\n"


def _write_100k(folder: Path, films: str = _FILM + _OTHER, log: str = "9\t1\t4\t55\n") -> Path:
    (folder / "u.item").write_text(films, encoding="latin-1")
    (folder / "u.data").write_text(log)
    return folder


def _read(folder: Path, layout: Any = "100k", **settings: Any) -> Any:
    return MovielensSource(
        folder, layout=layout, **{"posters": None, "metadata": None, **settings}
    ).read()


def _texts(raw: Any) -> dict[str, dict[str, str]]:
    return {
        row["item_id"]: {text["field"]: text["text"] for text in row["texts"]}
        for row in raw.items.to_pylist()
    }


def test_100k_gives_latin_titles_and_readable_genres(tmp_path: Path) -> None:
    raw = _read(_write_100k(tmp_path))
    assert raw.items.column("title").to_pylist() == ["Été (1995)", "unknown"]
    assert _texts(raw) == {"1": {"genres": "Animation, Children's, Comedy"}, "2": {}}
    assert raw.interactions.to_pylist() == [
        {"user_id": "9", "item_id": "1", "timestamp_ns": 55 * 10**9, "rating": 4.0}
    ]


def test_1m_splits_at_double_colons(tmp_path: Path) -> None:
    (tmp_path / "movies.dat").write_text("1::Caf\u00e9: A | B (1995)::Comedy|War\n", "latin-1")
    (tmp_path / "ratings.dat").write_text("7::1::5::978300760\r\n8::1::3::978300761\n")
    raw = _read(tmp_path, "1m")
    assert raw.items.column("title").to_pylist() == ["Café: A | B (1995)"]
    assert _texts(raw) == {"1": {"genres": "Comedy, War"}}
    assert raw.interactions.column("timestamp_ns").to_pylist() == [
        978300760 * 10**9,
        978300761 * 10**9,
    ]


def test_files_saved_as_utf8_with_a_byte_order_mark_are_read_as_such(tmp_path: Path) -> None:
    _write_100k(tmp_path)
    for name, text in {
        "u.item": _FILM + _OTHER,
        "movies.dat": "1::Été::Drama\n",
        "ratings.dat": "7::1::5::978300760\n",
    }.items():
        (tmp_path / name).write_text(text, "utf-8-sig")
    films = _read(tmp_path).items.to_pylist()
    assert [(film["item_id"], film["title"]) for film in films] == [
        ("1", "Été (1995)"),
        ("2", "unknown"),
    ]
    raw = _read(tmp_path, "1m")
    assert raw.items.select(["item_id", "title"]).to_pylist() == [{"item_id": "1", "title": "Été"}]
    assert raw.interactions.column("user_id").to_pylist() == ["7"]
    for name, layout in (("u.item", "100k"), ("movies.dat", "1m")):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf1::caf\xe9::Drama\n")
        with pytest.raises(DataError, match=rf"{name}, line 1: expected utf-8 text, .* 0xe9"):
            _read(tmp_path, layout)


@pytest.mark.parametrize("packed", [True, False])
def test_csv_takes_whatever_texts_are_there(tmp_path: Path, packed: bool) -> None:
    log = b"user_id,item_id,timestamp\n1,100,5\n"
    name = "interactions.csv.gz" if packed else "interactions.csv"
    (tmp_path / name).write_bytes(gzip.compress(log) if packed else log)
    (tmp_path / "items.csv").write_text("item_id,title,genres,plot\n100,T,A|B,It happens.\n")
    raw = _read(tmp_path, "csv")
    assert _texts(raw) == {"100": {"genres": "A, B", "plot": "It happens."}}
    assert raw.interactions.num_rows == 1


def test_the_csv_layout_takes_ratings_where_there_are_any(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "items.csv").write_text("item_id,title\n1,T\n")
    (tmp_path / "interactions.csv").write_text("user_id,item_id,timestamp,rating\n1,1,5,3.5\n")
    with caplog.at_level(logging.INFO):
        assert _read(tmp_path, "csv").interactions.column("rating").to_pylist() == [3.5]
    assert caplog.text.count("interactions.csv: found columns separated by") == 1


_METADATA = """movie_id,tagline,overview,genres
1,Sun.,A film.,"[{'id': 1, 'name': 'Drama'}, {'id': 2, 'name': 'War'}]"
1,Moon.,Another film.,[]
2,,Something.,[]
77,,Elsewhere.,[]
"""


def test_metadata_takes_the_first_row_of_a_film_and_counts_the_rest(tmp_path: Path) -> None:
    (_write_100k(tmp_path) / "meta.csv").write_text(_METADATA)
    raw = _read(tmp_path, metadata="meta.csv")
    assert _texts(raw) == {
        "1": {"genres": "Drama, War", "tagline": "Sun.", "overview": "A film."},
        "2": {"overview": "Something."},
    }
    assert raw.skipped == {
        "item_without_id": 0,
        "metadata_row_repeated": 1,
        "metadata_of_no_item": 1,
    }


def test_metadata_that_is_about_no_film_is_not_passed_over(tmp_path: Path) -> None:
    _write_100k(tmp_path)
    (tmp_path / "meta.csv").write_text("movie_id,overview\n0001,A plot.\n0002,Another.\n")
    message = (
        r"meta\.csv: none of 2 rows is about an item of the catalogue, such as '0001' where the"
        r" catalogue has '1': written without leading zeros, 100% would match; correct"
    )
    with pytest.raises(DataError, match=message):
        _read(tmp_path, metadata="meta.csv")


def test_metadata_of_the_csv_layout_goes_by_movie_id(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("user_id,item_id,timestamp\n1,100,5\n")
    (tmp_path / "items.csv").write_text("item_id,movie_id,title\n1,9,T\n100,1,S\n")
    meta = "movie_id,overview,genres\n1,About S.,[{'name': 'War'}]\n"
    (tmp_path / "meta.csv").write_text(meta.replace("[", '"[').replace("]", ']"'))
    assert _texts(_read(tmp_path, "csv", metadata="meta.csv")) == {
        "1": {},
        "100": {"genres": "War", "overview": "About S."},
    }


def test_posters_go_by_item_id_and_a_film_may_have_none(tmp_path: Path) -> None:
    folder = _write_100k(tmp_path) / "posters"
    folder.mkdir()
    for name in ("1.jpg", "5.jpg"):
        (folder / name).touch()
    raw = _read(tmp_path, posters="posters")
    assert [(ref.item_id, ref.load) for ref in raw.image_refs] == [("1", folder / "1.jpg")]
    assert raw.skipped["picture_of_no_item"] == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"films": _FILM + "2|Short|x\n"}, r"u\.item, line 2: expected 24 fields .*found 3"),
        (
            {"films": _FILM + f"2|T||||{_NO_GENRES}".replace("0|0|0", "0|yes|0", 1) + "\n"},
            r"u\.item, line 2: expected 0 or 1 for the genre 'Action', found 'yes'",
        ),
        ({"films": _FILM + _FILM}, r"u\.item: 1 item ids .*'1' at line 1 and line 2"),
        ({"log": "9\t1\t4\t55\n9\t1\t4\n"}, r"u\.data, line 2: expected 4 fields .*found 3"),
        ({"log": "9\t1\tgood\t55\n"}, r"u\.data, line 1: expected a number as rating"),
        ({"log": "9\t1\t4\tnoon\n"}, r"u\.data, line 1: expected a time in s .*found 'noon'"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(_write_100k(tmp_path, **files))


def test_malformed_genres_and_lines_of_other_files_are_named(tmp_path: Path) -> None:
    (_write_100k(tmp_path) / "meta.csv").write_text("movie_id,genres\n1,[]\n2,Drama\n")
    with pytest.raises(DataError, match=r"meta\.csv, line 3: expected genres as .*found 'Drama'"):
        _read(tmp_path, metadata="meta.csv")
    (tmp_path / "movies.dat").write_text("1::T::Drama\n2::T\n")
    (tmp_path / "ratings.dat").write_text("")
    with pytest.raises(DataError, match=r"movies\.dat, line 2: expected .*found '2::T'"):
        _read(tmp_path, "1m")


@pytest.mark.parametrize(
    ("layout", "name"), [("100k", "u.item"), ("1m", "movies.dat"), ("csv", "items.csv")]
)
def test_a_missing_file_is_named(tmp_path: Path, layout: str, name: str) -> None:
    with pytest.raises(DataError, match=f"{name}: file not found"):
        _read(tmp_path, layout)
