"""A run of `params.yaml` in, what its model card says out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, Final

from mmrec.io import read_json
from mmrec.params.embed_entries import entry_of
from mmrec.params.models.mp4sr import Mp4srParams
from mmrec.params.pipeline import Params
from mmrec.params.section import Section
from mmrec.params.training import LoopParams
from mmrec.paths import Paths
from mmrec.report.model_card import CardFacts, CatalogueCounts, Content
from mmrec.report.runs import RunReport
from mmrec.report.shapes import FeatureStores

_WITH_IDS: Final = ("sasrecm", "fdsa")
"""Models with content that have weights for each single item, however they are set."""
COUNTED: Final = ("itemknn", "transitions")
"""Models that have no weights: they are counted from interactions whenever they are built."""
_VERSIONS: Final = ("mmrec", "torch")


def card_facts(
    run: RunReport,
    params: Params,
    paths: Paths,
    *,
    loading: Sequence[str],
    counts: CatalogueCounts | None = None,
) -> CardFacts:
    """What the card of a run says.

    Args:
        run: an entry of `runs`.
        params: with the run.
        paths: of the project.
        loading: lines that open it.
        counts: of its catalogue, where they are known.

    Raises:
        DataError: what is told of a feature's stores is missing.
    """
    model = params.models[run.model]
    training = model.finetune
    return CardFacts(
        run=run,
        kind=model.name,
        source=params.datasets[run.dataset].source.name,
        cold_threshold=params.datasets[run.dataset].clean.cold_threshold,
        set_apart=_set_apart(run, params),
        contents=[*_contents(run, params, paths)],
        by_id=by_id(model),
        loading=loading,
        versions={name: metadata.version(name).partition("+")[0] for name in _VERSIONS},
        counts=counts,
        max_epochs=training.epochs if training else None,
        keep=training.keep if training else "best",
    )


def by_id(model: Section) -> bool:
    """Whether a model that reads content has weights for each single item beside it."""
    if isinstance(model, Mp4srParams):
        return model.finetune.use_id
    return getattr(model, "name", None) in _WITH_IDS


def loading_in_project(name: str, kind: str) -> list[str]:
    """Lines that open a run of a project, whose model is of a kind."""
    lines = [
        "In the folder of its project:",
        "",
        "```python",
        "from mmrec import open_run",
        "",
        f'run = open_run("{name}")',
        'run.recommend([["<item id>", "<item id>"]], k=10)',
        "```",
        "",
        f"    mmrec recommend --run {name} --history <item id>,<item id>",
    ]
    if kind not in COUNTED:
        lines += ["", f"`mmrec export {name} <folder>` writes it as a folder without project."]
    return lines


def _set_apart(run: RunReport, params: Params) -> dict[str, Any]:
    """Settings that were given and are not the defaults, pre-training's among them."""
    model = params.models[run.model]
    told = _given(model, "finetune")
    start = run.pretraining and params.models[run.pretraining.model].pretrain
    if isinstance(start, LoopParams):
        told["pretrain"] = start.model_dump(mode="json", exclude_defaults=True)
    return told


def _given(model: Section, stage: str) -> dict[str, Any]:
    found = model.model_dump(
        mode="json", exclude_defaults=True, include={"name", "architecture", stage}
    )
    return {name: value for name, value in found.items() if value}


def _contents(run: RunReport, params: Params, paths: Paths) -> Iterator[Content]:
    """Features that the model reads; a run may name more."""
    model = params.models[run.model]
    read = set(model.modalities("finetune")) | ({"text"} if model.reads_words else set())
    for modality, feature in (("text", run.text), ("image", run.image)):
        if modality not in read or feature == "none":
            continue
        entry = entry_of(params.embed, run.dataset, feature)
        if entry is None:
            yield Content(feature, modality, "", ())
            continue
        folder = paths.dataset(run.dataset).features(feature)
        yield Content(
            feature,
            modality,
            _extractor(entry.extractor),
            read_json(folder.with_name(f"{feature}.json"), FeatureStores)["stores"],
            entry.knockout.name if entry.knockout else "",
        )


def _extractor(extractor: Section) -> str:
    """Kind and weights: what the settings name, and not how a content is prepared."""
    told = extractor.model_dump(mode="json")
    weights = (told.get(name) for name in ("model", "pretrained", "checkpoint", "revision"))
    return f"{told['name']}, " + ", ".join(f"`{one}`" for one in weights if one)
