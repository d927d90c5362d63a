"""Tiny checkpoints with random weights of every architecture, in the layout of downloaded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn

from mmrec.torchvision_schemas import define_missing_operators

define_missing_operators()
import transformers  # noqa: E402

SIDE = 32
WORDS = ["red", "blue", "green", "cotton", "shirt", "with", "the", "stripes", "and", "soft"]
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
_TEXT = {**SMALL, "vocab_size": 40, "max_position_embeddings": 24, "type_vocab_size": 2}
_VISION = {**SMALL, "image_size": SIDE, "patch_size": 8}
_CLIP_TEXT = {**SMALL, "vocab_size": 40, "max_position_embeddings": 24, "eos_token_id": 3}


def write_checkpoint(kind: str, folder: Path, *, seed: int = 0) -> Path:
    """Model, tokenizer and image processor of one kind; same seed, same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _MODELS[kind]()
        _spread(model)
    model.save_pretrained(folder)
    if kind in _IMAGE_PROCESSORS:
        (folder / "preprocessor_config.json").write_text(json.dumps(_IMAGE_PROCESSORS[kind]))
    if kind not in {"vit_mae", "swin", "resnet", "visual_bert"}:
        _tokenizer(kind).save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path) -> Path:
    """A tokenizer of its own, for a model that brings none."""
    _tokenizer("bert").save_pretrained(folder)
    return folder


def _spread(model: nn.Module) -> None:
    """Fresh weights are so small that all states would look alike."""
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if tensor.ndim > 1:
                tensor.normal_(0, 0.3)
            elif "norm" not in name.lower():
                tensor.normal_(0, 0.1)
        for name, tensor in model.named_buffers():
            if name.endswith("running_mean"):
                tensor.normal_(0, 0.1)


def _tokenizer(kind: str) -> Any:
    roberta = kind in {"roberta", "xlm-roberta"}
    first, pad, last, unknown = ("<s>", "<pad>", "</s>", "<unk>") if roberta else _BERT_SPECIAL
    if kind in {"clip", "groupvit"}:
        # As published: padded with the end-of-text token.
        first, pad, last, unknown = "<start>", "<pad>", "<end>", "<unk>"
    order = [first, pad, unknown, last] if not roberta else [first, pad, last, unknown]
    if not roberta and first == "[CLS]":
        order = [pad, unknown, first, last]
    pieces = [*WORDS, *(f"##{letter}" for letter in "ab"), *"abcdefghij"]
    vocabulary = {token: index for index, token in enumerate([*order, *pieces])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(first, vocabulary[first]), (last, vocabulary[last])],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=pad,
        unk_token=unknown,
        cls_token=first,
        sep_token=last,
        model_max_length=1_000_000_000,
    )


_BERT_SPECIAL = ("[CLS]", "[PAD]", "[SEP]", "[UNK]")


def _clip() -> Any:
    vision = {**_VISION, "hidden_size": 24}
    return transformers.CLIPModel(
        transformers.CLIPConfig(text_config=_CLIP_TEXT, vision_config=vision, projection_dim=8)
    )


def _groupvit() -> Any:
    vision = {
        **_VISION,
        "hidden_size": 24,
        "depths": [1, 1, 2],
        "num_group_tokens": [6, 4, 0],
        "num_output_groups": [6, 4, 0],
        "num_hidden_layers": 4,
    }
    return transformers.GroupViTModel(
        transformers.GroupViTConfig(text_config=_CLIP_TEXT, vision_config=vision, projection_dim=8)
    )


def _flava() -> Any:
    text = {**_TEXT, "hidden_size": 16}
    return transformers.FlavaForPreTraining(
        transformers.FlavaConfig(
            text_config=text,
            image_config={**_VISION, "hidden_size": 16},
            multimodal_config={**SMALL, "hidden_size": 16, "num_hidden_layers": 2},
            image_codebook_config={"num_groups": 4, "hidden_size": 8, "vocab_size": 16},
            hidden_size=16,
            projection_dim=8,
        )
    )


def _swin() -> Any:
    # The last stage sees 8 x 8 positions in windows of 4: its second layer is shifted.
    return transformers.SwinModel(
        transformers.SwinConfig(
            image_size=64, patch_size=4, embed_dim=8, depths=[1, 2], num_heads=[1, 2], window_size=4
        )
    )


_MODELS: dict[str, Any] = {
    # A checkpoint of another head than the encoder, as most published ones are.
    "bert": lambda: transformers.BertForMaskedLM(transformers.BertConfig(**_TEXT)),
    "deep_bert": lambda: transformers.BertModel(
        transformers.BertConfig(**{**_TEXT, "hidden_size": 64, "num_hidden_layers": 12})
    ),
    "roberta": lambda: transformers.RobertaModel(transformers.RobertaConfig(**_TEXT)),
    "xlm-roberta": lambda: transformers.XLMRobertaForMaskedLM(
        transformers.XLMRobertaConfig(**_TEXT)
    ),
    "electra": lambda: transformers.ElectraForPreTraining(
        transformers.ElectraConfig(**_TEXT, embedding_size=8)
    ),
    "clip": _clip,
    "groupvit": _groupvit,
    "flava": _flava,
    "vilt": lambda: transformers.ViltModel(
        transformers.ViltConfig(**{**_VISION, **_TEXT}, max_image_length=-1)
    ),
    "visual_bert": lambda: transformers.VisualBertForPreTraining(
        transformers.VisualBertConfig(**_TEXT, visual_embedding_dim=24)
    ),
    "vit_mae": lambda: transformers.ViTMAEForPreTraining(
        transformers.ViTMAEConfig(
            **_VISION,
            decoder_hidden_size=8,
            decoder_num_hidden_layers=1,
            decoder_num_attention_heads=2,
            decoder_intermediate_size=16,
        )
    ),
    "swin": _swin,
    "resnet": lambda: transformers.ResNetModel(
        transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 24], depths=[1, 3], layer_type="bottleneck"
        )
    ),
}

_CLIP_PROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": SIDE},
    "crop_size": {"height": SIDE, "width": SIDE},
}
_IMAGE_PROCESSORS: dict[str, dict[str, Any]] = {
    "clip": _CLIP_PROCESSOR,
    "groupvit": _CLIP_PROCESSOR,
    "flava": {
        "image_processor_type": "FlavaImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE},
    },
    "vit_mae": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
    },
    "swin": {"image_processor_type": "ViTImageProcessor", "size": {"height": 64, "width": 64}},
    "resnet": {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 64},
        "crop_pct": 0.875,
    },
}
