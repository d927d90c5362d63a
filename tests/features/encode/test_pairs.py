"""Text and first picture of every item that has both."""

from __future__ import annotations

from mmrec.features.encode.pairs import ITEM_PAIRS, item_pairs, pair_key
from mmrec.io import content_key
from tests.features import worlds


def test_pairs_join_sentences_in_order_and_take_the_first_picture() -> None:
    sentences = worlds.sentences([("b.1", 1, "two"), ("b.1", 0, "one"), ("a b", 0, "only")])
    images = worlds.images([("b.1", 3, b"later"), ("b.1", 1, b"first"), ("a b", 0, b"x")])
    pairs = item_pairs(sentences, images)
    assert pairs.schema == ITEM_PAIRS
    assert pairs["item_id"].to_pylist() == ["a b", "b.1"]
    assert pairs["text"].to_pylist() == ["only", "one two"]
    assert pairs["image_key"].to_pylist() == [content_key(b"x"), content_key(b"first")]
    assert pairs["position"].to_pylist() == [0, 0]


def test_an_item_without_text_or_picture_has_no_pair() -> None:
    sentences = worlds.sentences([("text only", 0, "one"), ("both", 0, "two")])
    images = worlds.images([("picture only", 0, b"x"), ("both", 0, b"y")])
    assert item_pairs(sentences, images)["item_id"].to_pylist() == ["both"]
    assert item_pairs(sentences.slice(0, 0), images).num_rows == 0


def test_a_missing_picture_in_the_middle_gives_nobody_anothers_text() -> None:
    sentences = worlds.sentences([(item, 0, f"text {item}") for item in "1234"])
    images = worlds.images([(item, 0, f"picture {item}".encode()) for item in "134"])
    pairs = item_pairs(sentences, images).to_pylist()
    assert [row["item_id"] for row in pairs] == ["1", "3", "4"]
    for row in pairs:
        item = row["item_id"]
        assert row["text"] == f"text {item}"
        assert row["image_key"] == content_key(f"picture {item}".encode())


def test_the_key_of_a_pair_depends_on_both_parts_and_on_no_spelling() -> None:
    one = pair_key("caf\u00e9", content_key(b"x"))
    assert pair_key("cafe\u0301", content_key(b"x")) == one
    assert pair_key("caf\u00e9", content_key(b"y")) != one
    assert pair_key("cafe", content_key(b"x")) != one
