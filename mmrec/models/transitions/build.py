"""The counter of one-step transitions in the training parts; nothing to train."""

from __future__ import annotations

from mmrec.data.split import training_part
from mmrec.models.data import ModelData
from mmrec.models.transitions.model import Transitions, transition_counts
from mmrec.params.model import Stage
from mmrec.params.models.transitions import TransitionsParams


def build_recommender(params: TransitionsParams, data: ModelData, stage: Stage) -> Transitions:
    """Counts of what followed what; of a history it reads the last item."""
    weights = transition_counts(training_part(data.sequences), data.num_items)
    return Transitions(weights, max_sequence_length=1)
