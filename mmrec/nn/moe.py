"""Item vectors of any width in, embeddings out: the mixture-of-experts adaptor of MP4SR.

Shapes: n items, d feature width, O experts, D embedding_dim.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.dropout import dropout
from mmrec.nn.expert_mixture import mixture

LAYER_NORM_EPS = 1e-12


class MixtureOfExperts(nn.Module):
    """Dense mixture: sum_k g_k LN_k(Dropout(e W_k + c_k)), g = softmax(e W_gate) (MP4SR eq. 4, 5).

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
        return self._mix(self._joint(pooled))

    def repeat(self, pooled: Tensor, count: int) -> Tensor:
        """Adapt one vector [d] `count` times, each with a dropout draw of its own; [count, D]."""
        joint = self._joint(pooled.unsqueeze(0))  # [1, O * D + O]
        return self._mix(joint.expand(count, -1))

    def spread(self, pooled: Tensor, index: Tensor) -> Tensor:
        """Adapt the vectors [n, d] that `index` [m] names, each time with a draw; [m, D]."""
        return self._mix(self._joint(pooled).index_select(0, index))

    def _joint(self, pooled: Tensor) -> Tensor:
        """Outputs of all experts and logits of their gates, one product; [n, O * D + O]."""
        weight = torch.cat([self.experts.weight, self.gate.weight])
        bias = F.pad(self.experts.bias, (0, len(self.gate.weight)))
        return F.linear(pooled, weight, bias)

    def _mix(self, joint: Tensor) -> Tensor:
        drop = self.dropout if self.training else 0.0
        if joint.device.type == "cpu":
            return mixture(joint, self.norm_weight, self.norm_bias, eps=LAYER_NORM_EPS, drop=drop)
        return self._on_accelerator(joint, drop)

    def _on_accelerator(self, joint: Tensor, drop: float) -> Tensor:
        shape = self.norm_weight.shape
        outputs, logits = joint.split_with_sizes([shape.numel(), len(self.norm_weight)], dim=1)
        gates = logits.softmax(dim=-1)  # [n, O]
        outputs = dropout(outputs, drop, training=True).view(-1, *shape)  # [n, O, D]
        outputs = F.layer_norm(outputs, shape[1:], eps=LAYER_NORM_EPS)
        weighted = torch.einsum("no,nod,od->nd", gates, outputs, self.norm_weight)  # [n, D]
        return weighted + gates @ self.norm_bias
