"""MP4SR's fine-tuning loss as one writes it down first: padded, unfused, one prefix per row.

Shapes: B samples, L maximum length, N items incl. padding, K most rows of any item, d feature
width, A attention_dim, O experts, D embedding_dim, H heads.

It computes with the parameters of a `Mp4sr`, so that values, gradients and times can be compared.
Items are encoded once per step, inputs are looked up: the authors' code encodes every position.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrec.models.mp4sr.items import Modality
from mmrec.models.mp4sr.model import Mp4sr
from mmrec.models.next_item import TrainingBatch
from mmrec.nn.moe import MixtureOfExperts
from mmrec.nn.pooling import AttentionPooling, RaggedFeatures
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.transformer import SelfAttention, TransformerLayer
from mmrec.recommender import Objective


class StraightforwardMp4sr(Objective):
    """Cross-entropy of the last position's next item; cosine scores, attention pooling.

    Args:
        model: Whose parameters are used; feature rows are copied, padded to [N, K, d].
        padded_to: L, or None for the longest of each batch.
    """

    def __init__(self, model: Mp4sr, padded_to: int | None) -> None:
        super().__init__()
        if model.similarity != "cosine":
            raise ValueError(f"written for cosine scores, the model has {model.similarity!r}")
        self.recommender: Mp4sr = model
        self.padded_to = padded_to
        for name, features in model.item_encoder.features.items():
            assert isinstance(features, RaggedFeatures)
            self.register_buffer(f"{name}_rows", _padded(features), persistent=False)
            self.register_buffer(f"{name}_counts", features.offsets.diff(), persistent=False)

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Loss `next_item` of rows with one target each, at their last real position."""
        items = batch.items  # [B, L]
        if self.padded_to is not None:
            items = F.pad(items, (0, self.padded_to - items.shape[1]))
        targets = batch.targets.amax(dim=1)  # [B]
        logits: Tensor = torch.zeros(())
        for name in self.recommender.scored:
            table = self._item_embeddings(name)  # [N, D]
            if self.recommender.item_ids is not None:
                table = table + self.recommender.item_ids
            states = sequence_states(self.recommender.sequence_encoder, table[items], items != 0)
            last = (items != 0).sum(dim=1) - 1  # [B]
            queries = states[torch.arange(len(items)), last]  # [B, D]
            cosines = F.normalize(queries, dim=1, eps=1e-6) @ F.normalize(table, dim=1, eps=1e-6).T
            logits = logits + cosines / self.recommender.temperature  # [B, N]
        # The padding item is no candidate.
        return {"next_item": F.cross_entropy(logits[:, 1:], targets - 1)}

    def _item_embeddings(self, name: Modality) -> Tensor:
        encoder = self.recommender.item_encoder
        pooling, adaptor = (
            part[encoder.adaptor_of[name]] for part in (encoder.pooling, encoder.adaptor)
        )
        assert isinstance(pooling, AttentionPooling)
        assert isinstance(adaptor, MixtureOfExperts)
        rows, counts = self.get_buffer(f"{name}_rows"), self.get_buffer(f"{name}_counts")
        pooled = pooled_rows(pooling, rows, counts)  # [N, d]
        features = encoder.features[name]
        assert isinstance(features, RaggedFeatures)
        return experts(adaptor, torch.where((counts > 0)[:, None], pooled, features.missing))


def pooled_rows(module: AttentionPooling, rows: Tensor, counts: Tensor) -> Tensor:
    """Softmax of `(x W1) w2` over the real rows of [N, K, d], then their sum; [N, d]."""
    scores = (rows @ module.hidden) @ module.score  # [N, K]
    padding = torch.arange(rows.shape[1], device=rows.device) >= counts[:, None]
    # Finite, so that items without rows do not become NaN; their vector is replaced later.
    weights = scores.masked_fill(padding, -1e9).softmax(dim=1)
    return (weights[:, :, None] * rows).sum(dim=1)


def experts(module: MixtureOfExperts, pooled: Tensor) -> Tensor:
    """One expert after the other, each with its own layer norm; [N, d] -> [N, D]."""
    num_experts, width = module.norm_weight.shape
    gates: Tensor = module.gate(pooled).softmax(dim=1)  # [N, O]
    outputs = []
    for k in range(num_experts):
        own = slice(k * width, (k + 1) * width)
        output = F.linear(pooled, module.experts.weight[own], module.experts.bias[own])
        output = F.dropout(output, module.dropout, module.training)
        normed = F.layer_norm(output, (width,), module.norm_weight[k], module.norm_bias[k], 1e-12)
        outputs.append(normed)
    return (gates[:, :, None] * torch.stack(outputs, dim=1)).sum(dim=1)


def sequence_states(module: SequenceEncoder, inputs: Tensor, valid: Tensor) -> Tensor:
    """Causal transformer over padded [B, L, D] with additive masks."""
    length = inputs.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=inputs.device).tril()
    allowed = (causal & valid[:, None, :])[:, None]  # [B, 1, L, L]
    mask = torch.zeros_like(allowed, dtype=inputs.dtype).masked_fill(~allowed, -1e9)
    states: Tensor = module.input_norm(inputs + module.positions[:length])
    states = F.dropout(states, module.dropout, module.training)
    for layer in module.layers:
        assert isinstance(layer, TransformerLayer)
        attended = F.dropout(
            _attention(layer.attention, states, mask), layer.dropout, module.training
        )
        states = layer.attention_norm(states + attended)
        feedforward = layer.contract(F.gelu(layer.expand(states)))
        feedforward = F.dropout(feedforward, layer.dropout, module.training)
        states = layer.feedforward_norm(states + feedforward)
    return states


def _attention(module: SelfAttention, states: Tensor, mask: Tensor) -> Tensor:
    query, key, value = (
        part.unflatten(-1, (module.num_heads, -1)).transpose(1, 2)  # [B, H, L, D / H]
        for part in module.query_key_value(states).chunk(3, dim=-1)
    )
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + mask  # [B, H, L, L]
    weights = F.dropout(scores.softmax(dim=-1), module.attention_dropout, module.training)
    attended: Tensor = module.output((weights @ value).transpose(1, 2).flatten(2))
    return attended


def _padded(features: RaggedFeatures) -> Tensor:
    """Rows of every item, filled up with zeros; [N, K, d]."""
    counts = features.offsets.diff()
    rows = features.missing.new_zeros(len(counts), features.max_rows, len(features.missing))
    owners = torch.repeat_interleave(counts)
    place = torch.arange(len(owners)) - features.offsets[owners]
    rows[owners, place] = features.vectors.to(rows.dtype)
    return rows
