"""What is known of pictures: nothing is decoded twice, and nothing wrong is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec.data import item_content
from mmrec.data.images import RawImages
from mmrec.data.item_content import find_broken
from mmrec.data.verdicts import Verdicts
from mmrec.io import content_key
from tests.features import worlds

PICTURES = [worlds.png(1), worlds.png(2), b"no picture", worlds.png(3)[:200], b""]
KEYS = sorted(map(content_key, PICTURES))
REASONS = {
    content_key(b"no picture"): "not_an_image",
    content_key(worlds.png(3)[:200]): "damaged_image",
    content_key(b""): "empty_file",
}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Pictures that were decoded."""
    seen: list[bytes] = []
    fault = item_content.picture_fault
    monkeypatch.setattr(
        item_content, "picture_fault", lambda data: (seen.append(data), fault(data))[1]
    )
    return seen


def test_a_picture_is_decoded_once_and_its_reason_remembered(
    tmp_path: Path, decoded: list[bytes]
) -> None:
    images = RawImages(worlds.write_raw_images(tmp_path / "raw", PICTURES))
    first = find_broken(images, KEYS[:3], Verdicts(tmp_path / "known"))
    assert len(decoded) == 3
    second = find_broken(images, KEYS, Verdicts(tmp_path / "known"))
    assert sorted(decoded) == sorted(PICTURES)
    assert first == {key: REASONS[key] for key in KEYS[:3] if key in REASONS}
    assert second == REASONS == find_broken(images, KEYS)


def test_only_the_pictures_asked_for_are_reported(tmp_path: Path) -> None:
    images = RawImages(worlds.write_raw_images(tmp_path / "raw", PICTURES))
    find_broken(images, KEYS, Verdicts(tmp_path / "known"))
    assert find_broken(images, KEYS[:1], Verdicts(tmp_path / "known")).keys() <= {KEYS[0]}


def test_a_damaged_file_costs_its_verdicts_alone(tmp_path: Path, decoded: list[bytes]) -> None:
    images = RawImages(worlds.write_raw_images(tmp_path / "raw", PICTURES))
    find_broken(images, KEYS, Verdicts(tmp_path / "known"))
    (path,) = (tmp_path / "known").glob("*/*.parquet")
    path.write_bytes(path.read_bytes()[:-9])
    assert find_broken(images, KEYS, Verdicts(tmp_path / "known")) == REASONS
    assert len(decoded) == 2 * len(PICTURES)


def test_another_decoder_judges_anew(
    tmp_path: Path, decoded: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = RawImages(worlds.write_raw_images(tmp_path / "raw", PICTURES))
    find_broken(images, KEYS, Verdicts(tmp_path / "known"))
    monkeypatch.setattr("PIL.__version__", "0")
    find_broken(images, KEYS, Verdicts(tmp_path / "known"))
    assert len(decoded) == 2 * len(PICTURES)
