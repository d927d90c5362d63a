"""Where the words come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec.features.dictionary import (
    build_dictionary,
    catalogue_dictionary,
    clip_dictionary,
    file_dictionary,
)
from mmrec.params.datasets import CatalogueDictionary, ClipDictionary
from tests.features import worlds


def _catalogue(*texts: str, num_words: int = 100, min_length: int = 3) -> tuple[str, ...]:
    rows = [("a", position, text) for position, text in enumerate(texts)]
    table = worlds.sentences(rows)
    return catalogue_dictionary(table, num_words=num_words, min_length=min_length).words


def test_a_file_gives_its_words_once_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# colours\nred\n\n  polka   dot \nred\nblue\r\n#end\n", encoding="utf-8")
    assert file_dictionary(path).words == ("red", "polka dot", "blue")


def test_a_missing_or_binary_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file"):
        file_dictionary(tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not UTF-8"):
        file_dictionary(tmp_path / "binary")


def test_catalogue_words_are_ordered_by_the_number_of_sentences_they_occur_in() -> None:
    words = _catalogue("red red red cup", "Blue cup.", "blue CUP", "green hat")
    assert words == ("cup", "blue", "green", "hat", "red")


def test_catalogue_words_are_cut_after_alphabetical_ties() -> None:
    assert _catalogue("pear plum apple", num_words=2) == ("apple", "pear")


def test_catalogue_leaves_out_stop_words_numbers_contractions_and_short_words() -> None:
    text = "The it's don't 4k mp3 a1b2 été naïve ox of yellow 100 don’t semi-rigid"
    assert _catalogue(text) == ("naïve", "rigid", "semi", "yellow", "été")


def test_an_empty_catalogue_gives_no_words() -> None:
    assert _catalogue("", "12 !") == ()


def test_clip_words_are_single_tokens_of_letters_in_vocabulary_order() -> None:
    vocabulary = {"red</w>": 5, "re": 1, "cat</w>": 2, "a</w>": 3, "'s</w>": 4, "Ã©t</w>": 6}
    assert clip_dictionary(vocabulary, min_length=3).words == ("cat", "red")


def test_clips_own_vocabulary_has_thousands_of_words(clip) -> None:
    params = ClipDictionary(name="clip_vocabulary", min_length=3)
    words = build_dictionary(
        params, sentences=worlds.sentences([("a", 0, "x")]), clip=clip.model
    ).words
    assert len(words) > 20_000
    assert {"red", "striped", "backpack"} <= set(words)
    assert len(clip.model().tokenizer.encode(words[1000])) == 1


def test_the_catalogue_section_of_params_builds_that_dictionary(clip) -> None:
    params = CatalogueDictionary(name="catalogue", num_words=1, min_length=3)
    table = worlds.sentences([("a", 0, "red cup"), ("b", 0, "red hat")])
    assert build_dictionary(params, sentences=table, clip=clip.model).words == ("red",)
