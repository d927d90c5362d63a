"""Encoders of published sizes with random weights, whole and in two parts, and what they read.

Shapes: c contents, P tokens of each, d width, D embedding_dim; n items asked for.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn

from mmrec.features.extractors.last_blocks import LastBlocks, detach_last_blocks, drop_unused
from mmrec.models.items.tokens import TokenMap
from mmrec.nn.merge_attention import RaggedTokens
from mmrec.params.training import Modality
from mmrec.torchvision_schemas import define_missing_operators

VOCABULARY = 1000
"""Of the texts: a look-up is as long in a larger one."""
TUNED = 2
"""Blocks that are trained, the highest."""
AT_ONCE = 64
"""Contents led through the lower blocks together, to make states."""


def build_encoder(
    modality: Modality, *, width: int, layers: int, heads: int, tokens: int, patch: int
) -> Any:
    """A RoBERTa for texts of so many tokens, or a CLIP ViT for pictures of as many patches and one.

    Args:
        modality: text or image.
        width: of a state; the feed-forward nets are four times as wide.
        layers: blocks.
        heads: of each.
        tokens: of a content.
        patch: side of a patch in pixels.
    """
    define_missing_operators()
    from transformers import CLIPVisionConfig, CLIPVisionModel, RobertaConfig, RobertaModel

    sizes: dict[str, Any] = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
    }
    if modality == "text":
        config = RobertaConfig(**sizes, vocab_size=VOCABULARY, max_position_embeddings=tokens + 2)
        encoder: Any = RobertaModel(config, add_pooling_layer=False)
    else:
        side = patch * round((tokens - 1) ** 0.5)
        encoder = CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=side, patch_size=patch))
    drop_unused(encoder)
    return encoder.eval()


def draw_contents(modality: Modality, encoder: Any, count: int, tokens: int) -> Tensor:
    """Token ids [c, P], all of them real; or pixels [c, 3, side, side]."""
    generator = torch.Generator().manual_seed(1)
    if modality == "text":
        return torch.randint(4, VOCABULARY, (count, tokens), generator=generator)
    side = encoder.config.image_size
    return torch.randn(count, 3, side, side, generator=generator)


def in_two(encoder: Any) -> tuple[Any, LastBlocks]:
    """A copy of what lies below the last blocks, and a copy of these."""
    below = deepcopy(encoder)
    return below, detach_last_blocks(below, TUNED, model="simulated")


@torch.inference_mode()
def states_of(encoder: Any, contents: Tensor) -> Tensor:
    """[c, P, d]."""
    parts = [encoder(part).last_hidden_state for part in torch.split(contents, AT_ONCE)]
    return torch.cat(parts)


class WholeTokens(nn.Module):
    """Tokens of one modality by a whole encoder, which reads contents anew in each step.

    It stands where `ItemTokens` stands, and trains the same blocks: those below are without
    gradient and without dropout. A content is encoded once, however often a batch has its item.

    Args:
        encoder: copied.
        contents: of the items that have one, in their order.
        place: [N] which content an item has.
        projection: to [c * P, D].
        below: the blocks below are trained, too.
    """

    def __init__(
        self,
        encoder: Any,
        contents: Tensor,
        place: Tensor,
        projection: TokenMap,
        *,
        below: bool,
    ) -> None:
        super().__init__()
        self.encoder = deepcopy(encoder).requires_grad_(below)
        self.projection = projection
        self._contents, self._place, self._below = contents, place, below
        inner = self.encoder.encoder
        self._tuned: list[nn.Module] = list(getattr(inner, "layer", None) or inner.layers)[-TUNED:]
        for block in self._tuned:
            block.requires_grad_(requires_grad=True)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of what is trained."""
        super().train(mode)
        if not self._below:
            self.encoder.eval()
            for block in self._tuned:
                block.train(mode)
        return self

    def tuned(self) -> dict[str, nn.Parameter]:
        """Of its highest blocks, by the names that last blocks have beside states."""
        return {
            f"blocks.{number}.{name}": value
            for number, block in enumerate(self._tuned)
            for name, value in block.named_parameters()
        }

    def forward(self, items: Tensor) -> RaggedTokens:
        """Tokens of the items [n]."""
        states = self.encoder(self._contents[self._place[items]]).last_hidden_state  # [c, P, d]
        counts = torch.full_like(items, states.shape[1])
        return RaggedTokens(self.projection.output(states.flatten(0, 1)), counts)
