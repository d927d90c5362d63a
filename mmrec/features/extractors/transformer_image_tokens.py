"""Pictures to the token states of any transformers image encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from PIL import Image
from torch import Tensor, nn

from mmrec.features.contract import (
    BlocksPlan,
    Fingerprint,
    FloatArray,
    TokenStates,
    weights_digest,
)
from mmrec.features.extractors.canonical_batches import batch_sizes, encoded_pictures
from mmrec.features.extractors.fitting import trying_pictures
from mmrec.features.extractors.last_blocks import (
    LastBlocks,
    anatomy_of,
    detach_last_blocks,
    drop_unused,
    image_tower,
    layer_spec,
)
from mmrec.features.extractors.patch_masking import (
    PatchMasking,
    check_maskable,
    mae_states,
    masked_clip_states,
)
from mmrec.features.extractors.transformer_model import (
    TransformerModel,
    libraries,
    load_preparation,
    load_transformer,
)

if TYPE_CHECKING:
    from mmrec.features.extractors.image_preparation import Preparation


class PatchEncoder(nn.Module):
    """Pixels to token states; every picture gives the same number of tokens."""

    def __init__(self, encoder: Any, *, first_token: int, masking: PatchMasking | None) -> None:
        super().__init__()
        self.encoder = encoder
        self._first_token = first_token
        self._masking = masking
        self._is_mae = encoder.config.model_type == "vit_mae"
        if self._is_mae:
            # By itself it hides a random three quarters of the patches, even in eval mode.
            encoder.config.mask_ratio = 0.0 if masking is None else masking.share

    def forward(self, pixels: Tensor) -> Tensor:
        """States [B, P, d] of pixels [B, 3, height, width]; of a feature map row by row."""
        if self._is_mae:
            states = mae_states(self.encoder, pixels, self._masking)
        elif self._masking is not None:
            states = masked_clip_states(self.encoder, pixels, self._masking)
        else:
            states = self.encoder(pixels).last_hidden_state
        if states.ndim == 4:
            # [B, d, height, width] to [B, height * width, d]
            states = states.flatten(2).transpose(1, 2)
        kept: Tensor = states[:, self._first_token :]
        return kept


class TransformerImageTokensExtractor:
    """A frozen image encoder: states of patches or grid positions, final or below its last blocks.

    The last blocks of a Swin are the layers of its last stage, those of a ResNet the bottlenecks
    of its last stage.
    """

    level: Literal["tokens"] = "tokens"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        below_last: int,
        special_tokens: bool,
        masking: PatchMasking | None,
        preparation: Preparation | None,
        device: str,
    ) -> None:
        """Load the model.

        Args:
            model: hub id, folder or `package:<module>`; of a CLIP, GroupViT or FLAVA the image
                tower is taken.
            revision: branch, tag or commit of a hub id.
            below_last: 0 for final states, k for the input of the last k blocks.
            special_tokens: keep the state of the class token, where there is one.
            masking: which patches are hidden; None hides none.
            preparation: how pictures become tensors; None is the model's own way.
            device: torch device.

        Raises:
            WeightsError: the model cannot be loaded, has not that many blocks, or cannot be masked.
        """
        loaded = load_transformer(model, revision)
        encoder = image_tower(loaded.module)
        drop_unused(encoder)
        if masking is not None:
            check_maskable(encoder, masking, model=model)
        anatomy = anatomy_of(encoder)
        first_token = anatomy.num_special if anatomy and not special_tokens else 0
        self.last_blocks: LastBlocks = detach_last_blocks(encoder, below_last, model=model)
        loaded.check_complete(encoder, self.last_blocks)
        self.preparation = preparation or load_preparation(model, revision)
        patches = PatchEncoder(encoder, first_token=first_token, masking=masking)
        self.encoder = patches.to(device)
        self._device = torch.device(device)
        self.libraries: Mapping[str, str] = libraries()
        with trying_pictures(model):
            probe = self._forward(self.preparation.apply(Image.new("RGB", (64, 64)))[None])
        self.num_tokens, self.dim = map(int, probe.shape[1:])
        self.blocks_plan = BlocksPlan("image", below_last, loaded.config, num_image_tokens=0)
        hidden = None if masking is None else masking.settings()
        spec = layer_spec(below_last, special_tokens=special_tokens, masking=hidden)
        self.fingerprint = self._fingerprint(loaded, spec)

    def _fingerprint(self, loaded: TransformerModel, spec: str) -> Fingerprint:
        return Fingerprint(
            extractor="transformer_image_tokens",
            version=1,
            model=loaded.label,
            architecture=loaded.architecture,
            weights=weights_digest(self.encoder.state_dict().items()),
            preprocessing=self.preparation.settings,
            pooling=spec,
            normalize=False,
            dim=self.dim,
        )

    def encode(self, contents: Iterable[Image.Image]) -> TokenStates:
        """States of the pictures' tokens, in order; decodes no more than it needs."""
        size = batch_sizes(self._device).images
        batches = encoded_pictures(contents, self.preparation.apply, self._forward, size)
        states = [one for batch in batches for one in batch]
        return TokenStates.of(states, self.dim)

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> FloatArray:
        # [B, P, d]
        array: FloatArray = self.encoder(pixels.to(self._device)).float().cpu().numpy()
        return array
