"""Recommenders in, user towers out: item indices of a history in, the query that ranks out.

A user tower reads a row for each item, `item_inputs` [N, W]: what the model knows of it as part
of a history. It is what is scored, too, only where the model says so.

Shapes: B users, L history length, N items incl. padding, W width of a row, M modalities,
S streams, D embedding_dim, D' width of a query.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.bert4rec.model import Bert4Rec
from mmrec.models.contentknn.model import ContentVectors, history_weights
from mmrec.models.encoders import HistoryEncoder
from mmrec.models.fdsa.model import Fdsa
from mmrec.models.item_ids import ItemIdModel
from mmrec.models.item_table import ItemTableModel, table_in_chunks
from mmrec.models.items.own_ids import with_ids
from mmrec.models.mmsrec.model import Mmsrec
from mmrec.models.mp4sr.model import Mp4sr
from mmrec.models.popularity.model import Popularity
from mmrec.models.popularity_correction import PopularityCorrected
from mmrec.nn.scoring import unit
from mmrec.nn.sequence_encoder import Anchor
from mmrec.onnx.mmsrec import MmsrecTower, slots_of
from mmrec.onnx.padded import at, last_states, layered, steps_of, with_positions
from mmrec.recommender import Recommender, inference


class UserTower(NamedTuple):
    """What turns histories into queries.

    Attributes:
        module: (history int64 [B, L], right padded with 0; item_inputs [N, W]) -> [B, D'].
        item_inputs: [N, W], of the catalogue.
    """

    module: nn.Module
    item_inputs: Tensor


def user_tower(recommender: Recommender) -> UserTower | None:
    """The user tower of a recommender on the CPU; None of one that has no queries."""
    with inference(recommender):
        return _tower(recommender)


def _tower(recommender: Recommender) -> UserTower | None:
    match recommender:
        case PopularityCorrected():
            found = _tower(recommender.recommender)
            return found and found._replace(module=WithOne(found.module))
        case ItemIdModel():
            encoder = recommender.get_submodule("sequence_encoder")
            assert isinstance(encoder, HistoryEncoder)
            tower = States(encoder, "start", recommender.temperature)
            return UserTower(tower, recommender.item_ids.detach())
        case ItemTableModel():
            tower = States(recommender.sequence_encoder, recommender.anchor)
            return UserTower(tower, recommender.item_table())
        case Mp4sr():
            return UserTower(Streams(recommender), _rows(recommender, streams_of(recommender)))
        case Fdsa():
            return UserTower(JoinedStates(recommender), _rows(recommender, fields_of(recommender)))
        case Bert4Rec():
            return UserTower(StateAtMask(recommender), recommender.item_ids.detach())
        case Mmsrec():
            rows = _rows(recommender, lambda items: slots_of(recommender.item_encoder, items))
            return UserTower(MmsrecTower(recommender), rows)
        case ContentVectors():
            return UserTower(WeighedSum(recommender), recommender.vectors)
        case Popularity():
            return UserTower(Ones(), recommender.item_table())
        case _:
            return None


def _rows(recommender: Recommender, encode: Callable[[Tensor], Tensor]) -> Tensor:
    """Rows [N, W] of the whole catalogue; `encode` gives those of items [n]."""
    return table_in_chunks(encode, recommender.num_items, torch.device("cpu"))


def streams_of(recommender: Mp4sr) -> Callable[[Tensor], Tensor]:
    """Gives vectors of items [n] in each stream, side by side; [n, S * D]."""

    def encode(items: Tensor) -> Tensor:
        dropout = recommender.id_dropout
        factors = None if dropout is None else dropout(items)
        streams = [recommender.item_encoder.encode(name, items) for name in recommender.scored]
        ids = recommender.item_ids
        return torch.cat([with_ids(stream, ids, items, factors) for stream in streams], dim=1)

    return encode


def fields_of(recommender: Fdsa) -> Callable[[Tensor], Tensor]:
    """Gives ID and content of items [n], side by side; [n, 2 * D]."""

    def encode(items: Tensor) -> Tensor:
        content = recommender.item_encoder.encode(items)
        return torch.cat([F.embedding(items, recommender.item_ids), content], dim=1)

    return encode


def lengths_of(history: Tensor) -> Tensor:
    """Items of each history [B, L], at least 1: an empty one reads its padding; [B]."""
    return (history != 0).sum(dim=1).clamp(min=1)


class States(nn.Module):
    """The state after the last item, or its direction over a temperature."""

    def __init__(
        self, encoder: HistoryEncoder, anchor: Anchor, temperature: float | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.anchor: Anchor = anchor
        self.temperature = temperature

    def forward(self, history: Tensor, item_inputs: Tensor) -> Tensor:
        """Queries [B, D]."""
        inputs = F.embedding(history, item_inputs)  # [B, L, D]
        states = last_states(self.encoder, inputs, lengths_of(history), anchor=self.anchor)
        return states if self.temperature is None else unit(states) / self.temperature


class Streams(nn.Module):
    """MP4SR: a state for each stream, side by side."""

    def __init__(self, recommender: Mp4sr) -> None:
        super().__init__()
        self.encoder = recommender.sequence_encoder
        self.num_streams = len(recommender.scored)
        self.is_cosine = recommender.ranked_by == "cosine"
        self.temperature = recommender.temperature

    def forward(self, history: Tensor, item_inputs: Tensor) -> Tensor:
        """Queries [B, S * D]."""
        inputs = F.embedding(history, item_inputs)  # [B, L, S * D]
        lengths = lengths_of(history)
        states = [
            last_states(self.encoder, stream, lengths, anchor="start")
            for stream in inputs.chunk(self.num_streams, dim=2)
        ]
        if self.is_cosine:
            states = [unit(state) / self.temperature for state in states]
        return torch.cat(states, dim=1)


class JoinedStates(nn.Module):
    """FDSA: states of the stream of IDs and of that of content, joined."""

    def __init__(self, recommender: Fdsa) -> None:
        super().__init__()
        self.encoder = recommender.sequence_encoder
        self.feature_layers = recommender.feature_layers
        self.join = recommender.join

    def forward(self, history: Tensor, item_inputs: Tensor) -> Tensor:
        """Queries [B, D]."""
        inputs, last = F.embedding(history, item_inputs), lengths_of(history) - 1
        index, states = steps_of(history), []
        for fields, layers in zip(
            inputs.chunk(2, dim=2), (self.encoder.layers, self.feature_layers), strict=True
        ):
            first = self.encoder.normed(with_positions(self.encoder, fields, index))
            states.append(at(layered(layers, first, None), last))
        return self.encoder.normed(self.join(torch.cat(states, dim=1)))


class StateAtMask(nn.Module):
    """BERT4Rec: the state at a mask behind the history, and 1 for the items' biases."""

    def __init__(self, recommender: Bert4Rec) -> None:
        super().__init__()
        self.encoder = recommender.sequence_encoder
        self.mask_vector = recommender.mask_vector
        self.head = recommender.head

    def forward(self, history: Tensor, item_inputs: Tensor) -> Tensor:
        """Queries [B, D + 1]."""
        masks = (history != 0).sum(dim=1)  # [B]
        inputs = F.pad(F.embedding(history, item_inputs), (0, 0, 0, 1))  # [B, L + 1, D]
        steps = steps_of(inputs)
        inputs = torch.where((steps == masks.unsqueeze(1)).unsqueeze(2), self.mask_vector, inputs)
        states = self.encoder.normed(with_positions(self.encoder, inputs, steps))
        states = layered(self.encoder.layers, states, steps <= masks.unsqueeze(1))
        return F.pad(self.head(at(states, masks)), (0, 1), value=1.0)


class WeighedSum(nn.Module):
    """Neighbours by content: the weighed sum of the history's vectors."""

    def __init__(self, recommender: ContentVectors) -> None:
        super().__init__()
        self.history_length = recommender.max_sequence_length
        self.decay = recommender.decay

    def forward(self, history: Tensor, item_inputs: Tensor) -> Tensor:
        """Queries [B, D]."""
        weights = history_weights(history, self.history_length, self.decay).to(item_inputs.dtype)
        return (weights.unsqueeze(1) @ F.embedding(history, item_inputs)).squeeze(1)


class Ones(nn.Module):
    """Popularity: the same for everybody."""

    def forward(self, history: Tensor, item_inputs: Tensor) -> Tensor:
        """Queries [B, 1]."""
        return torch.ones_like(history[:, :1]).to(item_inputs.dtype)


class WithOne(nn.Module):
    """Queries for items that have a last dimension more, which corrects by popularity."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, history: Tensor, item_inputs: Tensor) -> Tensor:
        """Queries [B, D' + 1]."""
        return F.pad(self.tower(history, item_inputs), (0, 1), value=1.0)
