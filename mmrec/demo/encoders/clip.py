"""The demo's CLIP as a model of transformers: the same numbers under other names."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from mmrec.demo.clip_import import import_open_clip
from mmrec.demo.clip_recipe import CLIP_DIR

_BICUBIC: Final = 3
_BLOCK: Final = re.compile(r"(?:visual\.)?transformer\.resblocks\.(\d+)\.(.+)[._](weight|bias)")
_PARTS: Final = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
"""Of a block, but for the projections in front of its attention, which open_clip has in one."""
_PLACES: Final = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "visual.proj": "visual_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
    "logit_scale": "logit_scale",
}


def demo_clip() -> Any:
    """A `CLIPModel` of the demo's weights."""
    from transformers import CLIPConfig, CLIPModel

    described = json.loads((CLIP_DIR / "open_clip_config.json").read_text(encoding="utf-8"))
    with torch.random.fork_rng():
        model = CLIPModel(CLIPConfig(**_config(described["model_cfg"])))
    state: dict[str, Tensor] = {}
    for name, tensor in load_file(CLIP_DIR / "open_clip_model.safetensors").items():
        state |= _renamed(name, tensor.float())
    model.load_state_dict(state)
    return model


def demo_clip_tokenizer() -> Any:
    """The tokenizer of open_clip's CLIPs as one of transformers.

    open_clip mends the encoding of a text and its HTML entities first; this one does not, and the
    tokens of a text that has none of these are the same.
    """
    from transformers import CLIPTokenizer

    described = json.loads((CLIP_DIR / "open_clip_config.json").read_text(encoding="utf-8"))
    theirs = import_open_clip().SimpleTokenizer()
    first, last = (theirs.decoder[index] for index in theirs.all_special_ids)
    return CLIPTokenizer(
        vocab=dict(theirs.encoder),
        merges=list(theirs.bpe_ranks),
        bos_token=first,
        eos_token=last,
        unk_token=last,
        pad_token=last,
        model_max_length=described["model_cfg"]["text_cfg"]["context_length"],
    )


def demo_clip_processor() -> dict[str, Any]:
    """How pictures are prepared, as `preprocessor_config.json` says it.

    Equal to open_clip's but for pictures whose longer side, once scaled, is beyond the square by
    3, 7, 11 … pixels: there the two libraries round the middle to either side.
    """
    described = json.loads((CLIP_DIR / "open_clip_config.json").read_text(encoding="utf-8"))
    side = described["model_cfg"]["vision_cfg"]["image_size"]
    return {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": side},
        "crop_size": {"height": side, "width": side},
        "resample": _BICUBIC,
        "image_mean": described["preprocess_cfg"]["mean"],
        "image_std": described["preprocess_cfg"]["std"],
    }


def _config(described: dict[str, Any]) -> dict[str, Any]:
    vision, text = described["vision_cfg"], described["text_cfg"]
    last = text["vocab_size"] - 1
    return {
        "projection_dim": described["embed_dim"],
        "vision_config": {
            **_blocks(vision["width"], vision["layers"], vision["width"] // vision["head_width"]),
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
        },
        "text_config": {
            **_blocks(text["width"], text["layers"], text["heads"]),
            "vocab_size": text["vocab_size"],
            "max_position_embeddings": text["context_length"],
            "bos_token_id": last - 1,
            "eos_token_id": last,
            "pad_token_id": last,
        },
    }


def _blocks(width: int, num_layers: int, num_heads: int) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": num_layers,
        "num_attention_heads": num_heads,
        "hidden_act": "gelu",
    }


def _renamed(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """One of open_clip's tensors as transformers names and lays it out."""
    block = _BLOCK.fullmatch(name)
    if block is None:
        place = _PLACES[name]
        return {place: tensor.T if place.endswith("projection.weight") else tensor}
    layer, part, kind = block.groups()
    tower = "vision_model" if name.startswith("visual.") else "text_model"
    place = f"{tower}.encoder.layers.{layer}"
    if part != "attn.in_proj":
        return {f"{place}.{_PARTS[part]}.{kind}": tensor}
    thirds = zip("qkv", tensor.chunk(3), strict=True)
    return {f"{place}.self_attn.{one}_proj.{kind}": third for one, third in thirds}
