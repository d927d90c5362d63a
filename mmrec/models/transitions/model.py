"""One-step transitions: what most often came directly after the last item.

Shapes: N items incl. padding.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from mmrec.data.sequences import Sequences
from mmrec.models.item_to_item import ItemToItem, counts


class Transitions(ItemToItem):
    """Score = how often the candidate came directly after the last item; nothing to train."""


def transition_counts(sequences: Sequences, num_items: int) -> sparse.csr_array:
    """How often the item of a column came directly after that of a row, [N, N].

    Args:
        sequences: training parts.
        num_items: N.
    """
    items = sequences.items.long().numpy()
    starts = sequences.offsets[:-1][sequences.lengths > 0].numpy()
    follows = np.ones(len(items), dtype=bool)  # all but the first item of each user
    follows[starts] = False
    after = follows.nonzero()[0]
    return counts(items[after - 1], items[after], (num_items, num_items))
