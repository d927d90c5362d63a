"""Pairs of text and picture to the joint token states of a vision-language model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from mmrec.features.contract import (
    BlocksPlan,
    Fingerprint,
    FloatArray,
    TokenStates,
    canonical_json,
    text_digest,
    weights_digest,
)
from mmrec.features.extractors.canonical_batches import batch_sizes, full_batches
from mmrec.features.extractors.fitting import trying_pictures
from mmrec.features.extractors.hub import WeightsError
from mmrec.features.extractors.image_preparation import (
    Preparation,
    SquarePreparation,
    prepared_square,
)
from mmrec.features.extractors.transformer_model import (
    TransformerModel,
    check_max_length,
    check_vocabulary,
    libraries,
    load_preparation,
    load_tokenizer,
    load_transformer,
)
from mmrec.features.extractors.transformer_text_tokens import TextTokenizer
from mmrec.features.extractors.vision_language_encoders import (
    split_flava,
    split_towers,
    split_vilt,
    split_visual_bert,
    tell_image_tokens,
)
from mmrec.features.prefetch import prefetched

if TYPE_CHECKING:
    from mmrec.features.contract import TextImagePair
    from mmrec.features.extractors.transformer_image_tokens import TransformerImageTokensExtractor

MODELS: Final = ("clip", "groupvit", "vilt", "visual_bert", "flava")


class _Prepared(NamedTuple):
    row: int
    ids: list[int]
    pixels: Tensor


class VisionLanguageTokensExtractor:
    """A frozen vision-language model: the joint states of a picture's and a text's tokens.

    Tokens are those of the picture first, then those of the text, special ones included. Each
    model gets the text as its tokenizer cuts it, and of the picture:

    - CLIP: class token and patches; both towers apart. The states of the narrower tower end in
      zeros. The text tower's final norm is part of its final states, the image tower's is not.
    - GroupViT: the group tokens of the last stage; both towers apart, as for CLIP.
    - ViLT: class token and patches of the whole picture as a square, in their order.
    - VisualBERT: the tokens of another image encoder (`visual`), whose width must be the one the
      checkpoint was trained with: a ResNet-50 grid has 2048.
    - FLAVA: class token and patches; fused states begin with the fusion's own token.

    Blocks below which states are kept are those of either tower of a CLIP or GroupViT; of a
    FLAVA those of its fusion and, beyond them, as many of either encoder.
    """

    level: Literal["tokens"] = "tokens"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        tokenizer: str | None,
        below_last: int,
        lowercase: bool,
        max_length: int,
        preparation: Preparation | None,
        visual: TransformerImageTokensExtractor | None,
        device: str,
    ) -> None:
        """Load the model; `VisionLanguageTokensParams` says what the arguments mean.

        Raises:
            WeightsError: the model cannot be loaded, is none of these, or has not that many
                blocks or positions.
        """
        loaded = load_transformer(model, revision)
        self._encoder, self.last_blocks = _split(loaded.module, below_last, model, visual)
        loaded.check_complete(self._encoder, self.last_blocks)
        self._preparation = preparation or _own_preparation(loaded.module, model, revision, visual)
        own = load_tokenizer(tokenizer or model, None if tokenizer else revision)
        reader = getattr(loaded.module, "text_model", loaded.module)
        check_max_length(reader, own, max_length, model=model)
        check_vocabulary(reader, own, model=model)
        self._tokenizer = TextTokenizer(own, lowercase=lowercase, max_length=max_length)
        self._device = torch.device(device)
        self._encoder.to(device)
        self.libraries: Mapping[str, str] = libraries()
        blank = self._preparation.apply(Image.new("RGB", (64, 64)))
        with trying_pictures(model):
            probe = self._forward([_Prepared(0, self._ids(""), blank)])
        self.dim = int(probe.shape[2])
        self.num_image_tokens = int(probe.shape[1]) - max_length
        """Tokens in front of those of the text; the same for every pair."""
        tell_image_tokens(self.last_blocks, self.num_image_tokens)
        self.blocks_plan = BlocksPlan("pair", below_last, loaded.config, self.num_image_tokens)
        self.fingerprint = self._fingerprint(loaded, below_last, visual)

    def _fingerprint(
        self,
        loaded: TransformerModel,
        below_last: int,
        visual: TransformerImageTokensExtractor | None,
    ) -> Fingerprint:
        return Fingerprint(
            extractor="vision_language_tokens",
            version=1,
            model=loaded.label,
            architecture=text_digest(
                canonical_json(
                    [loaded.architecture, visual.fingerprint.architecture if visual else None]
                )
            ),
            weights=weights_digest(self._encoder.state_dict().items()),
            preprocessing=canonical_json([self._tokenizer.settings(), self._preparation.settings]),
            pooling=canonical_json(
                {
                    "below_last": below_last,
                    "image_tokens": self.num_image_tokens,
                    "visual": visual.fingerprint.pooling if visual else None,
                }
            ),
            normalize=False,
            dim=self.dim,
        )

    def encode(self, contents: Iterable[TextImagePair]) -> TokenStates:
        """States of the pairs' tokens, in order; decodes no more than it needs."""
        size = batch_sizes(self._device).images
        states: dict[int, FloatArray] = {}
        # Texts that fill the maximum length have no padding and are kept among themselves.
        waiting: dict[bool, list[_Prepared]] = {True: [], False: []}
        pairs = prefetched(self._pixels, contents, ahead=2 * size)
        for row, (text, pixels) in enumerate(pairs):
            prepared = _Prepared(row, self._ids(text), pixels)
            group = waiting[len(prepared.ids) == self._tokenizer.max_length]
            group.append(prepared)
            if len(group) == size:
                self._encode_group(group, size, states)
                group.clear()
        for group in waiting.values():
            if group:
                self._encode_group(group, size, states)
        return TokenStates.of([states[row] for row in range(len(states))], self.dim)

    def _pixels(self, pair: TextImagePair) -> tuple[str, Tensor]:
        return pair[0], self._preparation.apply(pair[1])

    def _ids(self, text: str) -> list[int]:
        ids, _ = self._tokenizer([text])
        return ids[0]

    def _encode_group(
        self, group: list[_Prepared], size: int, states: dict[int, FloatArray]
    ) -> None:
        rows, num_real = next(full_batches(np.arange(len(group)), size))
        found = self._forward([group[row] for row in rows])
        for pair, whole in zip(group, found[:num_real], strict=True):
            # A copy: a view would keep the padding in memory.
            states[pair.row] = whole[: self.num_image_tokens + len(pair.ids)].copy()

    @torch.inference_mode()
    def _forward(self, group: list[_Prepared]) -> FloatArray:
        ids, mask = self._tokenizer.batch([pair.ids for pair in group], self._tokenizer.max_length)
        pixels = torch.stack([pair.pixels for pair in group])
        found = self._encoder(pixels.to(self._device), ids.to(self._device), mask.to(self._device))
        # [B, P, d]
        array: FloatArray = found.float().cpu().numpy()
        return array


