"""How the demo CLIP is built and trained: its architecture, its recipe, where it lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIP_DIR = Path(__file__).parent / "clip"
IMAGE_SIZE = 64
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights.

    Attributes:
        num_pictures: size of the pool of drawings, made once and seen in random crops.
        num_steps: optimiser steps.
        batch_size: pictures per step.
        num_shop_words: words of the shop's texts per step that match no picture.
        num_other_words: words of the tokenizer's vocabulary per step that match no picture.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        patch_dropout: share of patches hidden in the first part of the training.
        dropout_share: length of that part.
        seed: of pool, batches and initial weights.
    """

    num_pictures: int = 12_000
    num_steps: int = 1_200
    batch_size: int = 128
    num_shop_words: int = 128
    num_other_words: int = 96
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    patch_dropout: float = 0.5
    dropout_share: float = 0.6
    seed: int = 20


def open_clip_config() -> dict[str, Any]:
    """The contents of ``open_clip_config.json``."""
    vision = {"image_size": IMAGE_SIZE, "patch_size": 8, "width": 128, "layers": 4}
    text = {"context_length": 16, "vocab_size": 49_408, "width": 64, "heads": 4, "layers": 2}
    return {
        "model_cfg": {
            "embed_dim": 64,
            "vision_cfg": {**vision, "head_width": 32},
            "text_cfg": text,
        },
        "preprocess_cfg": {
            "mean": list(MEAN),
            "std": list(STD),
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }
