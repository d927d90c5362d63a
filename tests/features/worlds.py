"""Small checkpoints and tables that the feature tests share."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from safetensors.torch import save_file

from mmrec import schemas
from mmrec.io import content_key
from mmrec.part_writer import PartWriter
from mmrec.torchvision_schemas import define_missing_operators

CLIP_CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def write_tiny_clip(folder: Path) -> Path:
    """A CLIP with random weights, in the layout of a downloaded one."""
    define_missing_operators()
    import open_clip

    folder.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(**CLIP_CONFIG)
        # Fresh projections are so small that all vectors would look alike.
        torch.nn.init.normal_(model.token_embedding.weight)
        torch.nn.init.normal_(model.visual.conv1.weight)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CLIP_CONFIG}))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def write_tiny_timm(folder: Path, architecture: str = "test_resnet") -> Path:
    """A timm backbone with random weights, in the layout of a downloaded one."""
    define_missing_operators()
    import timm

    folder.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model(architecture, pretrained=False, num_classes=7)
        for tensor in model.parameters():
            if tensor.ndim > 1:
                torch.nn.init.normal_(tensor, std=0.3)
    save_file(model.state_dict(), folder / "model.safetensors")
    settings = {
        "input_size": [3, 48, 48],
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "mean": [0.4, 0.5, 0.6],
        "std": [0.2, 0.3, 0.4],
        "num_classes": 7,
        "classifier": "fc",
        "first_conv": "conv1.0",
    }
    config = {"architecture": architecture, "num_classes": 7, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def picture(seed: int, size: tuple[int, int] = (40, 36)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1] // 4, size[0] // 4, 3))
    return Image.fromarray(pixels.astype(np.uint8)).resize(size)


def png(seed: int) -> bytes:
    return png_of(picture(seed))


def png_of(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def write_raw_images(directory: Path, pictures: Sequence[bytes]) -> Path:
    packed = {content_key(data): data for data in pictures}
    keys = sorted(packed)
    columns = {"content_key": keys, "bytes": [packed[key] for key in keys]}
    with PartWriter(directory, schemas.RAW_IMAGES, rows_per_part=3) as writer:
        writer.write(pa.table(columns, schema=schemas.RAW_IMAGES))
    return directory


def sentences(rows: Sequence[tuple[str, int, str]]) -> pa.Table:
    return pa.table(
        dict(zip(schemas.SENTENCES.names, map(list, zip(*rows, strict=True)), strict=True)),
        schema=schemas.SENTENCES,
    )


def images(rows: Sequence[tuple[str, int, bytes]]) -> pa.Table:
    columns = [[r[0] for r in rows], [r[1] for r in rows], [content_key(r[2]) for r in rows]]
    return pa.table(dict(zip(schemas.IMAGES.names, columns, strict=True)), schema=schemas.IMAGES)


def items(ids: Sequence[str]) -> pa.Table:
    """A catalogue in which only ids and indices matter."""
    count = len(ids)
    columns = {
        "item_id": list(ids),
        "item_index": list(range(1, count + 1)),
        "title": list(ids),
        "num_sentences": [1] * count,
        "num_images": [1] * count,
        "training_count": [1] * count,
        "is_cold": [False] * count,
    }
    return pa.table(columns, schema=schemas.CLEAN_ITEMS)
