"""Histories padded to one length in, the state after each out: encoders as a graph can have them.

The modules and their weights are those that were trained; only what training saves is not saved:
padding takes part, and is hidden where it would be seen. So every shape is known from the inputs.

Shapes: B sequences, L length, D embedding_dim, H heads, d width of a head, k distance.
"""

from __future__ import annotations

import math
from typing import assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.encoders import HistoryEncoder
from mmrec.nn.convolutional_encoder import (
    KERNEL_SIZE,
    CausalConvolution,
    ConvolutionalEncoder,
    ResidualBlock,
)
from mmrec.nn.recurrent_encoder import RecurrentEncoder
from mmrec.nn.sequence_encoder import Anchor, SequenceEncoder
from mmrec.nn.transformer import (
    ACTIVATIONS,
    SelfAttention,
    TransformerLayer,
    TransformerLayers,
)


def last_states(
    encoder: HistoryEncoder, inputs: Tensor, lengths: Tensor, *, anchor: Anchor
) -> Tensor:
    """State after the last real place; [B, L, D] -> [B, D].

    Args:
        encoder: causal.
        inputs: item vectors, padded on the right.
        lengths: [B] real places, at least 1.
        anchor: where a transformer counts positions from.
    """
    match encoder:
        case SequenceEncoder():
            index = positions(encoder, steps_of(inputs), lengths, anchor)
            states = encoder.normed(with_positions(encoder, inputs, index))
            states = layered(encoder.layers, states, None)
        case RecurrentEncoder():
            states = encoder.output(gated(encoder.gru, inputs))
        case ConvolutionalEncoder():
            states = convolved(encoder, inputs)
        case _:
            assert_never(encoder)
    return at(states, lengths - 1)


def at(states: Tensor, steps: Tensor) -> Tensor:
    """State of each sequence at a step of its own; [B, L, D], [B] -> [B, D]."""
    index = steps.view(-1, 1, 1).expand(-1, 1, states.shape[2])
    return states.gather(1, index).squeeze(1)


def steps_of(padded: Tensor) -> Tensor:
    """Numbers of the places; [B, L, ...] -> [1, L]."""
    return torch.arange(padded.shape[1], device=padded.device).unsqueeze(0)


def positions(
    encoder: SequenceEncoder, steps: Tensor, lengths: Tensor, anchor: Anchor
) -> Tensor | None:
    """Row of each place in the table of positions, any row at padding; [B or 1, L].

    As `mmrec.nn.sequence_encoder.position_index`; None where none is added.
    """
    num_positions = len(encoder.positions)
    match anchor:
        case "start":
            return steps
        case "end":
            shifted = steps + (num_positions - lengths).unsqueeze(1)
        case "longest":
            shifted = steps + (lengths.max() - lengths).unsqueeze(1)
        case "none":
            return None
        case _:
            assert_never(anchor)
    return torch.where(steps < lengths.unsqueeze(1), shifted, 0)


def with_positions(encoder: SequenceEncoder, inputs: Tensor, index: Tensor | None) -> Tensor:
    """Inputs with the positions of these rows added; [B, L, D]."""
    return inputs if index is None else inputs + F.embedding(index, encoder.positions)


def layered(layers: TransformerLayers, states: Tensor, real: Tensor | None) -> Tensor:
    """States behind the layers; [B, L, D] -> [B, L, D].

    Args:
        layers: all of one direction.
        states: what enters the first.
        real: [B, L] true where `both` directions may look; `causal` layers see no padding on the
            right anyhow.
    """
    for layer in layers:
        assert isinstance(layer, TransformerLayer)
        attended = _attended(layer.attention, states, real)
        states = layer.attention_norm(states + attended)
        activation = ACTIVATIONS[layer.activation]
        states = layer.feedforward_norm(states + layer.contract(activation(layer.expand(states))))
    return states


def _attended(attention: SelfAttention, states: Tensor, real: Tensor | None) -> Tensor:
    batch, length, width = states.shape
    heads = attention.num_heads
    joint = attention.query_key_value(states).view(batch, length, 3, heads, width // heads)
    query, key, value = joint.permute(2, 0, 3, 1, 4).unbind(0)  # 3 x [B, H, L, d]
    scores = query @ key.transpose(2, 3) / math.sqrt(width // heads)  # [B, H, L, L]
    if attention.direction == "causal":
        steps = torch.arange(length, device=states.device)
        seen = (steps.unsqueeze(0) <= steps.unsqueeze(1)).view(1, 1, length, length)
    else:
        assert real is not None
        seen = real.view(batch, 1, 1, length)
    weights = scores.masked_fill(~seen, -torch.inf).softmax(dim=-1)
    mixed = (weights @ value).transpose(1, 2).reshape(batch, length, width)
    output: Tensor = attention.output(mixed)
    return output


def convolved(encoder: ConvolutionalEncoder, inputs: Tensor) -> Tensor:
    """States behind the residual blocks; [B, L, D] -> [B, L, D]."""
    states = inputs
    for block in encoder.blocks:
        assert isinstance(block, ResidualBlock)
        hidden = F.relu(block.first_norm(_convolution(block.first, states)))
        states = states + F.relu(block.second_norm(_convolution(block.second, hidden)))
    return states


def _convolution(convolution: CausalConvolution, states: Tensor) -> Tensor:
    distances = [convolution.dilation * place for place in reversed(range(KERNEL_SIZE))]
    length = states.shape[1]
    earlier = [F.pad(states, (0, 0, distance, 0))[:, :length] for distance in distances]
    output: Tensor = convolution.weights(torch.cat(earlier, dim=2))
    return output


def gated(gru: nn.GRU, inputs: Tensor) -> Tensor:
    """States of a GRU without biases, as ONNX's operator of that name; [B, L, D] -> [B, L, H].

    An exporter would repeat the unit for each place of the example, and fix the length.
    """
    states = inputs.transpose(0, 1)  # [L, B, D]
    batch, hidden = inputs.shape[0], gru.hidden_size
    for layer in range(gru.num_layers):
        weights = [
            _gates_as_onnx(gru.get_parameter(f"weight_{part}_l{layer}")) for part in ("ih", "hh")
        ]
        out = torch.onnx.ops.symbolic(
            "GRU",
            (states, *weights),
            attrs={"hidden_size": hidden, "linear_before_reset": 1},
            dtype=states.dtype,
            shape=(states.shape[0], 1, batch, hidden),
            version=14,
        )
        states = out.squeeze(1)  # [L, B, H]
    return states.transpose(0, 1)


def _gates_as_onnx(weight: Tensor) -> Tensor:
    """Torch has reset, update, new; ONNX update, reset, new. [3 * H, D] -> [1, 3 * H, D]."""
    hidden = len(weight) // 3
    reset, update, new = weight[:hidden], weight[hidden : 2 * hidden], weight[2 * hidden :]
    return torch.cat([update, reset, new]).unsqueeze(0)
