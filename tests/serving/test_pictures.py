"""Pictures are small, the first of an item, and missing without harm."""

from __future__ import annotations

import io
import logging
import shutil
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from starlette.testclient import TestClient

from mmrec.dataset_paths import DatasetPaths
from mmrec.library.dataset import Dataset
from mmrec.library.run import Run
from mmrec.serving import limits
from mmrec.serving.pictures import NO_PICTURES, Pictures, pictures_of
from mmrec.serving.shelf import Shelf
from tests.library.worlds import item
from tests.serving.conftest import client_of


def test_the_first_picture_of_an_item_is_shown_small(client: TestClient) -> None:
    (card,) = client.get("/items", params={"words": item(3)}).json()["items"]
    answer = client.get(card["picture"])
    assert answer.headers["content-type"] == "image/jpeg"
    shown = Image.open(io.BytesIO(answer.content))
    assert shown.size == (256, 128)
    red, green, blue = shown.getpixel((5, 5))  # type: ignore[misc]
    assert red > 200 > 50 > max(green, blue)
    (card,) = client.get("/items", params={"words": item(4)}).json()["items"]
    assert card["picture"] is None


def test_a_dataset_gives_the_first_picture_of_an_item_as_its_file_is(
    pictured: DatasetPaths,
) -> None:
    found = Dataset("shop", pictured).pictures([item(7), item(4), item(3)])
    assert [*found] == [item(7), item(3)]
    assert found[item(7)] == b"no picture"
    assert Image.open(io.BytesIO(found[item(3)])).getpixel((0, 0)) == (255, 0, 0)
    assert Dataset("shop", pictured).pictures([item(4)]) == {}


def test_a_picture_that_does_not_decode_is_none(
    runs: dict[str, Run], pictured: DatasetPaths, caplog: pytest.LogCaptureFixture
) -> None:
    with client_of(runs["sasrec"], pictures_of(pictured)) as client:
        for _ in range(2):
            assert client.get("/picture", params={"item": item(7)}).status_code == 404
    assert caplog.text.count("shown as a placeholder") == 1


def test_few_small_pictures_are_kept(
    pictured: DatasetPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PICTURES_KEPT", 1)
    found, made = pictures_of(pictured), list[bytes]()
    make = Pictures._make

    def counted(self: Pictures, key: bytes) -> bytes | None:
        made.append(key)
        return make(self, key)

    monkeypatch.setattr(Pictures, "_make", counted)
    for place in (3, 3, 7, 3):
        assert (found.jpeg(item(place)) is None) == (place == 7)
    assert len(made) == 3


def test_without_pictures_nothing_is_shown(
    pictured: DatasetPaths, shop: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert pictures_of(None) is NO_PICTURES
    assert pictures_of(DatasetPaths(tmp_path)) is NO_PICTURES
    assert pictures_of(DatasetPaths(shop / "data/datasets/shop")) is NO_PICTURES
    assert caplog.text == ""
    shutil.copytree(pictured.clean, DatasetPaths(tmp_path).clean)
    assert pictures_of(DatasetPaths(tmp_path)) is NO_PICTURES
    assert "no pictures are shown" in caplog.text


def test_an_id_of_any_letters_has_an_address(runs: dict[str, Run]) -> None:
    name = "../a b?&#ü%2F"
    items = runs["sasrec"].items.head(1).with_columns(item_id=pl.lit(name))
    (card,) = Shelf(items, Pictures({name: bytes(16)}, None)).find("", 1)
    assert card["picture"] == "picture?item=..%2Fa%20b%3F%26%23%C3%BC%252F"
