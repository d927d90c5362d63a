"""Item vectors of sequences in, one state per position out: a gated recurrent unit.

Shapes: T tokens (real positions), D embedding_dim, H hidden_dim, L longest sequence,
n samples.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from mmrec.nn.dropout import dropout
from mmrec.nn.packing import Packing

Output = Literal["dense", "none"]


class RecurrentEncoder(nn.Module):
    """GRU without biases, then a dense layer back to the width of the items (as in RecBole).

    It counts no positions, so a sequence may have any length. It steps over tokens, never over
    padding: 3x faster than padded rows where lengths are mixed, no slower where they are alike.

    Args:
        embedding_dim: D.
        hidden_dim: H.
        num_layers: of the GRU; 4 in MMSR's paper, 2 in its code.
        dropout: of the inputs.
        output: `dense`, or `none` where the GRU's states are the result (MMSR's GRURec) and H
            is D.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        hidden_dim: int,
        num_layers: int,
        dropout: float,
        output: Output = "dense",
    ) -> None:
        super().__init__()
        if output == "none" and hidden_dim != embedding_dim:
            raise ValueError(
                f"without a dense layer the states have hidden_dim ({hidden_dim}), items "
                f"embedding_dim ({embedding_dim}); make them equal or set output to dense"
            )
        self.dropout = dropout
        self.gru = nn.GRU(embedding_dim, hidden_dim, num_layers, bias=False)
        self.output = nn.Linear(hidden_dim, embedding_dim) if output == "dense" else nn.Identity()
        for weight in self.gru.parameters():
            nn.init.xavier_uniform_(weight)

    def forward(self, inputs: Tensor, packing: Packing, samples: Tensor | None = None) -> Tensor:
        """Encode the item vectors of tokens; [T, D] -> [T, D].

        With `samples` [n], the states of these tokens only, [n, D]: the dense layer is then
        done for no others.
        """
        steps = _Steps.of(packing)
        kept = dropout(inputs, self.dropout, training=self.training)
        by_step = kept[steps.order]  # [T, D]
        hidden = self.gru(PackedSequence(by_step, steps.widths))[0].data  # [T, H]
        by_token = torch.empty_like(hidden).index_copy_(0, steps.order, hidden)
        states: Tensor = self.output(by_token if samples is None else by_token[samples])  # [n, D]
        return states


class _Steps(NamedTuple):
    """Tokens in the order of a recurrent net: by position, longer sequences first."""

    order: Tensor  # [T] tokens of step 0, then of step 1, ...
    widths: Tensor  # [L] sequences that are as long as the step, on the CPU

    @classmethod
    def of(cls, packing: Packing) -> _Steps:
        # Packing has longer sequences last: read backwards, a stable sort puts them first.
        backwards = packing.columns.flip(0).argsort(stable=True)  # [T]
        return cls(len(backwards) - 1 - backwards, packing.columns.bincount().cpu())
