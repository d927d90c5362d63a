"""Item vectors of any width in, embeddings out: the mixture-of-experts adaptor of MP4SR.

Shapes: n items, d feature width, O experts, D embedding_dim.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.dropout import dropout

LAYER_NORM_EPS = 1e-12


class MixtureOfExperts(nn.Module):
    """Dense mixture: sum_k g_k LN_k(Dropout(e W_k + c_k)), g = softmax(e W_gate) (MP4SR eq. 3, 4).

    Every expert sees every item: no top-k and no noise. The gate starts at zero, so that all
    experts have equal weight at first. All experts are one matrix product.
    """

    def __init__(
        self, feature_dim: int, embedding_dim: int, num_experts: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.experts = nn.Linear(feature_dim, num_experts * embedding_dim)
        self.gate = nn.Linear(feature_dim, num_experts, bias=False)
        self.norm_weight = nn.Parameter(torch.ones(num_experts, embedding_dim))
        self.norm_bias = nn.Parameter(torch.zeros(num_experts, embedding_dim))
        nn.init.normal_(self.experts.weight, std=0.02)
        nn.init.zeros_(self.experts.bias)
        nn.init.zeros_(self.gate.weight)

    def forward(self, pooled: Tensor) -> Tensor:
        """Adapt pooled features [n, d] to embeddings [n, D]."""
        num_experts, embedding_dim = self.norm_weight.shape
        gates = self.gate(pooled).softmax(dim=-1)  # [n, O]
        outputs = dropout(self.experts(pooled), self.dropout, training=self.training)
        outputs = outputs.view(-1, num_experts, embedding_dim)  # [n, O, D]
        outputs = F.layer_norm(outputs, (embedding_dim,), eps=LAYER_NORM_EPS)
        weighted = torch.einsum("no,nod,od->nd", gates, outputs, self.norm_weight)  # [n, D]
        adapted: Tensor = weighted + gates @ self.norm_bias
        return adapted
