"""Feature files: one row per sentence or picture, each distinct content encoded once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.features.contract import Fingerprint, FloatArray
from mmrec.features.encode.embed import embed_images, embed_sentences
from mmrec.io import DataError, part_files, read_table, sentence_key
from tests.features import worlds


class LetterCounts:
    """Length, vowels and first letter of a text: a vector anyone can check."""

    level = "vectors"
    dim = 3
    libraries: dict[str, str] = {}  # noqa: RUF012
    fingerprint = Fingerprint("letters", 1, "m", "a", "w", "p", "pool", normalize=False, dim=3)

    def __init__(self, change: Callable[[FloatArray], FloatArray] = lambda v: v) -> None:
        self.seen: list[str] = []
        self._change = change

    def encode(self, contents: Iterable[str]) -> FloatArray:
        texts = list(contents)
        self.seen += texts
        return self._change(np.array([self.vector(t) for t in texts], np.float32).reshape(-1, 3))

    @staticmethod
    def vector(text: str) -> list[int]:
        return [len(text), sum(c in "aeiou" for c in text), ord(text[0])]


ROWS = [
    ("b.2 ü", 0, "red shirt"),
    ("a", 1, "made of wool"),
    ("a", 0, "red shirt"),
    ("a", 10, "caf\u00e9"),
    ("a.b", 0, "cafe\u0301"),
]


def test_rows_are_sorted_and_carry_the_vector_of_their_sentence(tmp_path: Path) -> None:
    counts = embed_sentences(worlds.sentences(ROWS), LetterCounts(), tmp_path, precision="float16")
    table = read_table(tmp_path, schemas.features(3, schemas.pa.float16()))
    rows = table.to_pylist()
    expected = sorted(ROWS, key=lambda row: row[:2])
    assert [(r["item_id"], r["position"]) for r in rows] == [row[:2] for row in expected]
    texts = [row[2].replace("e\u0301", "\u00e9") for row in expected]
    assert [r["embedding"] for r in rows] == [LetterCounts.vector(text) for text in texts]
    assert [r["content_key"] for r in rows] == [sentence_key(text) for text in texts]
    assert counts == {"rows": 5, "contents": 3, "repeats": 2, "encoded": 3, "dim": 3}


def test_equal_sentences_are_encoded_once(tmp_path: Path) -> None:
    extractor = LetterCounts()
    embed_sentences(worlds.sentences(ROWS), extractor, tmp_path, precision="float32")
    assert sorted(extractor.seen) == ["caf\u00e9", "made of wool", "red shirt"]


def test_the_file_says_how_its_vectors_were_made(tmp_path: Path) -> None:
    embed_sentences(worlds.sentences(ROWS), LetterCounts(), tmp_path, precision="float16")
    metadata = pq.read_schema(part_files(tmp_path)[0]).metadata
    fingerprint = json.loads(metadata[schemas.FINGERPRINT_KEY])
    assert Fingerprint(**fingerprint) == LetterCounts.fingerprint.kept_as("float16")


def test_order_of_the_input_changes_no_byte(tmp_path: Path) -> None:
    for name, rows in (("one", ROWS), ("two", ROWS[::-1])):
        embed_sentences(
            worlds.sentences(rows), LetterCounts(), tmp_path / name, precision="float16"
        )
    one, two = (part_files(tmp_path / name) for name in ("one", "two"))
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_no_sentences_give_an_empty_feature_of_the_extractors_dimension(tmp_path: Path) -> None:
    empty = schemas.SENTENCES.empty_table()
    counts = embed_sentences(empty, LetterCounts(), tmp_path, precision="float16")
    assert counts == {"rows": 0, "contents": 0, "repeats": 0, "encoded": 0, "dim": 3}
    assert read_table(tmp_path, schemas.features(3, schemas.pa.float16())).num_rows == 0


def _spoil(value: float) -> Callable[[FloatArray], FloatArray]:
    def change(vectors: FloatArray) -> FloatArray:
        vectors[vectors[:, 0] == len("made of wool")] = value
        return vectors

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_spoil(np.nan), "extractor letters: 1 vectors are not finite.*item 'a'"),
        (_spoil(-np.inf), "not finite"),
        (_spoil(1e6), "float32"),
        (lambda v: v[:, :2], r"extractor letters: found vectors of shape \(3, 2\).*item '"),
        (lambda v: v[:-1], "expected"),
    ],
)
def test_unusable_vectors_name_extractor_and_item(change, said, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        embed_sentences(worlds.sentences(ROWS), LetterCounts(change), tmp_path, precision="float16")
    assert part_files(tmp_path) == []


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    rows = [*ROWS, ("a", 1, "again")]
    with pytest.raises(DataError, match="'a', 1"):
        embed_sentences(worlds.sentences(rows), LetterCounts(), tmp_path, precision="float16")


def test_pictures_get_the_vectors_of_their_own_bytes(clip, tmp_path: Path) -> None:
    pictures = [worlds.png(seed) for seed in range(5)]
    raw = RawImages(worlds.write_raw_images(tmp_path / "raw", pictures))
    rows = [("x", 0, pictures[3]), ("x", 1, pictures[0]), ("y", 0, pictures[3])]
    counts = embed_images(
        worlds.images(rows), raw, clip.image, tmp_path / "out", precision="float32"
    )
    table = read_table(tmp_path / "out", schemas.features(clip.image.dim, schemas.pa.float32()))
    found = np.array(table["embedding"].to_pylist(), np.float32)
    expected = clip.image.encode([worlds.picture(seed) for seed in (3, 0, 3)])
    assert np.array_equal(found, expected)
    dim = clip.image.dim
    assert counts == {"rows": 3, "contents": 2, "repeats": 1, "encoded": 2, "dim": dim}


def test_a_picture_that_does_not_decode_names_its_item(clip, tmp_path: Path) -> None:
    pictures = [worlds.png(0), b"<html>not found</html>"]
    raw = RawImages(worlds.write_raw_images(tmp_path / "raw", pictures))
    rows = worlds.images([("good", 0, pictures[0]), ("bad.1", 0, pictures[1])])
    with pytest.raises(DataError, match=r"item 'bad\.1': not_an_image"):
        embed_images(rows, raw, clip.image, tmp_path / "out", precision="float16")