def _split(
    module: Any, below_last: int, model: str, visual: TransformerImageTokensExtractor | None
) -> tuple[nn.Module, nn.Module]:
    kind = module.config.model_type
    if (visual is None) == (kind == "visual_bert"):
        found, do = ("none", "set it") if visual is None else ("one", "set it to null")
        raise WeightsError(
            f"model '{model}': a {kind} needs {'a' if visual is None else 'no'} 'visual', "
            f"found {found}; {do}"
        )
    if visual is not None:
        return split_visual_bert(
            module, below_last, model, visual=visual.encoder, visual_dim=visual.dim
        )
    match kind:
        case "clip" | "groupvit":
            return split_towers(module, below_last, model)
        case "vilt":
            return split_vilt(module, below_last, model)
        case "flava":
            return split_flava(module, below_last, model)
        case _:
            raise WeightsError(
                f"model '{model}': its config.json says {kind}, expected one of: "
                f"{', '.join(MODELS)}; choose another model"
            )


def _own_preparation(
    module: Any,
    model: str,
    revision: str | None,
    visual: TransformerImageTokensExtractor | None,
) -> Preparation:
    if visual is not None:
        return visual.preparation
    if module.config.model_type == "vilt":
        # Its own way keeps the shape of a picture, and with it the number of patches varies.
        half = (0.5, 0.5, 0.5)
        return prepared_square(
            SquarePreparation(module.config.image_size, "squash", "bicubic", half, half)
        )
    return load_preparation(model, revision)
