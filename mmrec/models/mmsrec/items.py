"""MMSRec's items: a vector in the place of each of their modalities.

Shapes: N items incl. padding, n tokens, M modalities, R items that have a feature, d feature
width, D embedding_dim.

Tokens are items 0 to N - 1, and the mask, N.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.features.table import FeatureTable
from mmrec.models.items.pooled import pooled
from mmrec.nn.transformer import initialise
from mmrec.params.training import Modality

MODALITIES: tuple[Modality, ...] = ("text", "image")
NORM_EPS = 1e-5

MissingModality = Literal["exclude", "mask_token"]


class NormedMap(nn.Module):
    """A dense map and a layer norm; [..., d] -> [..., D]."""

    def __init__(self, width: int, embedding_dim: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, embedding_dim)
        self.norm = nn.LayerNorm(embedding_dim, eps=NORM_EPS)
        initialise(self, "normal")

    def forward(self, vectors: Tensor) -> Tensor:
        """Map."""
        mapped: Tensor = self.norm(self.project(vectors))
        return mapped


class ProjectedFeature(NormedMap):
    """A feature of the catalogue, one vector an item, and its map.

    The vectors are data, not weights: weights of one catalogue can be loaded for another.

    Args:
        table: Of the catalogue; of several rows of an item the mean is taken.
        embedding_dim: D.
    """

    vectors: Tensor
    rows: Tensor

    def __init__(self, table: FeatureTable, embedding_dim: int) -> None:
        super().__init__(table.dim, embedding_dim)
        features = pooled(table)
        rows = torch.where(features.offsets.diff() > 0, features.offsets[:-1], 0)
        # Of a feature that no item has there is a row that nobody reads.
        vectors = features.vectors if len(features.vectors) else torch.zeros(1, table.dim)
        self.register_buffer("vectors", vectors, persistent=False)  # [R, d]
        self.register_buffer("rows", rows, persistent=False)  # [N]

    def encode(self, items: Tensor) -> Tensor:
        """Mapped vectors of the items [n]; those of items without mean nothing; [n, D]."""
        found = F.embedding(self.rows[items], self.vectors)
        mapped: Tensor = self(found.to(self.project.weight.dtype))
        return mapped


class ModalityEncoder(nn.Module):
    """Tokens in, a vector for each of their places out: a place for each modality there is.

    A place may have no vector, and then is no token of the transformer. The mask is in both
    places, whatever features are read. An item with none of the modalities that are read has the
    absent vector in both, so that nothing depends on which items have content.

    Args:
        tables: Features of the modalities that are read.
        num_items: N, padding included.
        embedding_dim: D.
        missing: Whether a place without its modality stays empty, or holds the mask's vector.
    """

    present: Tensor

    def __init__(
        self,
        tables: Mapping[Modality, FeatureTable],
        *,
        num_items: int,
        embedding_dim: int,
        missing: MissingModality,
    ) -> None:
        super().__init__()
        for modality, table in tables.items():
            self.add_module(modality, ProjectedFeature(table, embedding_dim))
        self.num_items = num_items
        self.missing: MissingModality = missing
        self.mask_vector = nn.Parameter(torch.empty(embedding_dim).normal_(std=0.02))
        self.absent_vector = nn.Parameter(torch.empty(embedding_dim).normal_(std=0.02))
        nothing = torch.zeros(num_items, dtype=torch.bool)
        present = torch.stack(
            [tables[name].counts > 0 if name in tables else nothing for name in MODALITIES], dim=1
        )
        self.register_buffer("present", present, persistent=False)  # [N, M]

    def held(self, tokens: Tensor, reads: tuple[bool, ...] = (True, True)) -> Tensor:
        """Which places of the tokens [n] hold a vector, of those modalities; [n, M]."""
        has = self._has(tokens, reads)
        everywhere = ~has.any(dim=1, keepdim=True)  # the mask, and items that have nothing
        if self.missing == "mask_token":
            everywhere = torch.ones_like(everywhere)
        return has | everywhere

    def encode(self, tokens: Tensor, reads: tuple[bool, ...] = (True, True)) -> Tensor:
        """Vectors of the tokens [n] by place, of no meaning where none is held; [n, M, D]."""
        has = self._has(tokens, reads)  # [n, M]
        is_mask = (tokens == self.num_items).unsqueeze(1)
        no_content = ~is_mask & ~has.any(dim=1, keepdim=True)  # [n, 1]
        fill = torch.where(no_content, self.absent_vector, self.mask_vector)  # [n, D]
        items = tokens.masked_fill(is_mask.squeeze(1), 0)
        vectors = []
        for place, modality in enumerate(MODALITIES):
            feature = self._modules.get(modality) if reads[place] else None
            if isinstance(feature, ProjectedFeature):
                mapped = feature.encode(items)
                vectors.append(torch.where(has[:, place, None], mapped, fill))
            else:
                vectors.append(fill)
        return torch.stack(vectors, dim=1)

    def _has(self, tokens: Tensor, reads: tuple[bool, ...]) -> Tensor:
        """Which modalities the tokens have, of those that are read; the mask has none."""
        is_mask = tokens == self.num_items
        present = self.present[tokens.masked_fill(is_mask, 0)]
        return present & present.new_tensor(reads) & ~is_mask.unsqueeze(1)
