"""Item vectors of sequences in, one state per position out: a causal transformer.

Shapes: T tokens (real positions), S streams, D embedding_dim, H heads, n samples; b sequences of
a group of similar length, l length of its longest, t its tokens.

Sequences are padded on the right, and only inside attention. Together with the causal mask this
means that a real position never sees a padded one, so no padding mask is needed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.causal_attention import causal_attention
from mmrec.nn.dropout import dropout
from mmrec.nn.packing import Packing

LAYER_NORM_EPS = 1e-12


class CausalSelfAttention(nn.Module):
    """Multi-head self-attention of each position to itself and earlier ones."""

    def __init__(self, embedding_dim: int, num_heads: int, attention_dropout: float) -> None:
        super().__init__()
        if embedding_dim % num_heads:
            raise ValueError(
                f"embedding_dim ({embedding_dim}) must be divisible by num_heads ({num_heads}); "
                "change one of them"
            )
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.query_key_value = nn.Linear(embedding_dim, 3 * embedding_dim)
        self.output = nn.Linear(embedding_dim, embedding_dim)

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None) -> Tensor:
        """Attend; [S, T, D] -> [S, T, D], or [S, n, D] of the sampled tokens alone."""
        parts = packing.split(self.query_key_value(inputs))  # [S, t, 3 * D] each
        attended = [
            group.unpad(self._attend(group.pad(part)))
            for group, part in zip(packing.groups, parts, strict=True)
        ]  # [S, t, D] each
        output: Tensor = self.output(_sampled(torch.cat(attended, dim=1), samples))  # [S, n, D]
        return output

    def _attend(self, joint: Tensor) -> Tensor:
        """Attention within padded sequences; [S * b, l, 3 * D] -> [S * b, l, D]."""
        num_sequences, length, width = joint.shape
        heads = joint.view(num_sequences, length, 3, self.num_heads, width // 3 // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # 3 x [S * b, H, l, D / H]
        drop = self.attention_dropout if self.training else 0.0
        attended = causal_attention(query, key, value, drop=drop)
        return attended.transpose(1, 2).flatten(2)  # [S * b, l, D]


class TransformerLayer(nn.Module):
    """Self-attention, then a GELU feed-forward net; dropout, residual, layer norm after each."""

    def __init__(
        self,
        embedding_dim: int,
        num_heads: int,
        feedforward_dim: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.attention = CausalSelfAttention(embedding_dim, num_heads, attention_dropout)
        self.attention_norm = nn.LayerNorm(embedding_dim, eps=LAYER_NORM_EPS)
        self.expand = nn.Linear(embedding_dim, feedforward_dim)
        self.contract = nn.Linear(feedforward_dim, embedding_dim)
        self.feedforward_norm = nn.LayerNorm(embedding_dim, eps=LAYER_NORM_EPS)
        self.dropout = dropout

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None) -> Tensor:
        """Transform; [S, T, D] -> [S, T, D], or [S, n, D] of the sampled tokens alone."""
        attended = self._dropped(self.attention(inputs, packing, samples))  # [S, n, D]
        states = self.attention_norm(_sampled(inputs, samples) + attended)
        feedforward = self.contract(F.gelu(self.expand(states)))
        output: Tensor = self.feedforward_norm(states + self._dropped(feedforward))
        return output

    def _dropped(self, states: Tensor) -> Tensor:
        return dropout(states, self.dropout, training=self.training)


class SequenceEncoder(nn.Module):
    """Causal post-norm transformer, learned positions counted from the left (as in RecBole)."""

    def __init__(
        self,
        *,
        embedding_dim: int,
        num_layers: int,
        num_heads: int,
        feedforward_dim: int,
        dropout: float,
        attention_dropout: float,
        max_sequence_length: int,
    ) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.empty(max_sequence_length, embedding_dim))
        self.input_norm = nn.LayerNorm(embedding_dim, eps=LAYER_NORM_EPS)
        self.dropout = dropout
        self.layers = nn.ModuleList(
            TransformerLayer(embedding_dim, num_heads, feedforward_dim, dropout, attention_dropout)
            for _ in range(num_layers)
        )
        nn.init.normal_(self.positions, std=0.02)
        self.apply(_init_linear)

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None = None) -> Tensor:
        """Encode the item vectors of tokens, each stream by itself; [S, T, D] -> [S, T, D].

        With `samples` [n], the states of these tokens only, [S, n, D]: what follows the
        attention of the last layer is then done for no others.
        """
        limit = len(self.positions)
        if packing.longest > limit:
            raise ValueError(
                f"a batch holds sequences of {packing.longest} items, the model has positions for "
                f"{limit}; cut histories to max_sequence_length or raise it"
            )
        states: Tensor = inputs + F.embedding(packing.columns, self.positions)
        states = dropout(self.input_norm(states), self.dropout, training=self.training)
        *earlier, last = self.layers
        for layer in earlier:
            states = layer(states, packing, None)  # [S, T, D]
        encoded: Tensor = last(states, packing, samples)  # [S, n, D]
        return encoded


def _sampled(tokens: Tensor, samples: Tensor | None) -> Tensor:
    """[S, T, D] -> [S, n, D]."""
    return tokens if samples is None else tokens.index_select(1, samples)


def _init_linear(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
