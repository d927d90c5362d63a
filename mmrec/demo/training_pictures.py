"""A seed -> labelled drawings for training and evaluation, and their augmented batches."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mmrec.demo.attributes import BACKGROUNDS, CATEGORIES, COLOURS, PATTERNS
from mmrec.demo.clip_recipe import IMAGE_SIZE
from mmrec.demo.drawing import Product, draw_product

_DRAWN_SIZE = 2 * IMAGE_SIZE  # as the shop draws them; the model's preprocessing halves it
_CHUNK = 500
_MARGIN = 4


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures uint8 [N, H, W, 3] and the indices of colour, pattern, category int64 [N, 3]."""

    pixels: np.ndarray
    labels: np.ndarray


def draw_labelled(seed: int, count: int, first: int = 0) -> tuple[list[Image.Image], np.ndarray]:
    """Draw pictures ``first`` to ``first + count`` of the endless series that belongs to a seed."""
    pictures: list[Image.Image] = []
    labels = np.empty((count, 3), dtype=np.int64)
    colours = tuple(COLOURS)
    for row in range(count):
        generator = np.random.default_rng([seed, first + row])
        colour, pattern, category, background = (
            int(generator.integers(len(names)))
            for names in (colours, PATTERNS, CATEGORIES, BACKGROUNDS)
        )
        product = Product(
            CATEGORIES[category],
            colours[colour],
            PATTERNS[pattern],
            BACKGROUNDS[background],
            int(generator.integers(2**31)),
        )
        pictures.append(draw_product(product, int(generator.integers(3)), _DRAWN_SIZE))
        labels[row] = colour, pattern, category
    return pictures, labels


def draw_pool(seed: int, count: int, num_workers: int) -> LabelledPictures:
    """Draw many pictures at the model's size; the result does not depend on ``num_workers``."""
    starts = range(0, count, _CHUNK)
    counts = [min(_CHUNK, count - start) for start in starts]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, mp_context=context) as executor:
        chunks = list(executor.map(_draw_chunk, [seed] * len(counts), counts, starts))
    return LabelledPictures(
        np.concatenate([chunk.pixels for chunk in chunks]),
        np.concatenate([chunk.labels for chunk in chunks]),
    )


def _draw_chunk(seed: int, count: int, first: int) -> LabelledPictures:
    pictures, labels = draw_labelled(seed, count, first)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    small = [np.asarray(picture.resize(size, Image.Resampling.BICUBIC)) for picture in pictures]
    return LabelledPictures(np.stack(small), labels)


def augmented(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shift every picture by up to four pixels and mirror half of them: uint8 [B, H, W, 3]."""
    count, (height, width) = len(pixels), pixels.shape[1:3]
    edges = ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
    padded = np.pad(pixels, edges, mode="edge")
    moves = generator.integers(0, 2 * _MARGIN + 1, size=(count, 2))
    draws = generator.random(len(pixels))
    moved = np.empty_like(pixels)
    for row, (down, right) in enumerate(moves.tolist()):
        crop = padded[row, down : down + height, right : right + width]
        moved[row] = crop[:, ::-1] if draws[row] < 0.5 else crop
    return moved
