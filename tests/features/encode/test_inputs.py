"""What of an item is encoded."""

from __future__ import annotations

from mmrec.features.encode.inputs import first_images, joined_sentences
from tests.features import worlds


def test_sentences_of_an_item_are_joined_in_order_of_position() -> None:
    rows = [("b.1", 10, "three"), ("b.1", 2, "two"), ("a", 0, "only"), ("b.1", 1, "one")]
    joined = joined_sentences(worlds.sentences(rows))
    assert joined.to_pylist() == [
        {"item_id": "a", "position": 0, "sentence": "only"},
        {"item_id": "b.1", "position": 0, "sentence": "one two three"},
    ]
    assert joined.schema == worlds.sentences(rows).schema


def test_no_sentences_give_no_text() -> None:
    assert joined_sentences(worlds.sentences([("a", 0, "x")]).slice(0, 0)).num_rows == 0


def test_the_first_pictures_are_those_of_the_lowest_positions() -> None:
    rows = [("b", 7, b"7"), ("b", 3, b"3"), ("a", 5, b"5"), ("b", 10, b"10")]
    images = worlds.images(rows)
    kept = first_images(images, 2)
    assert [(r["item_id"], r["position"]) for r in kept.to_pylist()] == [
        ("a", 5),
        ("b", 3),
        ("b", 7),
    ]
    assert kept.schema == images.schema
    assert first_images(images, None).num_rows == 4
