"""Captions: what is offered to a batch, and what of it is true of which picture."""

import numpy as np

from mmrec.demo.attributes import CATEGORIES, COLOURS, MATERIALS, PATTERNS
from mmrec.demo.captions import SHOWN, bare_words, draw_captions
from mmrec.demo.words import foreign_shop_words, shown_words

LABELS = np.array([[0, 1, 2], [3, 4, 5], [0, 4, 2], [9, 6, 19]])


def test_captions_match_exactly_the_pictures_they_are_true_of() -> None:
    captions = draw_captions(LABELS, ["gift"], np.random.default_rng(0))
    matches = captions.match(LABELS)
    assert matches.shape == (len(LABELS), len(captions.phrases))
    for row, label in enumerate(LABELS):
        own = {SHOWN[attribute][value] for attribute, value in enumerate(label)}
        for column, phrase in enumerate(captions.phrases):
            named = set(phrase.split()) & shown_words()
            assert matches[row, column] == (bool(named) and named <= own), phrase


def test_every_attribute_word_is_offered_bare_and_no_phrase_twice() -> None:
    captions = draw_captions(LABELS, ["gift", "gift"], np.random.default_rng(1))
    words, _ = bare_words()
    assert set(words) == {*COLOURS, *PATTERNS, *CATEGORIES} == shown_words()
    assert set(words) <= set(captions.phrases)
    assert len(set(captions.phrases)) == len(captions.phrases)


def test_captions_depend_on_the_generator_only() -> None:
    first = draw_captions(LABELS, ["gift"], np.random.default_rng(2))
    again = draw_captions(LABELS, ["gift"], np.random.default_rng(2))
    assert first.phrases == again.phrases
    assert np.array_equal(first.claims, again.claims)


def test_foreign_words_are_those_of_the_texts_and_show_nothing() -> None:
    foreign = set(foreign_shop_words())
    assert {"gift", "warranty", "café", *MATERIALS} <= foreign
    assert not foreign & shown_words()
