"""Sentences and pictures of the items that stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec.data.clean import CleanResult
from mmrec.data.item_content import find_broken
from mmrec.data.sources.source import ImageRef
from mmrec.io import DataError, content_key
from tests.data.raw_world import cleaned, dropped, fetched, histories, items, jpeg


def _sentences(result: CleanResult) -> list[tuple[str, int, str]]:
    return [tuple(row.values()) for row in result.sentences.to_pylist()]


def test_sentences_follow_the_order_of_the_fields(tmp_path: Path) -> None:
    texts = {"a": [("plot", "One. Two."), ("genres", "Fun"), ("cast", "Not taken.")]}
    raw = items("a", titles={"a": "Dr. No. 1"}, texts=texts)
    fields = ["title", "genres", "plot"]
    result = cleaned(tmp_path, raw, histories(u="a"), text_fields=fields)
    expected = ["Dr. No. 1", "Fun", "One.", "Two."]
    assert _sentences(result) == [("a", n, text) for n, text in enumerate(expected)]


def test_at_most_so_many_sentences_are_kept_and_the_rest_counted(tmp_path: Path) -> None:
    texts = {"a": [("plot", " ".join(f"Sentence number {n}." for n in range(15)))]}
    result = cleaned(
        tmp_path,
        items("ab", titles={}, texts=texts),
        histories(u="ab"),
        text_fields=["plot"],
        max_sentences=10,
    )
    assert [text for _, _, text in _sentences(result)][-1] == "Sentence number 9."
    assert dropped(result, "sentences") == {"over_max_sentences": 5}


def test_texts_without_a_word_are_no_sentences(tmp_path: Path) -> None:
    raw = items("ab", titles={"a": " ", "b": "<br>"}, texts={"a": [("description", "... !!")]})
    result = cleaned(tmp_path, raw, histories(u="ab"))
    assert _sentences(result) == []
    assert dropped(result, "sentences") == {"no_word": 4}
    texts = {"a": [("description", "Good. *** Well."), ("description", "<br>")]}
    result = cleaned(tmp_path, items("a", titles={}, texts=texts), histories(u="a"))
    assert [text for _, _, text in _sentences(result)] == ["Good.", "*** Well."]
    assert dropped(result, "sentences") == {"no_word": 1}


def test_a_field_that_no_item_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\['descripton'\] found on no item; .*'description'"):
        cleaned(tmp_path, items("a"), histories(u="a"), text_fields=["descripton"])


def test_no_text_fields_means_no_sentences(tmp_path: Path) -> None:
    result = cleaned(tmp_path, items("a"), histories(u="a"), text_fields=[])
    assert result.sentences.num_rows == 0
    assert result.items.column("title").to_pylist() == ["Title a"]


def test_broken_pictures_are_dropped_by_reason_and_valid_ones_kept(tmp_path: Path) -> None:
    refs = [
        ImageRef("a", 0, "gone", None),
        ImageRef("a", 1, "text", b"<html>not found</html>"),
        ImageRef("a", 2, "cut", jpeg(5)[:-40]),
        ImageRef("a", 3, "good", jpeg(6)),
        ImageRef("b", 0, "same", jpeg(6)),
        ImageRef("b", 1, "empty", b""),
    ]
    result = cleaned(tmp_path, items("ab"), histories(u="ab"), refs)
    key = content_key(jpeg(6))
    assert result.images.to_pylist() == [
        {"item_id": "a", "position": 3, "content_key": key},
        {"item_id": "b", "position": 0, "content_key": key},
    ]
    assert [tuple(row.values()) for row in result.failed_images.to_pylist()] == [
        ("a", 0, "gone", "missing_file"),
        ("a", 1, "text", "not_an_image"),
        ("a", 2, "cut", "damaged_image"),
        ("b", 1, "empty", "empty_file"),
    ]
    assert dropped(result, "images") == {
        "damaged_image": 1,
        "empty_file": 1,
        "missing_file": 1,
        "not_an_image": 1,
    }


def test_the_first_valid_pictures_are_kept(tmp_path: Path) -> None:
    refs = [ImageRef("a", n, str(n), jpeg(n) if n else b"broken") for n in range(5)]
    result = cleaned(tmp_path, items("a"), histories(u="a"), refs, max_images=2)
    assert result.images.column("position").to_pylist() == [1, 2]
    assert dropped(result, "images") == {"not_an_image": 1, "over_max_images": 2}
    assert result.items.column("num_images").to_pylist() == [2]


def test_pictures_of_dropped_items_are_not_judged(tmp_path: Path) -> None:
    refs = [ImageRef("a", 0, "a", jpeg()), ImageRef("z", 0, "z", b"broken")]
    result = cleaned(
        tmp_path, items("az"), histories(u="a"), refs, item_core=1, max_failed_share=0.0
    )
    assert result.images.num_rows == 1


def test_too_many_failed_pictures_stop_with_the_reasons(tmp_path: Path) -> None:
    refs = [ImageRef("a", n, str(n), jpeg(n) if n else b"broken") for n in range(4)]
    assert cleaned(
        tmp_path, items("a"), histories(u="a"), refs, max_failed_share=0.25
    ).images.num_rows
    message = r"1 of 4 pictures failed \(25\.0%\): 1 not_an_image \(first: '0' of item 'a': not_an"
    with pytest.raises(DataError, match=message):
        cleaned(tmp_path, items("a"), histories(u="a"), refs, max_failed_share=0.2)


def test_equal_contents_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = [ImageRef("a", n, str(n), jpeg(n % 2)) for n in range(6)]
    links, images = fetched(tmp_path, refs)
    seen: list[bytes] = []

    def fault(data: bytes) -> str | None:
        seen.append(data)
        return None

    monkeypatch.setattr("mmrec.data.item_content.picture_fault", fault)
    assert find_broken(images, links.column("content_key").to_pylist()) == {}
    assert sorted(seen) == sorted([jpeg(0), jpeg(1)])


def test_too_many_links_that_lead_out_say_how_to_allow_them(tmp_path: Path) -> None:
    refs = [ImageRef("a", 0, "a.jpg", None, "link_outside_folder")]
    with pytest.raises(DataError, match=r"clean: 1 of 1 .*, set allow_links_outside of the dat"):
        cleaned(tmp_path, items("a"), histories(u="a"), refs, max_failed_share=0.2)
