"""Settings of training on items that have an ID's embedding beside their content."""

from __future__ import annotations

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat

from mmrec.params.section import Section
from mmrec.params.training import NextItemTrainingParams, Probability


class IdDropoutParams(Section):
    """Items without the embedding of their ID, so that their content must serve.

    After DropoutNet (Volkovs et al., NIPS 2017). In training any item goes without by chance; what
    has too few training interactions always does, in training and wherever items are ranked.
    """

    chance: Probability = 0.5
    """Drawn for each item in each step, for histories and candidates together; 0 for none."""
    min_count: NonNegativeInt = 1
    """Training interactions from which on an item has its ID. 1: items that nobody has trained
    are known by their content alone; the `cold_threshold`: all cold items are."""
    ranked_weight: NonNegativeFloat = 1.0
    """What the embedding counts where items are ranked, in validation and test and in retrieval
    vectors. Below 1 content counts for more, and items without an ID are less behind; at 0 it is
    all that counts. Losses have it whole."""


class AlignmentParams(Section):
    """A contrast beside the loss: an item's ID finds its own content among that of others.

    After CLCRec (Wei et al., ACM MM 2021), over the distinct targets of a batch.
    """

    weight: PositiveFloat = 0.1
    """Of the contrast in the sum of losses."""
    temperature: PositiveFloat = 0.2
    """Divides cosines."""


class OwnIdsTrainingParams(NextItemTrainingParams):
    """Training on the next item of a model that adds the embedding of an ID to content."""

    id_dropout: IdDropoutParams | None = None
    """Which items go without the embedding; by default none does."""
    alignment: AlignmentParams | None = None
    """A contrast between the embeddings and the content; by default there is none."""
