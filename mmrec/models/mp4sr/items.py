"""Item side of MP4SR: feature rows of an item in, one embedding per modality out.

Shapes: N items incl. padding, n items asked for, p of them that have rows, D embedding_dim,
d feature width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from mmrec.nn.moe import MixtureOfExperts
from mmrec.nn.pooling import AttentionPooling, PoolingMode, RaggedFeatures, Rows

Modality = Literal["text", "image"]
MODALITIES: tuple[Modality, ...] = ("text", "image")


class ItemEncoder(nn.Module):
    """Attention pooling and mixture-of-experts adaptor of each modality (MP4SR section 3.3).

    Args:
        features: Feature rows of the modalities there are.
        embedding_dim: Width of the embeddings.
        attention_dim: Inner width of the attention pooling.
        num_experts: Experts of each adaptor.
        dropout: Inside the experts.
        pooling: How an item's rows become one vector.
        shared: One pooling and one adaptor serve all modalities.
    """

    def __init__(
        self,
        features: Mapping[Modality, RaggedFeatures],
        *,
        embedding_dim: int,
        attention_dim: int,
        num_experts: int,
        dropout: float,
        pooling: PoolingMode,
        shared: bool,
    ) -> None:
        super().__init__()
        dims = {modality: features[modality].vectors.shape[1] for modality in features}
        if shared and len(set(dims.values())) > 1:
            raise ValueError(
                f"shared_adaptor: text and image features have different widths ({dims}); "
                "take features of one width or set shared_adaptor: false"
            )
        self.features = nn.ModuleDict({name: features[name] for name in features})
        self.adaptor_of = {modality: "shared" if shared else modality for modality in features}
        widths = {self.adaptor_of[modality]: dim for modality, dim in dims.items()}
        self.pooling = nn.ModuleDict(
            {name: AttentionPooling(dim, attention_dim, pooling) for name, dim in widths.items()}
        )
        self.adaptor = nn.ModuleDict(
            {
                name: MixtureOfExperts(dim, embedding_dim, num_experts, dropout)
                for name, dim in widths.items()
            }
        )

    def encode(self, modality: Modality, items: Tensor) -> Tensor:
        """Embeddings of the items [n]; [n, D]."""
        features = self._features(modality)
        return self._embed(modality, features, features.rows_of(items))

    def encode_each(self, modality: Modality, items: Tensor) -> Tensor:
        """The same of items [n] that occur any number of times, with a dropout draw for each.

        Dropout comes after the experts' maps, so that these see each item once.
        """
        features = self._features(modality)
        unique, index = torch.unique(items, return_inverse=True)  # [u], [n]
        rows = features.rows_of(unique)
        pooling, adaptor = self._layers(modality)
        pooled = pooling(rows.segments, features.max_rows, features.missing.dtype)  # [p, d]
        place = rows.order[index].clamp(max=len(pooled))  # [n], behind the last: no rows
        embedded = adaptor.spread(torch.cat([pooled, features.missing.unsqueeze(0)]), place)
        if features.max_rows <= 1:
            embedded = embedded + pooling.without_effect()
        return embedded  # [n, D]

    def encode_all(self, modality: Modality) -> Tensor:
        """Embeddings of the whole catalogue; [N, D]. Row 0, padding, means nothing."""
        features = self._features(modality)
        return self._embed(modality, features, features.all_rows())

    def _features(self, modality: Modality) -> RaggedFeatures:
        features = self.features[modality]
        assert isinstance(features, RaggedFeatures)
        return features

    def _layers(self, modality: Modality) -> tuple[AttentionPooling, MixtureOfExperts]:
        name = self.adaptor_of[modality]
        pooling, adaptor = self.pooling[name], self.adaptor[name]
        assert isinstance(pooling, AttentionPooling)
        assert isinstance(adaptor, MixtureOfExperts)
        return pooling, adaptor

    def _embed(self, modality: Modality, features: RaggedFeatures, rows: Rows) -> Tensor:
        pooling, adaptor = self._layers(modality)
        pooled = pooling(rows.segments, features.max_rows, features.missing.dtype)  # [p, d]
        present: Tensor = adaptor(pooled)  # [p, D]
        # They are one vector before dropout, so the product with the experts is one row.
        absent = adaptor.repeat(features.missing, rows.num_items - len(pooled))  # [n - p, D]
        embedded = torch.cat([present, absent])
        if features.max_rows <= 1:
            embedded = embedded + pooling.without_effect()
        return embedded.index_select(0, rows.order)  # [n, D]
