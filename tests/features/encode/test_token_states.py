"""Token states through the cache: a row per token, the same bytes however they came about."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.features.cache import maintenance
from mmrec.features.cache.place import FeatureCache
from mmrec.features.contract import BlocksPlan, Fingerprint, FloatArray, TextImagePair, TokenStates
from mmrec.features.encode.embed import embed_pairs, embed_sentences
from mmrec.features.encode.executor import LOCAL
from mmrec.features.encode.token_states import CachedStates
from mmrec.features.token_table import load_token_table
from mmrec.io import DataError, content_key, part_files, read_table
from tests.features import worlds

ROWS = [
    ("b.2 ü", 0, "red shirt"),
    ("a", 1, "made of wool"),
    ("a", 0, "red shirt"),
    ("a", 10, "caf\u00e9"),
    ("c", 0, "..."),
]


class LetterStates:
    """A state per letter, (its code, its place): anyone can check it."""

    level = "tokens"
    dim = 2
    libraries: dict[str, str] = {}  # noqa: RUF012
    last_blocks = torch.nn.Identity()
    blocks_plan = BlocksPlan("text", 0, {}, num_image_tokens=0)
    fingerprint = Fingerprint("letters", 1, "m", "a", "w", "p", "pool", normalize=False, dim=2)

    def __init__(self, change: Callable[[FloatArray], FloatArray] = lambda v: v) -> None:
        self.seen: list[str] = []
        self._change = change

    def encode(self, contents: Iterable[str]) -> TokenStates:
        texts = list(contents)
        self.seen += texts
        return TokenStates.of([self._change(self.states(text)) for text in texts], 2)

    @staticmethod
    def states(text: str) -> FloatArray:
        letters = [(ord(letter), place) for place, letter in enumerate(text) if letter.isalpha()]
        return np.array(letters, np.float32).reshape(-1, 2)


def embed(folder: Path, cache: Path, extractor: LetterStates | None = None) -> dict[str, int]:
    return embed_sentences(
        worlds.sentences(ROWS),
        extractor or LetterStates(),
        folder,
        precision="float16",
        cache=FeatureCache(cache, None),
    )


def bytes_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in part_files(folder)]


def test_there_is_a_row_per_token_in_order_of_item_position_and_token(tmp_path: Path) -> None:
    counts = embed(tmp_path / "f", tmp_path / "cache")
    rows = read_table(tmp_path / "f", schemas.token_features(2, schemas.pa.float16())).to_pylist()
    expected = [
        (item, position, token, *state)
        for item, position, text in sorted(ROWS, key=lambda row: row[:2])
        for token, state in enumerate(LetterStates.states(text).tolist())
    ]
    found = [(r["item_id"], r["position"], r["token"], *r["embedding"]) for r in rows]
    assert found == expected
    assert counts == {
        "rows": 5,
        "contents": 4,
        "tokens": len(expected),
        "dim": 2,
        "repeats": 1,
        "encoded": 4,
    }


def test_items_get_their_tokens_and_one_without_any_gets_none(tmp_path: Path) -> None:
    embed(tmp_path / "f", tmp_path / "cache")
    table = load_token_table(tmp_path / "f", worlds.items(["c", "b.2 ü", "z", "a"]))
    # Of "..." there is no token, hence no content.
    assert table.counts.tolist() == [0, 0, 1, 0, 3]
    packed = table.gather(torch.tensor([4]))
    texts = "red shirt", "made of wool", "caf\u00e9"
    states = [LetterStates.states(text) for text in texts]
    assert packed.lengths.tolist() == [len(one) for one in states] == [8, 10, 4]
    assert (packed.values.numpy() == np.concatenate(states)).all()


def test_warm_half_warm_and_compacted_caches_give_the_bytes_of_a_cold_one(tmp_path: Path) -> None:
    embed(tmp_path / "cold", tmp_path / "cache")
    warm = LetterStates()
    assert embed(tmp_path / "warm", tmp_path / "cache", warm)["encoded"] == 0
    assert warm.seen == []
    half = FeatureCache(tmp_path / "half", None)
    embed_sentences(
        worlds.sentences(ROWS[1:3]), LetterStates(), tmp_path / "x", precision="float16", cache=half
    )
    rest = LetterStates()
    assert embed(tmp_path / "half warm", tmp_path / "half", rest)["encoded"] == 2
    assert sorted(rest.seen) == ["...", "caf\u00e9"]
    assert maintenance.compact(maintenance.stores(tmp_path / "half")[0]) == 1
    assert embed(tmp_path / "compacted", tmp_path / "half")["encoded"] == 0
    for name in ("warm", "half warm", "compacted"):
        assert bytes_of(tmp_path / name) == bytes_of(tmp_path / "cold")


@pytest.mark.parametrize("keep", [0.4, 0.97])
def test_a_damaged_segment_is_encoded_again(tmp_path: Path, keep: float) -> None:
    embed(tmp_path / "cold", tmp_path / "cache")
    (segment,) = (tmp_path / "cache").glob("*/segments/*.parquet")
    data = segment.read_bytes()
    segment.write_bytes(data[: int(len(data) * keep)])
    assert embed(tmp_path / "again", tmp_path / "cache")["encoded"] == 4
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "cold")


def test_states_damaged_after_they_were_looked_up_are_encoded_again(tmp_path: Path) -> None:
    embed(tmp_path / "cold", tmp_path / "cache")
    (segment,) = (tmp_path / "cache").glob("*/segments/*.parquet")
    states = pq.read_table(segment)["states"][0].as_py()
    # The keys are as they were: only who reads the states can see it.
    segment.write_bytes(segment.read_bytes().replace(states, b"\x00\x7e" * (len(states) // 2)))
    extractor = LetterStates()
    embed(tmp_path / "again", tmp_path / "cache", extractor)
    assert sorted(set(extractor.seen)) == sorted({"red shirt", "made of wool", "caf\u00e9", "..."})
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "cold")


def test_what_was_lost_since_it_was_looked_up_is_encoded_in_one_go(tmp_path: Path) -> None:
    class Calls(LetterStates):
        calls = 0

        def encode(self, contents: Iterable[str]) -> TokenStates:
            self.calls += 1
            return super().encode(contents)

    texts = ["red", "made of wool", "any"]
    keys = sorted((content_key(text.encode()), text) for text in texts)
    extractor = Calls()
    states = CachedStates(
        [key for key, _ in keys],
        lambda places: (keys[place][1] for place in places),
        extractor,
        FeatureCache(tmp_path, None),
        precision="float16",
        item_of=str,
    )
    states.encode_missing(np.arange(3), unit="texts", executor=LOCAL)
    for segment in tmp_path.glob("*/segments/*.parquet"):
        segment.unlink()
    for _ in range(2):  # the second time they are there again
        found = states.read(np.arange(3))
        for (_, text), one in zip(keys, found, strict=True):
            assert (one == LetterStates.states(text)).all()
        assert extractor.calls == 2


def test_states_that_are_not_finite_name_item_and_extractor(tmp_path: Path) -> None:
    extractor = LetterStates(lambda states: np.where(states == ord("w"), 1e9, states))
    with pytest.raises(DataError, match=r"letters: states of 1 contents .* item 'a'"):
        embed(tmp_path / "f", tmp_path / "cache", extractor)


def test_an_extractor_that_forgets_a_content_is_refused(tmp_path: Path) -> None:
    class Forgetful(LetterStates):
        def encode(self, contents: Iterable[str]) -> TokenStates:
            return super().encode(list(contents)[1:])

    with pytest.raises(DataError, match="states of 3 contents, 2 wide, expected 4"):
        embed(tmp_path / "f", tmp_path / "cache", Forgetful())


def test_what_lies_beside_the_feature_names_its_store(tmp_path: Path) -> None:
    embed(tmp_path / "f", tmp_path / "cache")
    described = json.loads((tmp_path / "f.json").read_text())
    assert described["stores"] == [path.name for path in maintenance.stores(tmp_path / "cache")]


class PairStates(LetterStates):
    """The text's states, then one of the picture's size."""

    def encode(self, contents: Iterable[TextImagePair]) -> TokenStates:  # type: ignore[override]
        pairs = list(contents)
        self.seen += [pair.text for pair in pairs]
        return TokenStates.of([self.of_pair(*pair) for pair in pairs], 2)

    def of_pair(self, text: str, image: object) -> FloatArray:
        size = np.array([image.size], np.float32)  # type: ignore[attr-defined]
        return np.concatenate([self.states(text), size])


def test_pairs_get_their_own_text_and_picture_though_pictures_are_shared(tmp_path: Path) -> None:
    drawn = {name: worlds.picture(seed, (40 + 4 * seed, 36)) for seed, name in enumerate("xyz")}
    encoded = {name: worlds.png_of(image) for name, image in drawn.items()}
    raw = worlds.write_raw_images(tmp_path / "raw", list(encoded.values()))
    owned = {"a": "y", "b.2 ü": "x", "c": "y", "d": "z", "no text": "x"}
    texts = [*ROWS, ("d", 0, "last"), ("no picture", 0, "text")]
    counts = embed_pairs(
        worlds.sentences(texts),
        worlds.images([(item, 3, encoded[name]) for item, name in owned.items()]),
        RawImages(raw),
        PairStates(),
        tmp_path / "f",
        precision="float32",
        cache=FeatureCache(tmp_path / "cache", None),
    )
    assert (counts["rows"], counts["encoded"]) == (4, 4)
    rows = read_table(tmp_path / "f", schemas.token_features(2, schemas.pa.float32())).to_pylist()
    joined = {
        "a": "red shirt made of wool caf\u00e9",
        "b.2 ü": "red shirt",
        "c": "...",
        "d": "last",
    }
    for item, text in joined.items():
        expected = PairStates().of_pair(text, drawn[owned[item]]).tolist()
        assert [r["embedding"] for r in rows if r["item_id"] == item] == expected
