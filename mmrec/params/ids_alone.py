"""Settings of a model with content in, those of the nearest one of item IDs alone out."""

from __future__ import annotations

from typing import Any

from mmrec.params.model import SystemParams
from mmrec.params.models.mmsr import MmsrParams
from mmrec.params.next_item import NextItemFinetune
from mmrec.params.training import LoopParams, TransformerArchitecture


def ids_alone(model: SystemParams) -> dict[str, Any]:
    """An entry of `models` that reads no features.

    MMSR has such a form itself. Of all others it is SASRec, with whatever their transformer over
    a history and their fine-tuning have in common with it; what they have not is SASRec's own.
    """
    assert model.finetune is not None
    if isinstance(model, MmsrParams):
        written = model.model_dump(mode="json")
        written["architecture"]["modality"] = "ids"
        return {**written, "pretrain": None}
    return {
        "name": "sasrec",
        "architecture": _encoder(model),
        "pretrain": None,
        "finetune": _training(model.finetune),
    }


def _encoder(model: SystemParams) -> dict[str, Any]:
    written = model.architecture.model_dump(mode="json")
    # PMMRec has its transformer in a section of its own.
    found = {**written, **(written.get("encoder") or {})}
    if found.get("feedforward_dim", 0) is None:
        found["feedforward_dim"] = 4 * found["embedding_dim"]
    return {name: found[name] for name in TransformerArchitecture.model_fields if name in found}


def _training(training: LoopParams) -> dict[str, Any]:
    written = training.model_dump(mode="json")
    # A training without a choice, MMSRec's, is one on prefixes.
    found = {"batching": "prefix", **written}
    return {name: found[name] for name in NextItemFinetune.model_fields if name in found}
