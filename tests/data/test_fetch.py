"""Packing of pictures and the row per link."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmrec import schemas
from mmrec.data import fetch, packing
from mmrec.data.fetch import fetch_images
from mmrec.data.images import RawImages
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.io import DataError, content_key, part_files, read_json, read_table
from tests.data.raw_world import histories, items


def _bytes_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_equal_contents_are_packed_once(tmp_path: Path) -> None:
    refs = [
        ImageRef(item, 0, item, data) for item, data in zip("abc", [b"x", b"y", b"x"], strict=True)
    ]
    counts = fetch_images(refs, tmp_path / "images", tmp_path / "links.parquet")
    assert counts == {"links": 3, "ok": 3, "contents": 2, "bytes": 2}
    assert dict(RawImages(tmp_path / "images").iterate()) == {
        content_key(data): data for data in (b"x", b"y")
    }


def test_every_link_is_a_row_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MAX_IMAGE_BYTES", 10)
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(bytes(11))
    (tmp_path / "good").write_bytes(b"good")
    names = ["good", "gone", "empty", "large", "nul\0"]
    refs = [ImageRef("a", n, name, tmp_path / name) for n, name in enumerate(names)]
    refs += [
        ImageRef("b", 0, "folder", tmp_path),
        ImageRef("b", 1, "none", None),
        ImageRef("b", 2, "refused", None, "outside_folder"),
    ]
    counts = fetch_images(refs, tmp_path / "images", tmp_path / "links.parquet")
    rows = read_table(tmp_path / "links.parquet", schemas.IMAGE_LINKS).to_pylist()
    reasons = {row["link"]: row["reason"] for row in rows}
    assert reasons == {
        "good": "",
        "gone": "missing_file",
        "empty": "empty_file",
        "large": "file_too_large",
        "nul\0": "unreadable: embedded null byte",
        "none": "missing_file",
        "refused": "outside_folder",
        "folder": "not_a_regular_file",
    }
    assert rows[0] | {"link": ""} == {
        "item_id": "a",
        "position": 0,
        "link": "",
        "status": "ok",
        "reason": "",
        "attempts": 0,
        "content_key": content_key(b"good"),
        "num_bytes": 4,
    }
    assert {(row["status"], row["content_key"], row["num_bytes"]) for row in rows[1:]} == {
        ("failed", None, 0)
    }
    assert counts["links"] == 8
    assert counts["failed: missing_file"] == 2


def test_a_file_that_never_ends_is_a_row(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "round").symlink_to("round")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(tmp_path):
        listener.bind("socket")
        reasons = _reasons(tmp_path, ["pipe", "zero", "socket", "round"], links_within=None)
    assert reasons == {
        "pipe": "not_a_regular_file",
        "zero": "not_a_regular_file",
        "socket": "not_a_regular_file",
        "round": f"unreadable: {os.strerror(errno.ELOOP)}",
    }


def test_a_link_may_not_lead_out_of_its_folder_unless_it_is_allowed(tmp_path: Path) -> None:
    outside, files = tmp_path / "outside", tmp_path / "files"
    (files / "own").mkdir(parents=True)
    outside.mkdir()
    for folder in (outside, files / "own"):
        (folder / "picture").write_bytes(folder.name.encode())
    (files / "inside").symlink_to(files / "own" / "picture")
    (files / "out").symlink_to(outside / "picture")
    (files / "twice").symlink_to("out")
    (files / "folder").symlink_to(outside)
    # What the dataset's folder is itself a link to is its folder.
    (tmp_path / "dataset").symlink_to(files)
    names = ["inside", "out", "twice", "folder/picture", "own/picture"]
    is_outside = dict.fromkeys(names[1:4], "link_outside_folder")
    for folder in (files, tmp_path / "dataset"):
        found = _reasons(folder, names, links_within=folder)
        assert found == {**dict.fromkeys(names, ""), **is_outside}
    assert set(_reasons(files, names, links_within=None).values()) == {""}


def _reasons(folder: Path, names: list[str], *, links_within: Path | None) -> dict[str, str]:
    """Reason by the name of a picture in a folder."""
    refs = [ImageRef("a", n, name, folder / name) for n, name in enumerate(names)]
    with tempfile.TemporaryDirectory() as out:
        links = Path(out) / "links.parquet"
        fetch_images(refs, Path(out) / "images", links, links_within=links_within)
        rows = read_table(links, schemas.IMAGE_LINKS).to_pylist()
    return {row["link"]: row["reason"] for row in rows}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(0)
    counts = fetch_images([ImageRef("a", 0, "s", path)], tmp_path / "i", tmp_path / "l.parquet")
    assert counts["failed: unreadable: Permission denied"] == 1


def test_bytes_written_do_not_depend_on_the_order_of_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_PART_ROWS", 7)
    refs = [ImageRef(f"i{n % 20}", n, f"l{n}", f"content {n % 30}".encode()) for n in range(60)]
    for name in ("one", "two"):
        random.Random(name).shuffle(refs)
        fetch_images(refs, tmp_path / name / "images", tmp_path / name / "links.parquet")
    one, two = _bytes_below(tmp_path / "one"), _bytes_below(tmp_path / "two")
    assert one == two
    assert len(one) == 1 + 5


def test_parts_are_bounded_in_rows_and_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_PART_ROWS", 4)
    monkeypatch.setattr(packing, "_PART_BYTES", 100)
    sizes = [10, 10, 10, 10, 60, 60, 300, 10]
    pictures = [(bytes([n] * 16), bytes(size)) for n, size in enumerate(sizes)]
    packing.write_image_parts(pictures, tmp_path)
    rows = [read_table(path, schemas.RAW_IMAGES).num_rows for path in part_files(tmp_path)]
    assert rows == [4, 1, 1, 1, 1]


def test_parts_of_an_earlier_run_do_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_PART_ROWS", 1)
    for contents in ([b"a", b"b", b"c"], [b"a"]):
        refs = [ImageRef("i", n, str(n), data) for n, data in enumerate(contents)]
        fetch_images(refs, tmp_path / "images", tmp_path / "links.parquet")
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["part-00000.parquet"]


def test_no_links_write_empty_tables(tmp_path: Path) -> None:
    counts = fetch_images([], tmp_path / "images", tmp_path / "links.parquet")
    assert counts == {"links": 0, "ok": 0, "contents": 0, "bytes": 0}
    assert read_table(tmp_path / "links.parquet", schemas.IMAGE_LINKS).num_rows == 0
    assert read_table(tmp_path / "images", schemas.RAW_IMAGES).num_rows == 0


def test_two_pictures_at_one_position_are_refused(tmp_path: Path) -> None:
    refs = [ImageRef("a", 0, "x", b"x"), ImageRef("a", 0, "y", b"y")]
    with pytest.raises(ValueError, match="item 'a' has two pictures at position 0"):
        fetch_images(refs, tmp_path / "images", tmp_path / "links.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_source_is_written_with_an_account_of_it(tmp_path: Path) -> None:
    refs = [ImageRef("a", 0, "a", b"x"), ImageRef("a", 1, "gone", None)]
    raw = RawCatalogue(items("ab"), histories(u="ab"), refs, {"item_without_id": 2})
    summary = fetch.write_raw(raw, tmp_path / "raw")
    assert summary == read_json(tmp_path / "raw" / "summary.json")
    assert summary == {
        "items": 2,
        "interactions": 2,
        "images": {"links": 2, "ok": 1, "failed: missing_file": 1, "contents": 1, "bytes": 1},
        "has_users": True,
        "skipped": {"item_without_id": 2},
    }


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def refs() -> Iterator[ImageRef]:
        yield ImageRef("a", 0, "a", b"x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fetch.write_raw(RawCatalogue(items("a"), histories(u="a"), refs()), tmp_path / "raw")
    without_title = items("a").drop_columns(["title"])
    with pytest.raises(DataError, match=r"items\.parquet: columns \['title'\] missing"):
        fetch.write_raw(RawCatalogue(without_title, histories(u="a")), tmp_path / "raw")
    assert list(tmp_path.iterdir()) == []
