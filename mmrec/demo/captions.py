"""Captions of demo pictures: which phrases are offered to a batch and which of them are true.

A caption claims a value for some of the attributes, or names something no picture shows. It
matches a picture when every claim holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmrec.demo.attributes import CATEGORIES, COLOURS, PATTERNS

SHOWN: tuple[tuple[str, ...], ...] = (tuple(COLOURS), PATTERNS, CATEGORIES)
ANY = -1
_FOREIGN = -2  # a claim no picture satisfies
_PROMPTS = ("{}", "{}", "a {}", "a photo of a {}", "a picture of a {}", "a photo of {}")


class Claim(NamedTuple):
    """Indices into ``SHOWN``; ``ANY`` where the caption leaves an attribute out."""

    colour: int
    pattern: int
    category: int


@dataclass(frozen=True)
class Captions:
    """The phrases of one batch and their claims, int64 [T, 3]."""

    phrases: list[str]
    claims: np.ndarray

    def match(self, labels: np.ndarray) -> np.ndarray:
        """Bool [B, T]: True where every claim of the caption holds for the labels [B, 3]."""
        holds = self.claims[None] == labels[:, None]
        return np.asarray((holds | (self.claims[None] == ANY)).all(axis=2))


def bare_words() -> tuple[list[str], list[Claim]]:
    """Every colour, pattern and category word with its claim."""
    words: list[str] = []
    claims: list[Claim] = []
    for attribute, names in enumerate(SHOWN):
        for index, name in enumerate(names):
            claim = [ANY, ANY, ANY]
            claim[attribute] = index
            words.append(name)
            claims.append(Claim(*claim))
    return words, claims


def draw_captions(
    labels: np.ndarray, foreign_words: Sequence[str], generator: np.random.Generator
) -> Captions:
    """Draw the captions offered to a batch of pictures.

    Args:
        labels: int64 [B, 3], colour, pattern and category of each picture.
        foreign_words: words that no picture shows.
        generator: source of prompts and of the attributes a caption leaves out.

    Returns:
        All attribute words bare and once prompted, one phrase of two or three attributes per
        picture, and the foreign words, some prompted; without duplicates.
    """
    words, claims = bare_words()
    known = dict(zip(words, claims, strict=True))
    for word, claim in zip(words, claims, strict=True):
        known.setdefault(_prompted(word, generator), claim)
    left_out = generator.integers(0, 4, size=len(labels))
    for label, gap in zip(labels.tolist(), left_out.tolist(), strict=True):
        told = [ANY if attribute == gap else value for attribute, value in enumerate(label)]
        names = [SHOWN[a][value] for a, value in enumerate(told) if value != ANY]
        known.setdefault(_prompted(" ".join(names), generator), Claim(*told))
    foreign = Claim(_FOREIGN, _FOREIGN, _FOREIGN)
    for word in foreign_words:
        known.setdefault(_prompted(word, generator), foreign)
    return Captions(list(known), np.array(list(known.values()), dtype=np.int64))


def _prompted(phrase: str, generator: np.random.Generator) -> str:
    return _PROMPTS[int(generator.integers(len(_PROMPTS)))].format(phrase)
