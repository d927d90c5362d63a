"""What the settings of models share that read each feature of an item as one vector."""

from __future__ import annotations

from typing import Literal

from mmrec.params.model import Stage
from mmrec.params.next_item import NextItemParams
from mmrec.params.training import Modality, TransformerArchitecture


class ContentArchitecture(TransformerArchitecture):
    """A transformer over items that are known by their features.

    An item with several rows of a feature, as sentences or keywords, is the mean of them; one with
    none has a learned vector in their place, the same for all such items, as in MP4SR.
    """

    modality: Literal["both", "text", "image"] = "both"
    """Features that items are known by; a run needs no other."""


class ContentParams(NextItemParams):
    """A model that reads text, image or both as one vector each."""

    architecture: ContentArchitecture

    def modalities(self, stage: Stage) -> tuple[Modality, ...]:  # noqa: ARG002
        """Those that it reads, in order."""
        modality = self.architecture.modality
        return ("text", "image") if modality == "both" else (modality,)

    def without_features(self, stage: Stage) -> str:  # noqa: ARG002
        """It reads one of the two where asked."""
        return "read the other alone (architecture.modality)"
