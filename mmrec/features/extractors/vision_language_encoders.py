"""Vision-language models in two parts: frozen up to some block, and the blocks above it.

B pairs, P tokens, d width. Whatever order a model itself uses, tokens are those of the picture
first and those of the text behind them, so that padding is at the end. Masks are True where a
token is real.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mmrec.features.extractors.hub import WeightsError
from mmrec.features.extractors.last_blocks import LastBlocks, detach_last_blocks, drop_unused


class PairEncoder(Protocol):
    """The frozen part."""

    def __call__(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """States [B, P, d] of pixels [B, 3, height, width] and token ids with mask [B, T]."""
        ...


class TwoTowers(nn.Module):
    """CLIP and GroupViT: the towers do not meet; the narrower states are filled with zeros."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.image = model.vision_model
        self.text = model.text_model

    def forward(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """States [B, P, d] with d of the wider tower."""
        image = self.image(pixels).last_hidden_state
        text = self.text(input_ids=ids, attention_mask=mask).last_hidden_state
        return join_states(image, text)


class TwoTowersBlocks(nn.Module):
    """The last k blocks of both towers."""

    def __init__(self, image: LastBlocks, text: LastBlocks, widths: tuple[int, int]) -> None:
        super().__init__()
        self.image = image
        self.text = text
        self.widths = widths
        self.num_image_tokens = 0
        """Set by `tell_image_tokens`."""

    def parts(self, states: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Final states [B, P_image, d_image] and [B, P_text, d_text]."""
        count = self.num_image_tokens
        image = self.image(states[:, :count, : self.widths[0]])
        text_mask = None if mask is None else mask[:, count:]
        return image, self.text(states[:, count:, : self.widths[1]], text_mask)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Final states [B, P, d] of the states [B, P, d] that enter the blocks."""
        return join_states(*self.parts(states, mask))


class Vilt(nn.Module):
    """ViLT: one transformer over patches and words."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """States [B, P, d]."""
        embeddings = self.model.embeddings
        # The model itself draws its patches in random order, for batches of uneven pictures.
        patches = embeddings.patch_embeddings(pixels).flatten(2).transpose(1, 2)
        first = embeddings.cls_token.expand(len(pixels), -1, -1)
        image = torch.cat([first, patches], dim=1) + embeddings.position_embeddings
        found = self.model(
            input_ids=ids,
            attention_mask=mask,
            image_embeds=image,
            pixel_mask=mask.new_ones(image.shape[:2]),
        )
        return image_first(found.last_hidden_state, ids.shape[1])


class VisualBert(nn.Module):
    """VisualBERT: a BERT that reads the tokens of an image encoder behind the words."""

    def __init__(self, model: Any, visual: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.visual = visual

    def forward(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """States [B, P, d]."""
        found = self.model(input_ids=ids, attention_mask=mask, visual_embeds=self.visual(pixels))
        return image_first(found.last_hidden_state, ids.shape[1])


class Flava(nn.Module):
    """FLAVA: two encoders whose last states, before their norms, meet in a third."""

    def __init__(self, model: Any, *, fuse: bool) -> None:
        super().__init__()
        self.image = model.image_model
        self.text = model.text_model
        self.fusion = FlavaFusion(model) if fuse else None

    def forward(self, pixels: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """States [B, P, d]; fused ones begin with a token of their own."""
        image = self.image(pixels).last_hidden_state
        text = self.text(input_ids=ids, attention_mask=mask).last_hidden_state
        if self.fusion is None:
            return join_states(image, text)
        fused: Tensor = self.fusion(image, text, mask)
        return fused


class FlavaFusion(nn.Module):
    """The multimodal encoder of a FLAVA with the projections in front of it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.image = model.image_to_mm_projection
        self.text = model.text_to_mm_projection
        self.encoder = model.multimodal_model

    def forward(self, image: Tensor, text: Tensor, mask: Tensor | None) -> Tensor:
        """Fused states [B, P_image + P_text (+ 1), d]."""
        states = torch.cat([self.image(image), self.text(text)], dim=1)
        if mask is None:
            mask = torch.ones(text.shape[:2], device=text.device)
        in_front = states.shape[1] - mask.shape[1] + int(self.encoder.use_cls_token)
        mask = torch.cat([mask.new_ones(len(mask), in_front), mask], dim=1)
        fused: Tensor = self.encoder(states, attention_mask=mask).last_hidden_state
        return fused


class FlavaBlocks(nn.Module):
    """The last blocks of both encoders of a FLAVA and its whole fusion."""

    def __init__(self, towers: TwoTowersBlocks, fusion: FlavaFusion) -> None:
        super().__init__()
        self.towers = towers
        self.fusion = fusion

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Fused states; where the encoder has a token of its own, that is one more."""
        text_mask = None if mask is None else mask[:, self.towers.num_image_tokens :]
        fused: Tensor = self.fusion(*self.towers.parts(states, mask), text_mask)
        return fused


def split_towers(model: Any, below_last: int, name: str) -> tuple[TwoTowers, TwoTowersBlocks]:
    """A CLIP or GroupViT below and above the last blocks of both of its towers."""
    blocks = _detach_towers(model.vision_model, model.text_model, below_last, name)
    return TwoTowers(model), blocks


def split_vilt(model: Any, below_last: int, name: str) -> tuple[Vilt, LastBlocks]:
    """A ViLT below and above its last blocks."""
    drop_unused(model)
    blocks = detach_last_blocks(model, below_last, model=name)
    return Vilt(model), blocks


def split_visual_bert(
    model: Any, below_last: int, name: str, *, visual: nn.Module, visual_dim: int
) -> tuple[VisualBert, LastBlocks]:
    """A VisualBERT below and above its last blocks.

    Raises:
        WeightsError: it reads visual embeddings of another width, or reads them behind its blocks.
    """
    expected = model.config.visual_embedding_dim
    if visual_dim != expected:
        raise WeightsError(
            f"model '{name}': it reads visual embeddings of width {expected}, but those of "
            f"'visual' have {visual_dim}; choose another model or another 'visual'"
        )
    if model.config.bypass_transformer:
        raise WeightsError(
            f"model '{name}': its configuration leads the picture past the transformer "
            "(bypass_transformer); choose another model"
        )
    drop_unused(model)
    blocks = detach_last_blocks(model, below_last, model=name)
    return VisualBert(model, visual), blocks


def split_flava(model: Any, below_last: int, name: str) -> tuple[Flava, nn.Module]:
    """A FLAVA below and above its last blocks, counted from the top.

    First come the blocks of the fusion; what `below_last` has beyond them is taken off both the
    image and the text encoder.
    """
    fusion = model.multimodal_model
    drop_unused(fusion)
    num_fusion = len(fusion.encoder.layer)
    towers = _detach_towers(
        model.image_model, model.text_model, max(0, below_last - num_fusion), name
    )
    # What enters the fusion are the states before the norms of both encoders.
    model.image_model.layernorm = model.text_model.layernorm = nn.Identity()
    towers.image.norm = towers.text.norm = nn.Identity()
    if below_last > num_fusion:
        return Flava(model, fuse=False), FlavaBlocks(towers, FlavaFusion(model))
    blocks = detach_last_blocks(fusion, below_last, model=name)
    return Flava(model, fuse=True), blocks


def tell_image_tokens(blocks: nn.Module, count: int) -> None:
    """Tell blocks of two towers how many tokens are the picture's; others need not know."""
    towers = blocks.towers if isinstance(blocks, FlavaBlocks) else blocks
    if isinstance(towers, TwoTowersBlocks):
        towers.num_image_tokens = count


def _detach_towers(image: Any, text: Any, below_last: int, name: str) -> TwoTowersBlocks:
    for tower in (image, text):
        drop_unused(tower)
    return TwoTowersBlocks(
        detach_last_blocks(image, below_last, model=name),
        detach_last_blocks(text, below_last, model=name),
        (image.config.hidden_size, text.config.hidden_size),
    )


def image_first(states: Tensor, num_text: int) -> Tensor:
    """States [B, P, d] with the text's tokens moved behind the picture's."""
    return torch.cat([states[:, num_text:], states[:, :num_text]], dim=1)


def join_states(image: Tensor, text: Tensor) -> Tensor:
    """States [B, P_image + P_text, d], d the larger width; the narrower ones end in zeros."""
    width = max(image.shape[2], text.shape[2])
    parts = [nn.functional.pad(part, (0, width - part.shape[2])) for part in (image, text)]
    return torch.cat(parts, dim=1)
