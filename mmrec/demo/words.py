"""The words that no picture of the shop shows: those of its texts, and all other whole words."""

import re
from collections.abc import Iterable

from mmrec.demo import texts
from mmrec.demo.attributes import BRANDS, CATEGORIES, COLOURS, MATERIALS, PATTERNS, STYLES
from mmrec.demo.clip_import import import_open_clip

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_BLANK = re.compile(r"\{\w+\}")
_ASCII_WORD = re.compile(r"[a-z0-9]+")


def shown_words() -> frozenset[str]:
    """The words of the attributes that a picture shows."""
    return frozenset((*COLOURS, *PATTERNS, *CATEGORIES))


def whole_words(phrases: Iterable[str]) -> set[str]:
    """The lower-case words of some phrases."""
    return {word.lower() for phrase in phrases for word in _WORD.findall(phrase)}


def foreign_shop_words() -> list[str]:
    """The words that the shop's texts can contain and that name nothing visible."""
    sentences = (
        *texts.OPENINGS,
        *texts.MATERIAL_SENTENCES,
        *texts.COLOUR_SENTENCES,
        *texts.PATTERN_SENTENCES,
        *texts.MEASURES,
        *texts.BOILERPLATE,
        *texts.ACCENTED,
        *texts.GARBLED,
        *texts.TITLE_WORDS,
    )
    written = whole_words(_BLANK.sub(" ", sentence) for sentence in sentences)
    return sorted((written | whole_words((*MATERIALS, *STYLES, *BRANDS))) - shown_words())


def other_words() -> list[str]:
    """All whole words of the tokenizer's vocabulary that are not attributes of a picture."""
    shown = shown_words()
    tokens = import_open_clip().SimpleTokenizer().encoder
    words = (token.removesuffix("</w>") for token in tokens if token.endswith("</w>"))
    return sorted(word for word in words if _ASCII_WORD.fullmatch(word) and word not in shown)
