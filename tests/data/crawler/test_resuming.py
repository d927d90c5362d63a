"""What is kept between crawls, and what is asked for again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mmrec.data.crawler.crawl import Crawler
from mmrec.data.crawler.store import DownloadStore, LinkState
from mmrec.io import DataError, content_key
from tests.data.crawler.crawls import crawl, reasons, settings
from tests.data.crawler.web import Site, Web, in_turn, says, validated
from tests.data.raw_world import jpeg


def test_what_has_an_answer_is_not_asked_for_again(web: Web, tmp_path: Path) -> None:
    site = web.serve(Site({"a": says(jpeg(1)), "b": says(jpeg(2))}))
    first = crawl(tmp_path, map(site.url, ("a", "gone")))
    assert crawl(tmp_path, map(site.url, ("gone", "a", "b"))) == {
        **first,
        **crawl(tmp_path, [site.url("b")]),
    }
    assert site.counts == {"a": 1, "b": 1, "gone": 1}


def test_links_that_failed_for_a_chosen_reason_are_tried_again(web: Web, tmp_path: Path) -> None:
    back = in_turn(*[says(status=503)] * 2, says(jpeg()))
    site = web.serve(Site({"busy": back, "bad": says(b"x"), "broken": says(status=500)}))
    urls = [site.url(path) for path in ("busy", "bad", "broken", "gone")]
    assert reasons(crawl(tmp_path, urls))["busy"] == "http_503"
    assert reasons(crawl(tmp_path, urls, retry=("http_503", "not_an_image"))) == {
        "busy": "",
        "bad": "not_an_image",
        "broken": "http_500",
        "gone": "http_404",
    }
    assert site.counts == {"busy": 3, "bad": 2, "broken": 2, "gone": 1}
    crawl(tmp_path, urls, retry=("http_4xx", "http_5xx"))
    assert site.counts == {"busy": 3, "bad": 2, "broken": 4, "gone": 2}


def test_a_new_edition_asks_whether_pictures_have_changed(web: Web, tmp_path: Path) -> None:
    old, new = jpeg(1), jpeg(2)
    site = web.serve(
        Site(
            {
                "same": validated(old, '"v1"'),
                "changed": in_turn(validated(old, '"v1"'), validated(new, '"v2"')),
                "plain": says(old),
                "gone": in_turn(says(old), says(status=410)),
                "busy": in_turn(says(old), *[says(status=503)] * 2, says(new)),
                "back": in_turn(says(status=404), says(new)),
            }
        )
    )
    paths = ["same", "changed", "plain", "gone", "busy", "back"]
    urls = [site.url(path) for path in paths]
    crawl(tmp_path, urls)
    found = crawl(tmp_path, urls, edition="2")
    keys = {url.rpartition("/")[2]: one.content_key for url, one in found.items()}
    before, after = content_key(old), content_key(new)
    # A server that is down for the moment takes no picture away.
    assert keys == dict(zip(paths, (before, after, before, None, before, after), strict=True))
    conditions = [one.get("If-None-Match") for one in site.headers if "If-None-Match" in one]
    assert conditions == ['"v1"', '"v1"']
    again = crawl(tmp_path, urls, edition="2")
    assert again[site.url("busy")].content_key == after
    assert site.counts["same"] == 2
    assert site.counts["busy"] == 4


def test_equal_pictures_are_kept_once(web: Web, tmp_path: Path) -> None:
    site = web.serve(Site({"*": says(jpeg())}))
    crawl(tmp_path, [site.url(str(n)) for n in range(9)])
    assert (tmp_path / "store" / "pictures.bin").stat().st_size == len(jpeg())


def test_two_crawls_of_one_dataset_do_not_meet(tmp_path: Path) -> None:
    with (
        DownloadStore(tmp_path),
        pytest.raises(DataError, match="another crawl of this dataset is running"),
    ):
        DownloadStore(tmp_path)
    DownloadStore(tmp_path).__exit__(None, None, None)


def _filled(folder: Path) -> dict[str, bytes]:
    pictures = {str(n): bytes([n]) * 100 for n in range(10)}
    with DownloadStore(folder) as store:
        for url, data in pictures.items():
            store.put(url, LinkState("1", "", 1, store.add_picture(data)))
    return pictures


def test_a_file_that_was_cut_off_loses_only_what_was_cut(tmp_path: Path) -> None:
    pictures = _filled(tmp_path)
    with (tmp_path / "pictures.bin").open("rb+") as file:
        file.truncate(750)
    with DownloadStore(tmp_path) as store:
        kept = {url: state for url in pictures if (state := store.find(url))}
        assert list(kept) == list(pictures)[:7]
        assert all(store.read(kept[url].content_key or b"") == pictures[url] for url in kept)
        key = store.add_picture(b"new")
        assert store.read(key) == b"new"
        assert all(store.read(kept[url].content_key or b"") == pictures[url] for url in kept)


def test_damaged_pictures_are_found_and_forgotten(tmp_path: Path) -> None:
    pictures = _filled(tmp_path)
    with (tmp_path / "pictures.bin").open("rb+") as file:
        file.seek(250)
        file.write(b"damage" * 20)
    with DownloadStore(tmp_path) as store:
        with pytest.raises(DataError, match="2 pictures are damaged and now forgotten; run"):
            store.read(content_key(pictures["2"]))
        assert store.find("2") is None
        assert store.find("3") is None
        assert store.read(content_key(pictures["4"])) == pictures["4"]


def test_bytes_that_were_never_committed_are_written_over(tmp_path: Path) -> None:
    _filled(tmp_path)
    with (tmp_path / "pictures.bin").open("ab") as file:
        file.write(b"never committed")
    with DownloadStore(tmp_path) as store:
        key = store.add_picture(b"new")
        store.commit()
        assert store.read(key) == b"new"
    assert (tmp_path / "pictures.bin").read_bytes()[1000:1003] == b"new"


def test_a_foreign_or_newer_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "links.sqlite").write_bytes(b"not a table" * 1000)
    with pytest.raises(DataError, match=r"links\.sqlite: file is not a database; .* delete the"):
        DownloadStore(tmp_path)
    (tmp_path / "links.sqlite").unlink()
    with sqlite3.connect(tmp_path / "links.sqlite") as table:
        table.execute("PRAGMA user_version = 7")
    with pytest.raises(DataError, match="format 7, expected 2"):
        DownloadStore(tmp_path)


def test_a_full_disk_is_one_error_and_loses_nothing(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = web.serve(Site({"*": says(jpeg(1)), "other": says(jpeg(2))}))
    crawl(tmp_path, [site.url("a")])

    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            crawl(tmp_path, [site.url("other")])
    assert reasons(crawl(tmp_path, map(site.url, ("a", "other")))) == {"a": "", "other": ""}
    assert site.counts == {"a": 1, "other": 2}


def test_a_link_that_nobody_asked_for_has_no_outcome(tmp_path: Path) -> None:
    with (
        Crawler(tmp_path, settings()) as crawler,
        pytest.raises(ValueError, match="never asked for"),
    ):
        crawler.outcome("http://x/y")
