"""States of corrupted sequences in, how well they tell what was done to them out (PMMRec 3.5).

Shapes: t real positions, b rows that train, m those of all processes, D embedding_dim.
"""

from __future__ import annotations

from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.next_item import zero
from mmrec.nn.processes import Parts, num_processes
from mmrec.nn.scoring import at_least_float32, unit
from mmrec.nn.transformer import initialise

NUM_LABELS = 3
"""Unchanged, shuffled, replaced."""
Similarity = Literal["normalised", "raw"]


class NoisedItemDetection(nn.Module):
    """Cross-entropy of what became of each position, by its state: NID (PMMRec eq. 10).

    The formula is a logarithm of what a ReLU gives, which is undefined at 0 and no probability.
    Here a softmax is over the three values: of the linear map, or with `relu` of the ReLU behind
    it, which has no gradient by a label whose value is below 0.

    Args:
        embedding_dim: D.
        relu: whether there is one behind the map.
    """

    def __init__(self, embedding_dim: int, *, relu: bool) -> None:
        super().__init__()
        self.output = nn.Linear(embedding_dim, NUM_LABELS)
        self.relu = relu
        initialise(self, "xavier_normal")

    def forward(self, states: Tensor, labels: Tensor) -> Tensor:
        """Mean over states [t, D] with labels [t]; of several processes, a part of it."""
        parts = Parts.of(len(labels), labels.device)
        logits = at_least_float32(self.output(states))  # [t, 3]
        if not len(labels):
            return zero(logits)
        return F.cross_entropy(F.relu(logits) if self.relu else logits, labels) * parts.share


def robust_contrast(
    clean: Tensor, corrupted: Tensor, *, similarity: Similarity, temperature: float
) -> Tensor:
    """Contrast of sequences with what became of them: RCL (PMMRec eq. 11).

    -mean_u log [f(h_u, c_u) / sum_v f(h_u, c_v)], from the clean to the corrupted ones alone.
    f is exp(cosine / temperature), or with `raw` exp(h . c), as printed: of states behind a layer
    norm, that is all or nothing. Of several processes a part, with the sequences of all.

    Args:
        clean: one vector per row that trains, the mean of its states; [b, D].
        corrupted: those of the same rows after corruption, [b, D].
        similarity: normalised or raw.
        temperature: of cosines; not of raw products.
    """
    parts = Parts.of(len(clean), clean.device)
    with torch.autocast(clean.device.type, enabled=False):
        queries, candidates = (
            parts.gather(at_least_float32(vectors)) for vectors in (clean, corrupted)
        )  # [m, D] each
        match similarity:
            case "normalised":
                logits = (unit(queries) / temperature) @ unit(candidates).T  # [m, m]
            case "raw":
                logits = queries @ candidates.T
            case _:
                assert_never(similarity)
        own = torch.arange(len(logits), device=logits.device)
        return F.cross_entropy(logits, own) / num_processes()  # each computes the loss of all
