"""The truth of an item -> its raw title and description, with the dirt of a real catalogue."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmrec.demo.attributes import BRANDS, CATEGORIES, COLOURS, MATERIALS, PATTERNS, STYLES
from mmrec.demo.catalogue import Catalogue

_UNNAMED = 0.12  # share of the items whose texts call them "piece" instead of their category
_HTML = 0.6  # share of the descriptions that come as HTML
_MOJIBAKE = 0.15
_SPACES = 0.2
_DRAWS = 16  # random numbers an item's texts may use

OPENINGS = (
    "A {style} {category} by {brand} for everyday use.",
    "This {style} {category} is part of the new {brand} collection.",
    "{brand} makes this {category} in small batches.",
    "Meet the {category} that our customers asked for, a {style} favourite.",
)
MATERIAL_SENTENCES = (
    "The {material} build lasts for years.",
    "Crafted with {material} parts, i.e. nothing that breaks after a week.",
    "Mostly {material}, finished by hand.",
    "We only use {material} supplies from certified partners.",
)
COLOUR_SENTENCES = (
    "It comes in {colour}.",
    "The {colour} tone stays fresh.",
    "Our team loves it in {colour}.",
)
PATTERN_SENTENCES = (
    "The surface is {pattern}.",
    "Its {pattern} look is new this season.",
    "A {pattern} design goes with everything.",
)
MEASURES = (
    "Measures approx. {a}.{b} cm, weighs ca. {c} g.",
    "Size: {a}.{b} x {d}.5 cm, incl. packaging.",
    "Dimensions approx. {a}.{b} cm; please allow 0.5 cm of tolerance.",
)
BOILERPLATE = (
    "Free returns within 30 days.",
    "Ships from our warehouse in 1-2 business days.",
    "Please see our other listings, e.g. our gift ideas!",
    "Two years of warranty, see terms & conditions.",
    "Questions? Write to us, Dr. Miller & team will answer.",
    "Makes a great gift for friends and family.",
)
ACCENTED = (
    "It\u2019s in stock.",
    "A café classic.",
    "Rated 4.8 \u2013 5 by buyers.",
    "François\u2019 choice.",
)
# Read with the wrong code page, as feeds of real shops have it.
GARBLED = tuple(sentence.encode("utf-8").decode("cp1252") for sentence in ACCENTED)
TITLE_WORDS = ("by", "no.", "piece")
_BREAKS = ("<br>", "<br/>", " <br /> ", "</p>\n<p>", "&nbsp;", " ")


class Texts(NamedTuple):
    """Raw title and description; both None for an item without text."""

    title: str | None
    description: str | None


def draw_texts(catalogue: Catalogue, seed: int) -> list[Texts]:
    """Write the texts of every item, in catalogue order."""
    generator = np.random.default_rng([seed, 2])
    luck = generator.random((len(catalogue.category), _DRAWS), dtype=np.float32)
    texts = []
    for row in range(len(luck)):
        if catalogue.has_text[row]:
            draws = luck[row].tolist()
            words = _words_of(catalogue, row, draws)
            texts.append(Texts(_title(words, draws), _description(words, draws)))
        else:
            texts.append(Texts(None, None))
    return texts


def _words_of(catalogue: Catalogue, row: int, draws: list[float]) -> dict[str, str]:
    """The words the texts may use; colour and pattern only where they are told."""
    words = {
        "category": "piece" if draws[0] < _UNNAMED else CATEGORIES[catalogue.category[row]],
        "material": MATERIALS[catalogue.material[row]],
        "style": STYLES[catalogue.style[row]],
        "brand": BRANDS[catalogue.brand[row]],
        "a": str(int(5 + 60 * draws[1])),
        "b": str(int(10 * draws[2])),
        "c": str(int(80 + 900 * draws[3])),
        "d": str(int(4 + 40 * draws[4])),
    }
    if catalogue.tells_colour[row]:
        words["colour"] = tuple(COLOURS)[catalogue.colour[row]]
    if catalogue.tells_pattern[row]:
        words["pattern"] = PATTERNS[catalogue.pattern[row]]
    return words


def _title(words: dict[str, str], draws: list[float]) -> str:
    look = [words[name] for name in ("colour", "pattern") if name in words]
    if draws[5] < 0.4:
        parts = [words["brand"], *look, words["material"], words["category"]]
    elif draws[5] < 0.75:
        parts = [words["style"], *look, words["category"], "by", words["brand"]]
    else:
        parts = [*look, words["category"], f"no. {words['c']}"]
    title = " ".join(parts)
    title = title[0].upper() + title[1:]
    if draws[6] < 0.1:
        return f"<b>{title.replace('&', '&amp;')}</b>"
    if draws[6] < 0.2:
        return title.upper()
    return f"  {title.replace(' ', '  ', 1)} " if draws[6] < 0.25 else title


def _description(words: dict[str, str], draws: list[float]) -> str:
    sentences = [
        _pick(OPENINGS, draws[7]).format(**words),
        _pick(MATERIAL_SENTENCES, draws[8]).format(**words),
    ]
    if "colour" in words:
        sentences.append(_pick(COLOUR_SENTENCES, draws[9]).format(**words))
    if "pattern" in words:
        sentences.append(_pick(PATTERN_SENTENCES, draws[10]).format(**words))
    if draws[11] < 0.7:
        sentences.append(_pick(MEASURES, draws[11] / 0.7).format(**words))
    sentences.append(_pick(BOILERPLATE, draws[12]))
    if draws[13] < _MOJIBAKE:
        sentences.insert(1, _pick(GARBLED, draws[13] / _MOJIBAKE))
    if draws[14] < _HTML:
        return _as_html(sentences, draws[14] / _HTML)
    return ("  " if draws[15] < _SPACES else " ").join(sentences)


def _as_html(sentences: Sequence[str], luck: float) -> str:
    escaped = [sentence.replace("&", "&amp;") for sentence in sentences]
    escaped[0] = f"<strong>{escaped[0]}</strong>"
    separator = _pick(_BREAKS, luck)
    body = f"<p>{separator.join(escaped)}</p>"
    return f'<div class="description">{body}<!-- 1.0 --></div>' if luck > 0.7 else body


def _pick(choices: Sequence[str], luck: float) -> str:
    return choices[min(int(luck * len(choices)), len(choices) - 1)]
