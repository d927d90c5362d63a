"""Settings of neighbours by content."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from mmrec.params.features import Level
from mmrec.params.model import Stage, SystemParams
from mmrec.params.section import Section
from mmrec.params.training import Modality


class TfidfContent(Section):
    """Words, weighed as scikit-learn's `TfidfVectorizer` does, by whose names its switches go.

    Document frequencies are of the whole catalogue, items that nobody knows included.
    """

    name: Literal["tfidf"]
    sublinear_tf: bool = False
    """1 + log of how often an item has a word, in place of how often."""
    smooth_idf: bool = True
    """As if there were one more item, which has every word."""
    min_df: PositiveInt = 1
    """Items that must have a word for it to count."""
    max_df: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the items that may have a word; what more of them have is left out."""


class MeanVectorsContent(Section):
    """Features of extractors: the mean of an item's vectors, or of all its token states."""

    name: Literal["mean_vectors"]
    modality: Literal["both", "text", "image"] = "both"
    """Features that are compared; of both, the cosines add up. A run needs no other."""


class ContentKnnArchitecture(Section):
    """What is alike, and what of a history it is compared with."""

    content: Annotated[TfidfContent | MeanVectorsContent, Field(discriminator="name")]
    """What items are compared by."""
    history_length: PositiveInt = 10
    """Latest items of a history that count."""
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How much each of them counts in comparison with the one after it: 1 is all alike."""
    num_neighbours: PositiveInt | None = None
    """Most similar items of each candidate that count, as in item-kNN; null is all items."""


class ContentKnnParams(SystemParams):
    """Items whose content is like that of the history's items; nothing to train."""

    levels: ClassVar[tuple[Level, ...]] = ("vectors", "tokens")

    name: Literal["contentknn"]
    architecture: ContentKnnArchitecture
    pretrain: None
    finetune: None

    @property
    def has_vectors(self) -> bool:
        """Where all items are neighbours, by vectors of extractors."""
        architecture = self.architecture
        return architecture.num_neighbours is None and not self.reads_words

    @property
    def reads_words(self) -> bool:
        """By TF-IDF."""
        return isinstance(self.architecture.content, TfidfContent)

    def modalities(self, stage: Stage) -> tuple[Modality, ...]:  # noqa: ARG002
        """Those that are compared."""
        content = self.architecture.content
        if isinstance(content, TfidfContent):
            return ("text",)
        return ("text", "image") if content.modality == "both" else (content.modality,)

    def without_features(self, stage: Stage) -> str:  # noqa: ARG002
        """It compares one of the two where asked."""
        return "compare the other alone (architecture.content.modality)"
