"""MMSRec's pre-training: items told apart by what their modalities say (paper section 3.3).

Shapes: n items of a batch, m items of all processes, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mmrec.data.item_batches import ItemBatch
from mmrec.models.item_table import TABLE_CHUNK
from mmrec.models.mmsrec.model import BOTH, Mmsrec
from mmrec.nn.losses import item_contrast
from mmrec.nn.processes import Parts
from mmrec.nn.scoring import unit
from mmrec.recommender import Objective, inference

PASSES = {"text": (True, False), "image": (False, True), "both": BOTH}
PAIRS = {"text": {"text", "text_to_image"}, "image": {"image", "text_to_image"}, "both": {"both"}}
"""Of each pass, the pairs it is in."""


class ItemContrast(Objective):
    """Six passes over each item, two of each choice of modalities, contrasted in four pairs.

    Two passes differ by their draws of dropout alone.

    Args:
        recommender: Whose items' states are contrasted.
        weights: Of the pairs: `text`, `image`, `text_to_image`, `both`; one of 0 is left out.
    """

    def __init__(self, recommender: Mmsrec, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.recommender: Mmsrec = recommender
        self.weights = {name: weight for name, weight in weights.items() if weight}

    def forward(self, batch: ItemBatch) -> dict[str, Tensor]:
        """Losses named as the weights; items without text or without image must not be there."""
        parts = Parts.of(len(batch.items), batch.items.device)
        passes = {
            name: self.recommender.states_by_modality(batch.items, reads, num_draws=2)
            for name, reads in PASSES.items()
            if PAIRS[name] & self.weights.keys()
        }  # [2, n, D] each
        losses = {}
        for name, weight in self.weights.items():
            first, second = ("text", "image") if name == "text_to_image" else (name, name)
            contrast = item_contrast(
                parts.gather(passes[first][0]),
                parts.gather(passes[second][0 if first != second else 1]),
                temperature=self.recommender.temperature,
            )
            # Every process has the loss of the whole batch.
            losses[name] = weight / len(parts.counts) * contrast
        return losses

    def text_and_image(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Directions of items by text alone and by image alone, without gradient; [n, D] each."""
        with inference(self):
            text, image = (
                torch.cat(
                    [
                        unit(self.recommender.states_by_modality(chunk, PASSES[name])[0])
                        for chunk in torch.split(items, TABLE_CHUNK)
                    ]
                )
                for name in ("text", "image")
            )
            return text, image
