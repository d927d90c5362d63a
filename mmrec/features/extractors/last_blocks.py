"""An encoder in two parts: what is frozen and cached, and the last blocks that are trained.

B contents, P tokens, d width. Masks are True where a token is real.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

import torch
from torch import Tensor, nn

from mmrec.features.contract import canonical_json
from mmrec.features.extractors.hub import WeightsError

BlockKind: TypeAlias = Literal["bidirectional", "causal", "window", "grid"]


@dataclass(frozen=True)
class Anatomy:
    """Where an architecture keeps its blocks, and how they are called."""

    kind: BlockKind
    blocks: str
    """Path of the module list; of a staged encoder the last stage."""
    norm: str | None = None
    """Path of the norm behind the last block, which belongs to the final states."""
    unused: tuple[str, ...] = ()
    """Parts that token states do not pass, which a checkpoint may lack."""
    num_special: int = 0
    """Class tokens in front of the patches of an image encoder."""


_BERT: Final = Anatomy("bidirectional", "encoder.layer", unused=("pooler",))
_CLIP_TEXT: Final = Anatomy("causal", "encoder.layers", norm="final_layer_norm")
_FLAVA: Final = Anatomy("bidirectional", "encoder.layer", norm="layernorm", unused=("pooler",))

ANATOMIES: Final[dict[str, Anatomy]] = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "electra": _BERT,
    "visual_bert": _BERT,
    "clip_text_model": _CLIP_TEXT,
    "groupvit_text_model": _CLIP_TEXT,
    # Published code reads the states before the norm, which is meant for the class token alone.
    "clip_vision_model": Anatomy(
        "bidirectional", "encoder.layers", unused=("post_layernorm",), num_special=1
    ),
    "groupvit_vision_model": Anatomy("bidirectional", "encoder.stages.-1.layers", norm="layernorm"),
    "vit_mae": Anatomy("bidirectional", "layers", norm="layernorm", num_special=1),
    "vilt": Anatomy("bidirectional", "encoder.layer", norm="layernorm", unused=("pooler",)),
    "flava_text_model": _FLAVA,
    "flava_image_model": _FLAVA,
    "flava_multimodal_model": _FLAVA,
    "swin": Anatomy("window", "encoder.layers.-1.blocks", norm="layernorm", unused=("pooler",)),
    "resnet": Anatomy("grid", "encoder.stages.-1.layers", unused=("pooler",)),
}
"""By `model_type` of the configuration."""


class LastBlocks(nn.Module):
    """The last k blocks of an encoder and the norm behind them.

    Applied to the states that enter them, they give the final states of the whole model. With
    k = 0 and no norm nothing changes. ResNet's first bottleneck of a stage halves the grid.

    Batch norms keep the means and variances they came with, in training, too: else the states of a
    content would depend on what else is in its batch, and blocks that are not trained would move.
    """

    def __init__(self, kind: BlockKind, blocks: list[nn.Module], norm: nn.Module) -> None:
        super().__init__()
        self.kind = kind
        self.blocks = nn.ModuleList(blocks)
        self.norm = norm

    def train(self, mode: bool = True) -> Self:
        """As of any module, but for batch norms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Final states.

        Args:
            states: [B, P, d] input of the blocks.
            mask: [B, P]; None where every token is real.

        Returns:
            States [B, P, d]; for a grid that the blocks shrink, fewer and wider ones.
        """
        match self.kind:
            case "grid":
                states = self._over_grid(states)
            case "window":
                grid = _grid(states)
                for block in self.blocks:
                    states = _first(block(states, grid))
            case _:
                bias = attention_bias(states, mask, causal=self.kind == "causal")
                for block in self.blocks:
                    states = _first(block(states, bias))
        normed: Tensor = self.norm(states)
        return normed

    def _over_grid(self, states: Tensor) -> Tensor:
        # [B, d, height, width]
        maps = states.transpose(1, 2).reshape(len(states), -1, *_grid(states))
        for block in self.blocks:
            maps = _first(block(maps))
        # [B, P', d']
        return maps.flatten(2).transpose(1, 2)


def attention_bias(states: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor | None:
    """What attention adds to its scores: [B, 1, 1 or P, P], or None where nothing is hidden."""
    length = states.shape[1]
    allowed = None if mask is None else mask[:, None, None, :].bool()
    if causal:
        earlier = torch.ones(length, length, dtype=torch.bool, device=states.device).tril()
        allowed = earlier[None, None] if allowed is None else earlier & allowed
    if allowed is None:
        return None
    lowest = torch.finfo(states.dtype).min
    return torch.zeros_like(allowed, dtype=states.dtype).masked_fill(~allowed, lowest)


def layer_spec(
    below_last: int, *, special_tokens: bool, masking: Mapping[str, object] | None = None
) -> str:
    """Which states of which tokens, as JSON, for fingerprints."""
    spec: dict[str, object] = {"below_last": below_last, "special_tokens": special_tokens}
    # Where nothing is hidden nothing is said: so it was before anything could be.
    return canonical_json(spec if masking is None else {**spec, "masking": masking})


def anatomy_of(encoder: Any) -> Anatomy | None:
    """What is known of the architecture; None of one whose blocks are not."""
    return ANATOMIES.get(encoder.config.model_type)


def text_tower(module: Any) -> Any:
    """The text encoder of a model of text and image; any other model itself."""
    return getattr(module, "text_model", module)


def image_tower(module: Any) -> Any:
    """The image encoder of a model of text and image; any other model itself."""
    for name in ("vision_model", "image_model"):
        if hasattr(module, name):
            return getattr(module, name)
    return module


def drop_unused(encoder: Any) -> None:
    """Take off the parts that token states do not pass."""
    anatomy = anatomy_of(encoder)
    for name in anatomy.unused if anatomy else ("pooler",):
        if getattr(encoder, name, None) is not None:
            setattr(encoder, name, nn.Identity())


def detach_last_blocks(encoder: Any, below_last: int, *, model: str) -> LastBlocks:
    """Take the last blocks off an encoder, whose output then is their input.

    Args:
        encoder: a transformers encoder; changed in place.
        below_last: how many blocks; with 0 the final norm stays where it is, too.
        model: as the user named it, for messages.

    Raises:
        WeightsError: the encoder has not that many blocks, or its blocks are not known.
    """
    anatomy = anatomy_of(encoder)
    if below_last == 0:
        return LastBlocks("bidirectional", [], nn.Identity())
    kind = encoder.config.model_type
    if anatomy is None:
        raise WeightsError(
            f"model '{model}': below_last is {below_last}, but where a {kind} keeps its blocks is "
            f"not known; set below_last to 0 or choose one of: {', '.join(sorted(ANATOMIES))}"
        )
    parent, name = _parent(encoder, anatomy.blocks)
    blocks = list(getattr(parent, name))
    if below_last > len(blocks):
        where = "its last stage" if "-1" in anatomy.blocks else "the model"
        raise WeightsError(
            f"model '{model}': below_last is {below_last}, but {where} has {len(blocks)} blocks; "
            f"set below_last to 0..{len(blocks)}"
        )
    setattr(parent, name, getattr(parent, name)[:-below_last])
    norm: nn.Module = nn.Identity()
    if anatomy.norm is not None:
        norm = getattr(encoder, anatomy.norm)
        setattr(encoder, anatomy.norm, nn.Identity())
    return LastBlocks(anatomy.kind, blocks[-below_last:], norm)


def _parent(encoder: Any, path: str) -> tuple[Any, str]:
    *steps, name = path.split(".")
    for step in steps:
        encoder = encoder[int(step)] if step.lstrip("-").isdigit() else getattr(encoder, step)
    return encoder, name


def _first(output: Any) -> Tensor:
    """Blocks of some architectures return their attention weights, too."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states


def _grid(states: Tensor) -> tuple[int, int]:
    side = math.isqrt(states.shape[1])
    if side * side != states.shape[1]:
        raise ValueError(f"found {states.shape[1]} grid positions, expected those of a square")
    return side, side
