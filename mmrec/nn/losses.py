"""Losses over queries and item vectors.

Shapes: n training samples (one state and one target each), V views, N items incl. padding,
D embedding_dim. All losses are means over samples. Logits are float32 even under autocast: divided
by a small temperature, the steps between bfloat16 numbers would be as large as what they measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import torch
from torch import Tensor

from mmrec.nn.full_softmax import mean_cross_entropy
from mmrec.nn.scoring import at_least_float32, unit

SameTargetRule = Literal["dropped", "zero_logit", "kept"]
CmclDenominator = Literal["gca", "literal", "inter_only", "released"]


def next_item_prediction(
    views: Sequence[Tensor],
    items: Tensor,
    targets: Tensor,
    *,
    temperature: float,
    same_target_negatives: SameTargetRule,
) -> Tensor:
    """Cross-modal next-item prediction, NIP (MP4SR eq. 7, 8).

    -log [ sum_v f(view_v_j, item_j) / sum_v sum_j' f(view_v_j, item_j') ],
    f = exp(cosine / temperature).

    Requirements:
        Row j of every view and of `items` belongs to training sample j.

    Inputs:
        | argument | shape | meaning |
        |---|---|---|
        | views | V x [n, D] | states of the sample, one per stream, in the space of this modality |
        | items | [n, D] | encoded target item of the sample |
        | targets | [n] | target item index; see `same_target_negatives` |

    Recommendations:
        Samples with the same target are negatives of each other in the paper's formula
        (`same_target_negatives="kept"`). "dropped" leaves them out; "zero_logit" is the authors'
        code, which leaves them out but adds exp(0) for each.

    Relations to other losses:
        With one view it is InfoNCE with in-batch negatives.
    """
    with torch.autocast(items.device.type, enabled=False):
        candidates = unit(items)
        rule = _SameTarget.of(targets, same_target_negatives, candidates.dtype)
        logits = [rule.logits(unit(view) / temperature, candidates) for view in views]  # V x [n, n]
        positives = torch.stack([view_logits.diagonal() for view_logits in logits])  # [V, n]
        return (torch.cat(logits, dim=1).logsumexp(dim=1) - positives.logsumexp(dim=0)).mean()


def cross_modal_contrastive(
    first: Tensor,
    second: Tensor,
    targets: Tensor,
    *,
    temperature: float,
    denominator: CmclDenominator,
    same_target_negatives: SameTargetRule,
) -> Tensor:
    """Cross-modal contrastive loss between two views of the same sequences, CMCL (MP4SR eq. 9, 10).

    Mean over both directions of -log f(a_j, b_j) / denominator_j, f = exp(cosine / temperature).

    Requirements:
        Row j of both views belongs to training sample j.

    Inputs:
        | argument | shape | meaning |
        |---|---|---|
        | first, second | [n, D] | states of the two streams, in the same space |
        | targets | [n] | target item index; `same_target_negatives` as in `next_item_prediction` |

    Recommendations:
        `denominator` "gca": all inter-view pairs plus the intra-view pairs of other samples, the
        loss that the paper cites. "literal": eq. 9 as printed, which has the
        inter-view sum twice, the second time without the positive. "inter_only": the inter-view
        pairs alone. "released": the authors' code, "gca" but for the second direction, whose
        inter-view pairs are those of the first, a_j with every b: which view is first matters.

    Relations to other losses:
        "gca" is the GRACE/GCA loss; "inter_only" is the symmetric InfoNCE of CLIP.
    """
    with torch.autocast(first.device.type, enabled=False):
        first, second = unit(first), unit(second)
        rule = _SameTarget.of(targets, same_target_negatives, first.dtype)
        inter = rule.logits(first / temperature, second)  # [n, n]
        positives = inter.diagonal()
        directions = []
        back = inter if denominator == "released" else inter.T
        for towards, anchors in ((inter, first), (back, second)):
            match denominator:
                case "gca" | "released":
                    other_pairs = [_off_diagonal(rule.logits(anchors / temperature, anchors))]
                case "literal":
                    other_pairs = [_off_diagonal(towards)]
                case "inter_only":
                    other_pairs = []
                case _:
                    assert_never(denominator)
            terms = torch.cat([towards, *other_pairs], dim=1)  # [n, n] or [n, 2n]
            directions.append((terms.logsumexp(dim=1) - positives).mean())
        return (directions[0] + directions[1]) / 2


def item_contrast(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """Contrast of two views of the same items, in both directions (MMSRec section 3.3).

    -mean_i log softmax_j(cosine(a_i, b_j) / temperature)_i, and the same from b to a; their sum.

    Requirements:
        Row i of both views belongs to item i. Items that are in the batch twice are told apart.

    Inputs:
        | argument | shape | meaning |
        |---|---|---|
        | first, second | [n, D] | the views, in the same space |

    Relations to other losses:
        Twice the symmetric InfoNCE of CLIP, which is `cross_modal_contrastive` with "inter_only".
    """
    with torch.autocast(first.device.type, enabled=False):
        logits = (unit(first) / temperature) @ unit(second).T  # [n, n]
        own = logits.diagonal()
        return (logits.logsumexp(dim=1) - own).mean() + (logits.logsumexp(dim=0) - own).mean()


def full_cross_entropy(
    queries: Tensor, table: Tensor, targets: Tensor, *, max_logits: int | None = None
) -> Tensor:
    """Softmax cross-entropy of the targets over the whole catalogue.

    Requirements:
        Row 0 of the table is padding and is no candidate; targets are 1 or more.

    Inputs:
        | argument | shape | meaning |
        |---|---|---|
        | queries | [n, D] | already divided by the temperature, if there is one |
        | table | [N, D] | one row per item |
        | targets | [n] | index of the right item |

    Recommendations:
        Samples are taken in chunks, and gradients computed along with the loss: at most
        `max_logits` logits exist at a time, or those of one sample.

    Relations to other losses:
        `next_item_prediction` with one view uses the batch's targets as the only candidates.
    """
    queries, table = at_least_float32(queries), at_least_float32(table)
    with torch.autocast(queries.device.type, enabled=False):
        return mean_cross_entropy(queries, table, targets, max_logits=max_logits)


def _off_diagonal(logits: Tensor) -> Tensor:
    """The logits without those of a sample with itself."""
    return logits.clone().fill_diagonal_(-torch.inf)


@dataclass(frozen=True)
class _SameTarget:
    """Pairs of samples with the same target, and what becomes of their logits."""

    zeroed: Tensor | None  # [n, n] True where the logit is replaced by 0
    penalty: Tensor  # [n, n] added to the logits

    @classmethod
    def of(cls, targets: Tensor, rule: SameTargetRule, dtype: torch.dtype) -> _SameTarget:
        same = (targets.unsqueeze(0) == targets.unsqueeze(1)).fill_diagonal_(False)  # [n, n]
        penalty = torch.zeros(same.shape, dtype=dtype, device=same.device)
        match rule:
            case "dropped":
                return cls(None, penalty.masked_fill_(same, -torch.inf))
            case "zero_logit":
                return cls(same, penalty)
            case "kept":
                return cls(None, penalty)
            case _:
                assert_never(rule)

    def logits(self, anchors: Tensor, others: Tensor) -> Tensor:
        """Inner products [n, n] of all pairs, under the rule."""
        # One fused call: adding the penalty costs nothing beside the product.
        logits = torch.addmm(self.penalty, anchors, others.T)
        return logits if self.zeroed is None else logits.masked_fill(self.zeroed, 0.0)
