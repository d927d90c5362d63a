"""Measure the shipped demo CLIP on drawings it has not seen: keywords found among the top five.

Usage: ``python -m mmrec.demo.evaluate_clip``. Loads the files as any other open_clip checkpoint.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from PIL import Image

from mmrec.demo.captions import SHOWN
from mmrec.demo.clip_import import import_open_clip
from mmrec.demo.clip_recipe import CLIP_DIR
from mmrec.demo.shop import draw_shop
from mmrec.demo.training_pictures import draw_labelled
from mmrec.demo.words import foreign_shop_words, other_words, shown_words, whole_words

HELD_OUT_SEED = 987_654_321
ATTRIBUTES = ("colour", "pattern", "category")
_NUM_PICTURES = 1_000
_PROMPT = "a photo of a {}"
_BATCH = 256

logger = logging.getLogger(__name__)


class LoadedClip(NamedTuple):
    """A checkpoint with its own preprocessing and tokenizer."""

    model: Any
    preprocess: Any
    tokenize: Any


def load_clip(folder: Path) -> LoadedClip:
    """Load the checkpoint of a folder with open_clip."""
    open_clip = import_open_clip()
    name = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    return LoadedClip(model.eval(), preprocess, open_clip.get_tokenizer(name))


@torch.inference_mode()
def embed_pictures(clip: LoadedClip, pictures: Sequence[Image.Image]) -> np.ndarray:
    """Unit vectors of pictures, float32 [B, D]."""
    batches = [pictures[row : row + _BATCH] for row in range(0, len(pictures), _BATCH)]
    vectors = [
        clip.model.encode_image(torch.stack([clip.preprocess(p) for p in batch]), normalize=True)
        for batch in batches
    ]
    return np.asarray(torch.cat(vectors).numpy())


@torch.inference_mode()
def embed_phrases(clip: LoadedClip, phrases: Sequence[str]) -> np.ndarray:
    """Unit vectors of phrases, float32 [T, D]."""
    batches = [list(phrases[row : row + _BATCH]) for row in range(0, len(phrases), _BATCH)]
    vectors = [clip.model.encode_text(clip.tokenize(b), normalize=True) for b in batches]
    return np.asarray(torch.cat(vectors).numpy())


def recall_at(
    top: int, scores: np.ndarray, words: Sequence[str], labels: np.ndarray
) -> dict[str, float]:
    """Share of pictures whose true word is among the ``top`` best, per attribute.

    Args:
        top: number of keywords a picture gets.
        scores: similarity of pictures and words [B, T]; a word that ties loses.
        words: the dictionary, containing every attribute word.
        labels: true indices of colour, pattern and category [B, 3].
    """
    index = {word: column for column, word in enumerate(words)}
    recalls = {}
    for attribute, (name, values) in enumerate(zip(ATTRIBUTES, SHOWN, strict=True)):
        columns = np.array([index[value] for value in values])[labels[:, attribute]]
        own = scores[np.arange(len(scores)), columns]
        recalls[name] = float(np.mean((scores >= own[:, None]).sum(axis=1) <= top))
    return recalls


def shop_dictionary() -> list[str]:
    """All whole words of the titles and descriptions of a drawn shop, and the attribute words."""
    items = draw_shop(num_items=2_000, num_users=1, seed=1).items
    texts = items.select(pl.concat_list("title", "description").explode().drop_nulls())
    return sorted(whole_words(texts.to_series()) | shown_words())


def evaluate_clip(folder: Path, num_pictures: int) -> dict[str, dict[str, float]]:
    """Recall among five keywords on held-out drawings, per dictionary and attribute."""
    clip = load_clip(folder)
    pictures, labels = draw_labelled(HELD_OUT_SEED, num_pictures)
    images = embed_pictures(clip, pictures)
    words = shop_dictionary()
    small = sorted({*shown_words(), *foreign_shop_words()})
    large = [*sorted(shown_words()), *other_words()]
    dictionaries = {
        f"attribute and text words ({len(small)})": (small, "{}"),
        f"all words of the shop's texts ({len(words)})": (words, "{}"),
        f"the same, prompt {_PROMPT!r}": (words, _PROMPT),
        f"all whole words of the tokenizer ({len(large)})": (large, "{}"),
    }
    return {
        title: recall_at(
            5, images @ embed_phrases(clip, [prompt.format(w) for w in terms]).T, terms, labels
        )
        for title, (terms, prompt) in dictionaries.items()
    }


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    logger.setLevel(logging.INFO)
    for title, recalls in evaluate_clip(CLIP_DIR, _NUM_PICTURES).items():
        logger.info("%s: %s", title, ", ".join(f"{k} {v:.3f}" for k, v in recalls.items()))
