"""NextItNet: item IDs through dilated causal convolutions (Yuan et al., WSDM 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.models.item_ids import ItemIdModel
from mmrec.nn.convolutional_encoder import ConvolutionalEncoder
from mmrec.nn.packing import Packing


class Nextitnet(ItemIdModel):
    """Inner product of the last state and the item's output vector.

    Args:
        sequence_encoder: of the same width.
        num_items: N.
        embedding_dim: D.
        max_sequence_length: latest items of a history that are read.
        tied: output vectors are the embeddings; else they have a matrix of their own, as in the
            paper, without its biases.
    """

    def __init__(
        self,
        sequence_encoder: ConvolutionalEncoder,
        *,
        num_items: int,
        embedding_dim: int,
        max_sequence_length: int,
        tied: bool,
    ) -> None:
        super().__init__(
            _table(num_items, embedding_dim),
            max_sequence_length=max_sequence_length,
            output_ids=None if tied else _table(num_items, embedding_dim),
        )
        self.sequence_encoder = sequence_encoder

    def _states(self, vectors: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        states: Tensor = self.sequence_encoder(vectors, packing, samples)  # [n, D]
        return states


def _table(num_items: int, embedding_dim: int) -> Tensor:
    return nn.init.trunc_normal_(torch.empty(num_items, embedding_dim), std=0.02, a=-0.04, b=0.04)
