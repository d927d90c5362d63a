"""Cold, warm, half-warm or interrupted: the same files, and nothing encoded twice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from mmrec.features.cache.place import FeatureCache
from mmrec.features.contract import Fingerprint, FloatArray
from mmrec.features.encode.embed import embed_images, embed_sentences
from mmrec.io import DataError, part_files
from tests.features import worlds


class Lengths:
    """Length and first letter of a text; counts what it encodes."""

    level = "vectors"
    dim = 2
    libraries: dict[str, str] = {"torch": "1"}  # noqa: RUF012

    def __init__(self, version: int = 1, dies_after: int | None = None) -> None:
        self.seen: list[str] = []
        self.fingerprint = Fingerprint(
            "lengths", version, "m", "a", "w", "p", "pool", normalize=False, dim=2
        )
        self._dies_after = dies_after

    def encode(self, contents: Iterable[str]) -> FloatArray:
        if self._dies_after is not None and len(self.seen) >= self._dies_after:
            raise KeyboardInterrupt
        texts = list(contents)
        self.seen += texts
        return np.array([[len(t), ord(t[0])] for t in texts], np.float32).reshape(-1, 2)


ROWS = [(f"i{n}", 0, f"{'abcdefgh'[n % 8]} text {n}") for n in range(1_000)]


def run(
    rows: list[tuple[str, int, str]], extractor: Lengths, folder: Path, cache: FeatureCache | None
) -> dict[str, int]:
    return embed_sentences(
        worlds.sentences(rows), extractor, folder, precision="float16", cache=cache
    )


def files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in part_files(folder)]


def test_a_second_run_encodes_nothing_and_writes_the_same_bytes(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", None)
    assert run(ROWS, Lengths(), tmp_path / "cold", cache)["encoded"] == 1_000
    warm = Lengths()
    assert run(ROWS, warm, tmp_path / "warm", cache)["encoded"] == 0
    assert warm.seen == []
    run(ROWS, Lengths(), tmp_path / "none", None)
    assert files(tmp_path / "cold") == files(tmp_path / "warm") == files(tmp_path / "none")


@pytest.mark.parametrize("count", [1, 256, 257])
def test_a_last_segment_of_one_is_encoded_and_kept_like_any_other(
    tmp_path: Path, count: int
) -> None:
    cache = FeatureCache(tmp_path / "cache", None)
    assert run(ROWS[:count], Lengths(), tmp_path / "cold", cache)["encoded"] == count
    assert run(ROWS[:count], Lengths(), tmp_path / "warm", cache)["encoded"] == 0
    run(ROWS[:count], Lengths(), tmp_path / "none", None)
    assert files(tmp_path / "cold") == files(tmp_path / "warm") == files(tmp_path / "none")


def test_only_new_contents_are_encoded_whatever_item_they_belong_to(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", None)
    run(ROWS, Lengths(), tmp_path / "one", cache)
    other = [(f"other-{item}", 3, text) for item, _, text in ROWS[:990]]
    new = [(f"new-{n}", 0, f"new text {n}") for n in range(10)]
    extractor = Lengths()
    assert run(other + new, extractor, tmp_path / "two", cache)["encoded"] == 10
    assert sorted(extractor.seen) == [text for _, _, text in new]
    run(other + new, Lengths(), tmp_path / "cold", None)
    assert files(tmp_path / "two") == files(tmp_path / "cold")


def test_another_model_encodes_anew_and_swapping_back_nothing(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", None)
    assert run(ROWS, Lengths(), tmp_path / "one", cache)["encoded"] == 1_000
    assert run(ROWS, Lengths(version=2), tmp_path / "two", cache)["encoded"] == 1_000
    assert run(ROWS, Lengths(), tmp_path / "three", cache)["encoded"] == 0


def test_an_interrupted_run_keeps_what_it_encoded(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", None)
    with pytest.raises(KeyboardInterrupt):
        run(ROWS, Lengths(dies_after=1), tmp_path / "out", cache)
    assert part_files(tmp_path / "out") == []
    rest = Lengths()
    counts = run(ROWS, rest, tmp_path / "out", cache)
    assert 0 < counts["encoded"] < 1_000
    run(ROWS, Lengths(), tmp_path / "whole", None)
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_what_is_kept_as_float32_is_rounded_and_not_encoded_again(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", None)
    sentences = worlds.sentences(ROWS)
    embed_sentences(sentences, Lengths(), tmp_path / "wide", precision="float32", cache=cache)
    assert run(ROWS, Lengths(), tmp_path / "narrow", cache)["encoded"] == 0
    run(ROWS, Lengths(), tmp_path / "none", None)
    assert files(tmp_path / "narrow") == files(tmp_path / "none")


def test_a_vector_that_is_not_usable_is_not_kept(tmp_path: Path) -> None:
    class Broken(Lengths):
        def encode(self, contents: Iterable[str]) -> FloatArray:
            return super().encode(contents) * np.float32("nan")

    cache = FeatureCache(tmp_path / "cache", None)
    with pytest.raises(DataError, match=r"extractor lengths: .* not finite"):
        run(ROWS[:5], Broken(), tmp_path / "out", cache)
    assert run(ROWS[:5], Lengths(), tmp_path / "out", cache)["encoded"] == 5


def test_pictures_are_not_even_decoded_when_they_are_known(
    clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmrec.data.images import RawImages

    cache = FeatureCache(tmp_path / "cache", None)
    pictures = [worlds.png(seed) for seed in range(5)]
    raw = RawImages(worlds.write_raw_images(tmp_path / "raw", pictures))
    rows = worlds.images([(f"i{n}", 0, picture) for n, picture in enumerate(pictures)])
    arguments = {"precision": "float16", "cache": cache}
    assert embed_images(rows, raw, clip.image, tmp_path / "a", **arguments)["encoded"] == 5
    monkeypatch.setattr(
        "mmrec.features.encode.raw_pictures.decode_image", lambda _: pytest.fail("decoded")
    )
    assert embed_images(rows, raw, clip.image, tmp_path / "b", **arguments)["encoded"] == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")
