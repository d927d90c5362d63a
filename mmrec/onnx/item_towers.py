"""Recommenders in, item towers out: features of any items in, what ranks them and is read of them.

A feature is given as rows, padded with zeros to one number, and how many of them are real: one row
a sentence or picture, or one a token. An item that has none of a feature has a count of 0.

Shapes: n items, r rows, d width of a feature, D embedding_dim, D' width of a query, W width of
what a user tower reads, M modalities, S streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.contentknn.model import ContentVectors
from mmrec.models.item_table import ItemTableModel
from mmrec.models.items.pooled import PooledFeature, PooledItemEncoder
from mmrec.models.items.tokens import TokenItemEncoder
from mmrec.models.mmsrec.items import MODALITIES, ProjectedFeature
from mmrec.models.mmsrec.model import Mmsrec
from mmrec.models.mp4sr.items import ItemEncoder
from mmrec.models.mp4sr.model import Mp4sr
from mmrec.models.popularity_correction import PopularityCorrected
from mmrec.nn.moe import LAYER_NORM_EPS, MixtureOfExperts
from mmrec.nn.pooling import AttentionPooling, RaggedFeatures
from mmrec.nn.scoring import unit
from mmrec.onnx.mmsrec import StepStates, as_rows
from mmrec.onnx.rows import masked_mean, real_rows
from mmrec.onnx.token_fusion import TokenTower, refuse_tokens
from mmrec.recommender import Recommender

BY_ID: Final = "the model knows items by weights for each of them, and no others"


class ItemTower(NamedTuple):
    """What turns features into vectors.

    Attributes:
        module: (rows [n, r, d], counts int64 [n], for each feature) -> (item vectors [n, D'],
            item inputs [n, W]).
        widths: d by the name of the feature's modality, in the order of the inputs.
    """

    module: nn.Module
    widths: Mapping[str, int]


def item_tower(recommender: Recommender) -> ItemTower | str:
    """The item tower of a recommender on the CPU; or why it has none."""
    if recommender.item_parameters():
        return BY_ID
    match recommender:
        case PopularityCorrected():
            found = item_tower(recommender.recommender)
            return found if isinstance(found, str) else found._replace(module=NeverSeen(found[0]))
        case Mp4sr():
            return ItemTower(StreamVectors(recommender), _mp4sr_widths(recommender))
        case Mmsrec():
            return ItemTower(StepVectors(recommender), _mmsrec_widths(recommender))
        case ItemTableModel(item_encoder=PooledItemEncoder() as pooled):
            return ItemTower(PooledVectors(pooled), _pooled_widths(pooled))
        case ItemTableModel(item_encoder=TokenItemEncoder() as tokens):
            reason = refuse_tokens(tokens)
            return reason or ItemTower(TokenTower(tokens), TokenTower.widths(tokens))
        case ContentVectors():
            return "its vectors are means of the features, of length 1, side by side"
        case _:
            return "the model reads no features"


def _pooled_widths(encoder: PooledItemEncoder) -> dict[str, int]:
    names = (f"{name}.features.missing" for name in encoder.modalities)
    widths = [len(encoder.get_parameter(name)) for name in names]
    return dict(zip(map(str, encoder.modalities), widths, strict=True))


class PooledVectors(nn.Module):
    """Means of the rows, each through its head, then the fusion of what they give."""

    def __init__(self, encoder: PooledItemEncoder) -> None:
        super().__init__()
        self.features = nn.ModuleList(encoder.get_submodule(name) for name in encoder.modalities)
        self.fusion = encoder.fusion

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors [n, D], which are scored and read."""
        found = []
        for feature, rows, counts in zip(self.features, inputs[::2], inputs[1::2], strict=True):
            assert isinstance(feature, PooledFeature)
            missing = feature.features.missing
            means = torch.where((counts > 0).unsqueeze(1), masked_mean(rows, counts), missing)
            found.append(feature.head(means))
        vectors: Tensor = self.fusion(torch.stack(found, dim=1))
        return vectors, vectors


def _mp4sr_widths(recommender: Mp4sr) -> dict[str, int]:
    features = recommender.item_encoder.features
    return {name: len(features[name].get_parameter("missing")) for name in recommender.scored}


class StreamVectors(nn.Module):
    """MP4SR: attention pooling and a mixture of experts for each stream."""

    def __init__(self, recommender: Mp4sr) -> None:
        super().__init__()
        self.encoder: ItemEncoder = recommender.item_encoder
        self.scored = recommender.scored
        self.is_cosine = recommender.ranked_by == "cosine"

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates and streams, [n, S * D] each."""
        streams = []
        for name, rows, counts in zip(self.scored, inputs[::2], inputs[1::2], strict=True):
            features, adaptor = self.encoder.features[name], self.encoder.adaptor_of[name]
            pooling, experts = self.encoder.pooling[adaptor], self.encoder.adaptor[adaptor]
            assert isinstance(features, RaggedFeatures)
            assert isinstance(pooling, AttentionPooling)
            assert isinstance(experts, MixtureOfExperts)
            pooled = _pooled(pooling, rows, counts, features.max_rows)
            pooled = torch.where((counts > 0).unsqueeze(1), pooled, features.missing)
            streams.append(_mixed(experts, pooled))
        read = torch.cat(streams, dim=1)
        scored = torch.cat([unit(one) for one in streams], dim=1) if self.is_cosine else read
        return scored, read


def _pooled(pooling: AttentionPooling, rows: Tensor, counts: Tensor, max_rows: int) -> Tensor:
    """One vector of an item's rows; [n, r, d] -> [n, d]."""
    if pooling.mode == "mean" or max_rows <= 1:
        return masked_mean(rows, counts)
    # An item without rows gets numbers that nobody reads.
    real = real_rows(rows, counts.clamp(min=1))  # [n, r]
    scores = (rows @ (pooling.hidden @ pooling.score)).masked_fill(~real, -torch.inf)
    highest = scores.amax(dim=1, keepdim=True)
    if pooling.mode == "attention":
        powers = (scores - highest).exp()
        return _weighed(rows, powers / powers.sum(dim=1, keepdim=True))
    highest = highest.clamp(min=0)
    powers = (scores - highest).exp()
    zeros = (max_rows - counts).clamp(min=0).unsqueeze(1) * (-highest).exp()
    return _weighed(rows, powers / (powers.sum(dim=1, keepdim=True) + zeros))


def _weighed(rows: Tensor, weights: Tensor) -> Tensor:
    return (weights.unsqueeze(1) @ rows).squeeze(1)


def _mixed(experts: MixtureOfExperts, pooled: Tensor) -> Tensor:
    """Mixture of experts; [n, d] -> [n, D]."""
    shape = experts.norm_weight.shape
    gates = experts.gate(pooled).softmax(dim=-1)  # [n, O]
    outputs = F.layer_norm(
        experts.experts(pooled).view(-1, *shape), shape[1:], eps=LAYER_NORM_EPS
    )  # [n, O, D]
    outputs = outputs * experts.norm_weight + experts.norm_bias
    mixed: Tensor = (gates.unsqueeze(1) @ outputs).squeeze(1)
    return mixed


def _mmsrec_widths(recommender: Mmsrec) -> dict[str, int]:
    parts = dict(recommender.item_encoder.named_children())
    read = {name: parts[name] for name in MODALITIES if name in parts}
    return {
        name: part.project.in_features
        for name, part in read.items()
        if isinstance(part, ProjectedFeature)
    }


class StepVectors(nn.Module):
    """MMSRec: the state of an item by itself, and its vectors."""

    def __init__(self, recommender: Mmsrec) -> None:
        super().__init__()
        self.encoder = recommender.item_encoder
        self.states = StepStates(recommender)
        self.read = tuple(_mmsrec_widths(recommender))
        self.head = recommender.item_head
        self.anchor = recommender.item_anchor

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Directions [n, D], and rows of vectors [n, W]."""
        given = dict(zip(self.read, zip(inputs[::2], inputs[1::2], strict=True), strict=True))
        nothing = torch.zeros_like(inputs[1], dtype=torch.bool)
        has = torch.stack(
            [given[name][1] > 0 if name in given else nothing for name in MODALITIES], dim=1
        )  # [n, M]
        without = ~has.any(dim=1, keepdim=True)  # [n, 1]
        fill = torch.where(without, self.encoder.absent_vector, self.encoder.mask_vector)
        vectors = []
        for place, name in enumerate(MODALITIES):
            own = fill
            if name in given:
                mapped = self.encoder.get_submodule(name)(masked_mean(*given[name]))
                own = torch.where(has[:, place, None], mapped, fill)
            vectors.append(own)
        everywhere = without if self.encoder.missing == "exclude" else torch.ones_like(without)
        stacked, held = torch.stack(vectors, dim=1), has | everywhere
        rows = as_rows(stacked, held)
        if self.head == "table":
            return unit(self.states.largest(stacked, held)), rows
        steps = rows.unsqueeze(1)
        one = torch.ones_like(inputs[1])
        return unit(self.states(steps, one, self.anchor).squeeze(1)), rows


class NeverSeen(nn.Module):
    """Vectors with a last dimension more, of items that nobody chose in training."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Item vectors [n, D' + 1], and item inputs as they are."""
        vectors, read = self.tower(*inputs)
        return F.pad(vectors, (0, 1)), read
