"""Models in folders, and ways to change their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from mmrec.features.extractors.build import build_text_extractor
from mmrec.params.features import OpenClipTextParams, SentenceTransformerParams
from tests.features import checkpoints


def sentence_folder(kind: str, folder: Path) -> Path:
    """A sentence-transformers model over the tiny checkpoint of a kind."""
    from sentence_transformers import SentenceTransformer

    bare = checkpoints.write_checkpoint(kind, folder / "bare")
    SentenceTransformer(str(bare)).save(str(folder / "saved"))
    # As published: a tokenizer that knows no limit.
    path = folder / "saved" / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "model_max_length": 10**30}))
    return folder / "saved"


def build_sentence(folder: Path, max_length: int | None = None) -> Any:
    return build_text_extractor(
        SentenceTransformerParams(
            name="sentence_transformer",
            model=str(folder),
            revision=None,
            normalize=True,
            max_length=max_length,
        )
    )


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    settings = json.loads(path.read_text())
    change(settings)
    path.write_text(json.dumps(settings))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def build_clip_text(folder: Path) -> Any:
    return build_text_extractor(
        OpenClipTextParams(
            name="open_clip_text", model=str(folder), pretrained=None, normalize=True
        )
    )
