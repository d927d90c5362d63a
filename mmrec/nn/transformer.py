"""Tokens of sequences in, one state per token out: post-norm transformer layers.

Shapes: T tokens (real positions), S streams, D embedding_dim, H heads, n samples; b sequences of
a group of similar length, l length of its longest, t its tokens.

Sequences are padded on the right, and only inside attention: a token never sees padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.attention import (
    causal_attention,
    check_num_heads,
    split_heads,
    two_way_attention,
)
from mmrec.nn.dropout import dropout
from mmrec.nn.packing import Group, Packing

Direction = Literal["causal", "both"]
Activation = Literal["gelu", "relu"]
Initialisation = Literal["normal", "xavier_normal"]

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "relu": F.relu}
LAYER_NORM_EPS = 1e-12


class SelfAttention(nn.Module):
    """Multi-head self-attention: `causal` to itself and earlier tokens, `both` to all."""

    def __init__(
        self,
        embedding_dim: int,
        num_heads: int,
        attention_dropout: float,
        *,
        direction: Direction = "causal",
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_num_heads(embedding_dim, num_heads)
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.direction = direction
        self.query_key_value = nn.Linear(embedding_dim, 3 * embedding_dim, bias=bias)
        self.output = nn.Linear(embedding_dim, embedding_dim, bias=bias)

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None) -> Tensor:
        """Attend; [S, T, D] -> [S, T, D], or [S, n, D] of the sampled tokens alone."""
        parts = packing.split(self.query_key_value(inputs))  # [S, t, 3 * D] each
        attended = [
            group.unpad(self._attend(group.pad(part), group))
            for group, part in zip(packing.groups, parts, strict=True)
        ]  # [S, t, D] each
        output: Tensor = self.output(sampled(torch.cat(attended, dim=1), samples))  # [S, n, D]
        return output

    def _attend(self, joint: Tensor, group: Group) -> Tensor:
        """Attention within padded sequences; [S * b, l, 3 * D] -> [S * b, l, D]."""
        query, key, value = split_heads(joint, self.num_heads)  # 3 x [S * b, H, l, D / H]
        drop = self.attention_dropout if self.training else 0.0
        if self.direction == "causal":
            attended = causal_attention(query, key, value, drop=drop)
        else:
            real = group.real
            if real is not None:
                real = real.repeat(len(joint) // len(real), 1)  # [S * b, l]
            attended = two_way_attention(query, key, value, real=real, drop=drop)
        return attended.transpose(1, 2).flatten(2)  # [S * b, l, D]


class TransformerLayer(nn.Module):
    """Self-attention, then a feed-forward net; dropout, residual, layer norm after each."""

    def __init__(
        self,
        attention: SelfAttention,
        *,
        embedding_dim: int,
        feedforward_dim: int,
        dropout: float,
        activation: Activation,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.attention_norm = nn.LayerNorm(embedding_dim, eps=norm_eps)
        self.expand = nn.Linear(embedding_dim, feedforward_dim)
        self.contract = nn.Linear(feedforward_dim, embedding_dim)
        self.feedforward_norm = nn.LayerNorm(embedding_dim, eps=norm_eps)
        self.dropout = dropout
        self.activation: Activation = activation

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None) -> Tensor:
        """Transform; [S, T, D] -> [S, T, D], or [S, n, D] of the sampled tokens alone."""
        attended = self._dropped(self.attention(inputs, packing, samples))  # [S, n, D]
        states = self.attention_norm(sampled(inputs, samples) + attended)
        feedforward = self.contract(ACTIVATIONS[self.activation](self.expand(states)))
        output: Tensor = self.feedforward_norm(states + self._dropped(feedforward))
        return output

    def _dropped(self, states: Tensor) -> Tensor:
        return dropout(states, self.dropout, training=self.training)


class TransformerLayers(nn.ModuleList):
    """Layers, one after the other. They know nothing of positions, and are for others to start.

    Settings that systems differ in (the defaults are RecBole's, of SASRec and BERT4Rec):
        direction: `causal`, or `both` (BERT4Rec, MMSRec, merge attention).
        activation: `gelu`, or `relu` (user encoder of PMMRec and MMSR).
        norm_eps: of the layer norms; 1e-5 in MMSRec, 1e-6 in PMMRec and MMSR.
        attention_bias: whether the four maps of attention have biases; not in PMMRec and MMSR.
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
        direction: Direction = "causal",
        activation: Activation = "gelu",
        norm_eps: float = LAYER_NORM_EPS,
        attention_bias: bool = True,
    ) -> None:
        super().__init__(
            TransformerLayer(
                SelfAttention(
                    embedding_dim,
                    num_heads,
                    attention_dropout,
                    direction=direction,
                    bias=attention_bias,
                ),
                embedding_dim=embedding_dim,
                feedforward_dim=feedforward_dim,
                dropout=dropout,
                activation=activation,
                norm_eps=norm_eps,
            )
            for _ in range(num_layers)
        )

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None = None) -> Tensor:
        """Encode tokens, each stream by itself; [S, T, D] -> [S, T, D].

        With `samples` [n], the states of these tokens only, [S, n, D]: what follows the
        attention of the last layer is then done for no others.
        """
        if not packing.groups:  # no sequence has a token
            return inputs
        *earlier, last = self
        states = inputs
        for layer in earlier:
            states = layer(states, packing, None)  # [S, T, D]
        encoded: Tensor = last(states, packing, samples)  # [S, n, D]
        return encoded


def sampled(tokens: Tensor, samples: Tensor | None) -> Tensor:
    """Those of the samples, or all; [S, T, D] -> [S, n, D]."""
    return tokens if samples is None else tokens.index_select(1, samples)


def initialise(module: nn.Module, how: Initialisation) -> None:
    """Draw the weights of all dense maps, zero their biases: N(0, .02), or Xavier-normal."""
    module.apply(_init_normal if how == "normal" else _init_xavier_normal)


def _init_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        _zero_bias(module)


def _init_xavier_normal(module: nn.Module) -> None:
    match module:
        case nn.Linear():
            nn.init.xavier_normal_(module.weight)
            _zero_bias(module)
        case SelfAttention():  # comes after its maps: three of them are one, and yet are three
            for weight in module.query_key_value.weight.detach().chunk(3):
                nn.init.xavier_normal_(weight)


def _zero_bias(module: nn.Linear) -> None:
    if module.bias is not None:
        nn.init.zeros_(module.bias)
