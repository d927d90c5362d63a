"""Pictures of a folder that belong to no item: what they are called, and what would match."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pytest

from mmrec.data.sources.hm import HmSource
from mmrec.data.sources.image_files import find_images
from mmrec.io import DataError
from tests.data.sources.published import hm_world


def _pictures(folder: Path, *names: str) -> Path:
    (folder / "pictures").mkdir()
    for name in names:
        (folder / "pictures" / name).write_bytes(b"a picture")
    return folder


def test_a_folder_of_which_no_picture_belongs_to_an_item_is_refused(tmp_path: Path) -> None:
    _pictures(tmp_path, "101.jpg", "102_1.jpg", "notes.txt")
    with pytest.raises(DataError) as raised:
        find_images(tmp_path, "pictures", ["0101", "0102"])
    assert str(raised.value) == (
        f"{tmp_path / 'pictures'}: 2 of 2 pictures belong to no item, such as '101' where the"
        " catalogue has '0101': written without leading zeros, 100% would match; name the pictures"
        " as the catalogue names its items, or set their folder to null"
    )


def test_pictures_of_no_item_beside_others_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _pictures(tmp_path, "A1.jpg", "b2.jpg", "C3_2.jpg", "x.jpg")
    with caplog.at_level(logging.WARNING):
        refs, skipped = find_images(tmp_path, "pictures", ["a1", "b2", "c3"])
    assert [ref.item_id for ref in refs] == ["b2"]
    assert skipped["picture_of_no_item"] == 3
    assert "3 of 4 pictures belong to no item, such as 'A1' where" in caplog.text
    assert "written in lower case, 67% would match" in caplog.text


def test_a_picture_whose_name_is_no_utf8_is_one_of_no_item(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _pictures(tmp_path, "a.jpg")
    try:
        (folder / "pictures" / os.fsdecode(b"caf\xe9.jpg")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    with caplog.at_level(logging.WARNING):
        refs, skipped = find_images(folder, "pictures", ["a"])
    assert (len(refs), skipped["picture_of_no_item"]) == (1, 1)
    assert "1 of 2 pictures belong to no item, such as 'caf?'" in caplog.text


@pytest.mark.parametrize(("names", "other"), [((), 0), (("a", "notes.txt"), 2)])
def test_a_folder_without_a_picture_is_told_of_and_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: tuple[str, ...], other: int
) -> None:
    with caplog.at_level(logging.WARNING):
        assert find_images(_pictures(tmp_path, *names), "pictures", ["a"])[0] == []
    assert f"pictures: found no picture ({other} other files); expected <item id>" in caplog.text


def test_pictures_of_articles_that_lost_a_zero_are_not_passed_over(tmp_path: Path) -> None:
    images = tmp_path / str(hm_world(tmp_path).images)
    for path in images.glob("*/*.jpg"):
        path.unlink()
    (images / "010" / "108775015.jpg").write_bytes(b"a picture")
    with pytest.raises(
        DataError, match=r"'108775015' where .* '0108775015': .* leading zeros, 100%"
    ):
        HmSource(tmp_path, images="images").read()


def test_pictures_of_articles_beside_their_folders_are_not_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = tmp_path / str(hm_world(tmp_path).images)
    (images / "0108775015.jpg").write_bytes(b"a picture")
    with caplog.at_level(logging.WARNING):
        HmSource(tmp_path, images="images").read()
    assert re.search(r"2 of 3 pictures are not taken: .*'0108775015\.jpg'", caplog.text)
    for path in images.glob("*/*.jpg"):
        path.unlink()
    message = r"images: 1 of 1 pictures are not taken: expected <first three digits>/.*; move them"
    with pytest.raises(DataError, match=message):
        HmSource(tmp_path, images="images").read()


def test_a_folder_above_that_of_the_articles_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hm_world(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert HmSource(tmp_path, images=".").read().image_refs == []
    assert "found no picture" in caplog.text
    assert "expected <first three digits>/<article id>.jpg" in caplog.text
