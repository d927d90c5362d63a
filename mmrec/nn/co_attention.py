"""Text tokens and image tokens of items in, one vector per item out: each attends to the other.

Shapes: n items, r tokens of a modality; T text tokens and U image tokens, at least one of each for
every item; b items of a group, l text tokens and k image tokens of its longest; H heads, d width
of a head, D embedding_dim.

What treats tokens one by one costs as much as there are tokens. Attention pads items together that
are similar in both lengths.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmrec.nn.attention import check_num_heads, split_heads, two_way_attention
from mmrec.nn.dropout import dropout
from mmrec.nn.merge_attention import RaggedTokens, interleaved, mean_of_tokens
from mmrec.nn.packing import Packing
from mmrec.nn.transformer import LAYER_NORM_EPS, SelfAttention, TransformerLayer, initialise

NUM_MODALITIES = 2

Packings = tuple[Packing, Packing]


class CrossAttention(nn.Module):
    """Multi-head attention of each item's text to its image, and back, by the same maps."""

    def __init__(self, embedding_dim: int, num_heads: int, attention_dropout: float) -> None:
        super().__init__()
        check_num_heads(embedding_dim, num_heads)
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.query_key_value = nn.Linear(embedding_dim, 3 * embedding_dim)
        self.output = nn.Linear(embedding_dim, embedding_dim)

    def forward(self, text: Tensor, image: Tensor, packings: Packings) -> tuple[Tensor, Tensor]:
        """What text finds in the image, and the image in text.

        Args:
            text: [1, T, D].
            image: [1, U, D].
            packings: of text and image, their groups being the same items.

        Returns:
            [1, T, D] and [1, U, D].
        """
        texts = packings[0].split(self.query_key_value(text))
        images = packings[1].split(self.query_key_value(image))
        groups = zip(packings[0].groups, packings[1].groups, texts, images, strict=True)
        from_image, from_text = [], []
        for text_group, image_group, text_part, image_part in groups:
            in_text = split_heads(text_group.pad(text_part), self.num_heads)  # 3 x [b, H, l, d]
            in_image = split_heads(image_group.pad(image_part), self.num_heads)  # 3 x [b, H, k, d]
            found = self._attend(in_text, in_image, image_group.real)  # [b, l, D]
            from_image.append(text_group.unpad(found))
            found = self._attend(in_image, in_text, text_group.real)  # [b, k, D]
            from_text.append(image_group.unpad(found))
        return self.output(torch.cat(from_image, dim=1)), self.output(torch.cat(from_text, dim=1))

    def _attend(
        self, own: tuple[Tensor, ...], other: tuple[Tensor, ...], other_real: Tensor | None
    ) -> Tensor:
        """Own queries to the other's keys and values; [b, l, D] where own are 3 x [b, H, l, d]."""
        (query, *_), (_, key, value) = own, other
        drop = self.attention_dropout if self.training else 0.0
        attended = two_way_attention(query, key, value, real=other_real, drop=drop)
        return attended.transpose(1, 2).flatten(2)


class CoAttentionBlock(nn.Module):
    """Cross-attention in both directions at once, then a transformer layer for each modality.

    The cross-attention's maps and layer norm are shared by both directions.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        num_heads: int,
        feedforward_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.cross_attention = CrossAttention(embedding_dim, num_heads, attention_dropout)
        self.cross_norm = nn.LayerNorm(embedding_dim, eps=norm_eps)
        self.text, self.image = (
            TransformerLayer(
                SelfAttention(embedding_dim, num_heads, attention_dropout, direction="both"),
                embedding_dim=embedding_dim,
                feedforward_dim=feedforward_dim,
                dropout=dropout,
                activation="gelu",
                norm_eps=norm_eps,
            )
            for _ in range(NUM_MODALITIES)
        )

    def forward(self, text: Tensor, image: Tensor, packings: Packings) -> tuple[Tensor, Tensor]:
        """Transform; [1, T, D] and [1, U, D] -> the same shapes."""
        from_image, from_text = self.cross_attention(text, image, packings)
        text = self.cross_norm(text + self._dropped(from_image))
        image = self.cross_norm(image + self._dropped(from_text))
        return self.text(text, packings[0], None), self.image(image, packings[1], None)

    def _dropped(self, states: Tensor) -> Tensor:
        return dropout(states, self.dropout, training=self.training)


class CoAttention(nn.Module):
    """MMSR's co-attention (LXMERT's layers): blocks, then a dense map of both streams' means.

    A learned vector for each modality is added to its tokens; nothing else tells positions apart.
    Where an item lacks a modality, a learned token of that modality stands in for it.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        num_layers: int,
        num_heads: int,
        feedforward_dim: int,
        dropout: float,
        attention_dropout: float,
        norm_eps: float = LAYER_NORM_EPS,
    ) -> None:
        super().__init__()
        self.types = nn.Parameter(torch.empty(NUM_MODALITIES, embedding_dim).normal_(std=0.02))
        self.absent = nn.Parameter(torch.empty(NUM_MODALITIES, embedding_dim).normal_(std=0.02))
        self.layers = nn.ModuleList(
            CoAttentionBlock(
                embedding_dim=embedding_dim,
                num_heads=num_heads,
                feedforward_dim=feedforward_dim,
                dropout=dropout,
                attention_dropout=attention_dropout,
                norm_eps=norm_eps,
            )
            for _ in range(num_layers)
        )
        self.output = nn.Linear(NUM_MODALITIES * embedding_dim, embedding_dim)
        initialise(self, "normal")

    def forward(self, contents: Sequence[RaggedTokens]) -> Tensor:
        """Fuse the contents of n items, text and image; [n, D]."""
        counts = torch.stack([tokens.counts for tokens in contents])  # [2, n]
        is_absent = (counts == 0).long()
        packings = Packing.of_pairs(*(counts + is_absent))
        streams = []
        for modality, num_absent in enumerate(is_absent.sum(dim=1).tolist()):
            stand_ins = self.absent[modality].expand(num_absent, -1)
            parts = [contents[modality], RaggedTokens(stand_ins, is_absent[modality])]
            tokens = interleaved(parts, packings[modality])  # [T, D] or [U, D]
            streams.append((tokens + self.types[modality]).unsqueeze(0))
        text, image = streams
        for layer in self.layers:
            text, image = layer(text, image, packings)  # [1, T, D], [1, U, D]
        read = [
            mean_of_tokens(text[0], packings[0]),
            mean_of_tokens(image[0], packings[1]),
        ]  # [n, D] each
        fused: Tensor = self.output(torch.cat(read, dim=1))  # [n, D]
        return fused
