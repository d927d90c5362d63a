"""All settings that the results of a run depend on, to tell whether these are still of now."""

from __future__ import annotations

from typing import Any

from mmrec.params.features import EmbedParams
from mmrec.params.pipeline import Params, PretrainingParams, RunParams


def run_settings(params: Params, name: str) -> dict[str, Any]:
    """Those of a run, its pre-training, their dataset's source and features, and the protocol."""
    run = params.runs[name]
    start = params.pretrainings.get(run.init_from)
    trained: list[RunParams | PretrainingParams] = [run, *([start] if start else [])]
    datasets = {entry.dataset for entry in trained}
    read = {(entry.dataset, feature) for entry in trained for feature in (entry.text, entry.image)}
    return {
        "run": run.model_dump(mode="json"),
        "model": params.models[run.model].described("finetune"),
        "pretraining": start and start.model_dump(mode="json"),
        "pretrained": start and params.models[start.model].described("pretrain"),
        "datasets": {
            dataset: params.datasets[dataset].model_dump(mode="json", exclude={"crawl"})
            for dataset in sorted(datasets)
        },
        "features": _features(params.embed, read),
        "validation": params.validation.model_dump(mode="json"),
        "mask_history": params.evaluate.mask_history,
    }


def _features(embed: EmbedParams, read: set[tuple[str, str]]) -> dict[str, Any]:
    kinds = (embed.text, embed.image, embed.pair)
    return {
        f"{entry.dataset}/{entry.feature}": entry.model_dump(mode="json")
        for kind in kinds
        for entry in kind.values()
        if (entry.dataset, entry.feature) in read
    }
