"""Which patches of a picture an encoder sees, as a masked autoencoder is trained to.

B pictures, P patches, K visible ones, d width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from mmrec.features.extractors.hub import WeightsError

MASKABLE: Final = ("vit_mae", "clip_vision_model")
"""By `model_type` of the configuration."""


@dataclass(frozen=True)
class PatchMasking:
    """A share of the patches hidden at random.

    What is drawn depends on the seed and on the picture as it was prepared: never on what else is
    encoded, in whatever order.
    """

    share: float
    """Of the patches that are hidden, in (0, 1)."""
    seed: int

    def settings(self) -> dict[str, Any]:
        """Everything that decides what is hidden, for fingerprints."""
        return asdict(self)

    def num_visible(self, num_patches: int) -> int:
        """How many patches are left, rounded down as ViT-MAE does."""
        return int(num_patches * (1 - self.share))

    def visible(self, pixels: Tensor, num_patches: int) -> Tensor:
        """Places [B, K] of the patches that pictures [B, 3, height, width] keep, ascending."""
        count = self.num_visible(num_patches)
        drawn = [self._order(picture, num_patches)[:count] for picture in pixels.cpu().numpy()]
        return torch.from_numpy(np.sort(np.stack(drawn), axis=1)).to(pixels.device)

    def _order(self, picture: np.ndarray[Any, Any], num_patches: int) -> np.ndarray[Any, Any]:
        digest = blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=16).digest()
        generator = np.random.default_rng([self.seed, int.from_bytes(digest, "little")])
        return generator.permutation(num_patches)


def check_maskable(encoder: Any, masking: PatchMasking, *, model: str) -> None:
    """Refuse to mask what does not read patches one by one, and to hide all of them.

    Raises:
        WeightsError: says what can be masked, or how many patches there are.
    """
    kind = encoder.config.model_type
    if kind not in MASKABLE:
        raise WeightsError(
            f"model '{model}': patches of a {kind} cannot be masked, only those of a ViT-MAE or of "
            "a CLIP's ViT; set masking to null, or choose such a model"
        )
    patches = num_patches(encoder)
    if masking.num_visible(patches) == 0:
        raise WeightsError(
            f"model '{model}': masking hides a share of {masking.share} of {patches} patches, "
            "which leaves none; lower masking.share"
        )


def num_patches(encoder: Any) -> int:
    """Patches of a picture, as one of `MASKABLE` cuts it."""
    embeddings = encoder.embeddings
    # ViT-MAE counts them in the layer that cuts them, CLIP in the one around it.
    return int(getattr(embeddings, "num_patches", 0) or embeddings.patch_embeddings.num_patches)


def mae_states(encoder: Any, pixels: Tensor, masking: PatchMasking | None) -> Tensor:
    """States [B, 1 + K, d] of class token and visible patches of a ViT-MAE; None hides nothing.

    How many it hides is in its configuration.
    """
    patches = num_patches(encoder)
    # The model's own masking keeps the patches of the least noise, in the order of their noise.
    noise = torch.arange(patches).to(pixels).expand(len(pixels), -1)
    if masking is not None:
        hidden = torch.ones_like(noise).scatter(1, masking.visible(pixels, patches), 0)
        noise = noise + patches * hidden
    states: Tensor = encoder(pixels, noise=noise).last_hidden_state
    return states


def masked_clip_states(encoder: Any, pixels: Tensor, masking: PatchMasking) -> Tensor:
    """States [B, 1 + K, d] of class token and visible patches of a CLIP's ViT."""
    states = encoder.pre_layrnorm(encoder.embeddings(pixels))
    visible = masking.visible(pixels, num_patches(encoder))
    kept = torch.nn.functional.pad(visible + 1, (1, 0))  # the class token is the first
    # [B, 1 + K, d]
    states = states.gather(1, kept[..., None].expand(-1, -1, states.shape[2]))
    found: Tensor = encoder.encoder(inputs_embeds=states).last_hidden_state
    return found
