"""Last blocks beside the states that enter them: written with the model at hand, built without it.

A run that trains them reads their weights, some megabytes, and never those of the blocks below.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mmrec.atomic import atomic_path
from mmrec.features.contract import BlocksPlan, Fingerprint
from mmrec.features.extractors.last_blocks import (
    detach_last_blocks,
    drop_unused,
    image_tower,
    text_tower,
)
from mmrec.features.extractors.vision_language_encoders import (
    split_flava,
    split_towers,
    tell_image_tokens,
)
from mmrec.features.parts import open_parts
from mmrec.io import DataError, read_json, write_json
from mmrec.torchvision_schemas import define_missing_operators

WEIGHTS: Final = "last_blocks.safetensors"
PLAN: Final = "last_blocks.json"
_REMEDY: Final = "run the embed stage of this feature again"


@dataclass(frozen=True)
class KeptPlan(BlocksPlan):
    """A plan, and which states its blocks belong to."""

    states: str
    """Digest of their fingerprint."""


def write_last_blocks(
    blocks: nn.Module, plan: BlocksPlan, fingerprint: Fingerprint, folder: Path
) -> None:
    """Write blocks into the folder of the states that enter them.

    Args:
        blocks: taken off a model.
        plan: how they can be built without it.
        fingerprint: of the states as they are kept.
        folder: of the feature.
    """
    # Buffers, too, whether a checkpoint would hold them or not: nothing is to be computed anew.
    tensors = {name: one.detach().cpu().contiguous() for name, one in _tensors(blocks).items()}
    with atomic_path(folder / WEIGHTS) as path:
        save_file(tensors, path)
    write_json({**asdict(plan), "states": fingerprint.digest()}, folder / PLAN)


def has_blocks(folder: Path) -> bool:
    """Whether the states of a feature enter blocks, or are the final ones."""
    return (folder / PLAN).is_file()


def build_last_blocks(folder: Path) -> nn.Module:
    """The last blocks that belong to the states of a feature, to be trained.

    Args:
        folder: of the feature.

    Returns:
        `(states [B, P, d], mask [B, P] or None) -> final states`, as published; in training
        mode, with whatever dropout the architecture has.

    Raises:
        DataError: there are none, for the states are final ones; or they are not those of these
            states, damaged, or of another version of the library.
    """
    if not has_blocks(folder):
        raise DataError(
            f"{folder}: no {PLAN}: its states are the final ones of a model (below_last is 0), so "
            "there is no block to train; embed with below_last above 0, or train nothing below"
        )
    kept = KeptPlan(**read_json(folder / PLAN, KeptPlan))
    if kept.states != sha256(open_parts(folder, level="tokens").fingerprint).hexdigest():
        raise DataError(f"{folder / PLAN}: belongs to other states than those beside it; {_REMEDY}")
    blocks = _without_weights(kept)
    _fill(blocks, folder / WEIGHTS)
    return blocks.train()


def _without_weights(plan: BlocksPlan) -> nn.Module:
    # transformers imports torchvision as soon as it is installed.
    define_missing_operators()
    from transformers import AutoConfig, AutoModel

    auto: Any = AutoModel
    config = AutoConfig.for_model(**plan.config)
    # Tensors of no content: what lies below takes neither memory nor time, nor random numbers.
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        model = auto.from_config(config)
    return _take(model, plan)


def _take(model: Any, plan: BlocksPlan) -> nn.Module:
    """The last blocks of a model, as its extractor takes them off."""
    kind, count = str(model.config.model_type), plan.below_last
    if plan.input == "pair" and kind in {"clip", "groupvit"}:
        blocks: nn.Module = split_towers(model, count, kind)[1]
    elif plan.input == "pair" and kind == "flava":
        blocks = split_flava(model, count, kind)[1]
    else:
        towers = {"text": text_tower, "image": image_tower}
        encoder = towers[plan.input](model) if plan.input in towers else model
        drop_unused(encoder)
        blocks = detach_last_blocks(encoder, count, model=kind)
    tell_image_tokens(blocks, plan.num_image_tokens)
    return blocks


def _fill(blocks: nn.Module, path: Path) -> None:
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}); {_REMEDY}") from None
    expected = _tensors(blocks)
    shapes = {name: tuple(one.shape) for name, one in expected.items()}
    if shapes != {name: tuple(one.shape) for name, one in found.items()}:
        differing = sorted(
            name
            for name in {*shapes, *found}
            if name not in found or name not in shapes or shapes[name] != tuple(found[name].shape)
        )
        raise DataError(
            f"{path}: {len(differing)} tensors are not those of the architecture in the installed "
            f"transformers (first: '{differing[0]}'); {_REMEDY}"
        )
    for name, tensor in found.items():
        owner, _, leaf = name.rpartition(".")
        is_parameter = isinstance(expected[name], nn.Parameter)
        setattr(blocks.get_submodule(owner), leaf, nn.Parameter(tensor) if is_parameter else tensor)


def _tensors(blocks: nn.Module) -> dict[str, Tensor]:
    return {**dict(blocks.named_parameters()), **dict(blocks.named_buffers())}
