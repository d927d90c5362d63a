"""Names in `params.yaml` that point to nothing, and entries that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from mmrec.params.features import (
    BAG_OF_WORDS,
    EmbedImageParams,
    EmbedPairParams,
    EmbedParams,
    EmbedTextParams,
    level_of,
)
from mmrec.params.known_names import unknown
from mmrec.params.last_stages import wrong_last_stages
from mmrec.params.model import Stage, SystemParams
from mmrec.params.pipeline import Params, PretrainingParams, RunParams
from mmrec.params.ranked import wrong_ensembles
from mmrec.params.sources import names_pictures_on_the_web
from mmrec.params.training import Modality
from mmrec.params.users import wrong_without_users
from mmrec.params.words import NOT_EXTRACTED, wrong_words

T = TypeVar("T")
MODALITIES: Final[tuple[Modality, ...]] = ("text", "image")


def valid_parts(data: object) -> Params:
    """As much of a wrong file as is valid, entry by entry; what is not is None.

    So what does not go together is reported with what is wrong in itself.
    """
    params: Params = _valid_sections(Params, data)
    return params


def _valid_sections(kind: type[BaseModel], data: object) -> Any:
    found = data if isinstance(data, Mapping) else {}
    return kind.model_construct(
        **{
            name: _valid(field.annotation, found.get(name))
            for name, field in kind.model_fields.items()
        }
    )


def _valid(annotation: Any, value: object) -> Any:
    if annotation is EmbedParams:
        return _valid_sections(EmbedParams, value)
    if get_origin(annotation) is dict:
        entries = value if isinstance(value, Mapping) else {}
        kind = get_args(annotation)[1]
        return {name: _valid(kind, entry) for name, entry in entries.items()}
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return None


def wrong_references(params: Params) -> Iterator[str]:
    """Names that point to entries that do not exist, or that contradict each other."""
    for name, dataset in _valid_entries(params.datasets):
        if dataset.crawl is None and names_pictures_on_the_web(dataset.source):
            yield (
                f"datasets.{name}.crawl: found null, but its source names pictures on the web;"
                " say how to download them, or take none of them"
            )
    for path, entry in _embed_entries(params).items():
        yield from unknown(f"{path}.dataset", entry.dataset, params.datasets)
    yield from _wrong_features(params)
    for key, pretraining in _valid_entries(params.pretrainings):
        yield from _wrong_slots(params, f"pretrainings.{key}", pretraining, "pretrain")
        yield from _nothing_to_pretrain(params, key, pretraining)
    for key, run in _valid_entries(params.runs):
        yield from _wrong_slots(params, f"runs.{key}", run, "finetune")
        yield from unknown(f"runs.{key}.init_from", run.init_from, ["none", *params.pretrainings])
        yield from _wrong_start(params, key, run)
    for name, union in _valid_entries(params.unions):
        yield from unknown(f"unions.{name}.left", union.left, params.datasets)
        yield from unknown(f"unions.{name}.right", union.right, params.datasets)
        if union.left == union.right:
            yield f"unions.{name}.right: found '{union.right}', as left; name another dataset"
    yield from wrong_ensembles(params)
    yield from wrong_without_users(params)
    yield from wrong_last_stages(params)


def _valid_entries(section: Mapping[str, T]) -> Iterator[tuple[str, T]]:
    return ((name, entry) for name, entry in section.items() if entry is not None)


def _embed_entries(
    params: Params,
) -> dict[str, EmbedTextParams | EmbedImageParams | EmbedPairParams]:
    text = {f"embed.text.{key}": entry for key, entry in _valid_entries(params.embed.text)}
    image = {f"embed.image.{key}": entry for key, entry in _valid_entries(params.embed.image)}
    pair = {f"embed.pair.{key}": entry for key, entry in _valid_entries(params.embed.pair)}
    return {**text, **image, **pair}


def _wrong_slots(
    params: Params, where: str, trained: PretrainingParams | RunParams, stage: Stage
) -> Iterator[str]:
    """What is wrong with the dataset, the model and the features of a training."""
    yield from unknown(f"{where}.dataset", trained.dataset, params.datasets)
    yield from unknown(f"{where}.model", trained.model, params.models)
    yield from _unknown_features(params, where, trained)
    yield from _missing_modalities(params, where, trained, stage)
    yield from _wrong_level(params, where, trained, stage)
    yield from wrong_words(params, where, trained)


def _unknown_features(
    params: Params, where: str, trained: PretrainingParams | RunParams
) -> Iterator[str]:
    entries = _embed_entries(params)
    embed = params.embed
    if len(entries) < len(embed.text) + len(embed.image) + len(embed.pair):
        return  # the feature may be that of an entry that is wrong itself
    found = {entry.feature for entry in entries.values() if entry.dataset == trained.dataset}
    known = ["none", *sorted(found)]
    yield from unknown(f"{where}.text", trained.text, [*known, BAG_OF_WORDS])
    yield from unknown(f"{where}.image", trained.image, known)


def _wrong_level(
    params: Params, where: str, trained: PretrainingParams | RunParams, stage: Stage
) -> Iterator[str]:
    """Features that a model cannot read, or whose extractors keep too little for it."""
    model = params.models.get(trained.model)
    if model is None:
        return
    written = {
        (entry.dataset, entry.feature): (path, entry.extractor)
        for path, entry in _embed_entries(params).items()
    }
    reader = f"model '{trained.model}' ({model.name})"
    for modality in MODALITIES:
        feature = getattr(trained, modality)
        path, extractor = written.get((trained.dataset, feature), ("", None))
        if extractor is None:
            continue
        found, level = f"{where}.{modality}: found '{feature}'", level_of(extractor)
        if level not in model.levels:
            allowed = " or ".join(model.levels)
            yield (
                f"{found}, which {path} writes as {level}, but {reader} reads {allowed}; name a "
                f"feature of {allowed}"
            )
        elif modality in model.modalities(stage):
            yield from _too_little_kept(model, stage, modality, extractor, (found, path, reader))


def _too_little_kept(
    model: SystemParams,
    stage: Stage,
    modality: Modality,
    extractor: object,
    words: tuple[str, str, str],
) -> Iterator[str]:
    """Fewer blocks than are trained, or no class token where one is read."""
    found, path, reader = words
    kept = getattr(extractor, "below_last", 0)
    if kept < model.blocks_needed():
        yield (
            f"{found}, whose states enter {kept} blocks ({path}.extractor.below_last), but "
            f"{reader} trains {model.blocks_needed()}; keep more of them, or train fewer "
            "(architecture.tune)"
        )
    if modality in model.class_tokens(stage) and not getattr(extractor, "special_tokens", True):
        yield (
            f"{found}, which {path} writes without special tokens, but {reader} reads a class "
            "token of each content; set its extractor.special_tokens to true, or let the mean "
            f"stand for it (architecture.{modality}_cls)"
        )


def _wrong_features(params: Params) -> Iterator[str]:
    owners: dict[tuple[str, str], str] = {}
    for path, entry in _embed_entries(params).items():
        if entry.feature in NOT_EXTRACTED:
            reason = NOT_EXTRACTED[entry.feature]
            yield f"{path}.feature: '{entry.feature}' is {reason}; choose another"
        key = (entry.dataset, entry.feature)
        if owners.setdefault(key, path) != path:
            yield (
                f"{path}.feature: {owners[key]} already writes feature '{entry.feature}' "
                f"of dataset '{entry.dataset}'; choose another"
            )
    for name, text in _valid_entries(params.embed.text):
        dataset = params.datasets.get(text.dataset)
        wants_keywords = text.input.startswith("keywords/")
        if dataset and wants_keywords and dataset.keywords.name == "none":
            yield (
                f"embed.text.{name}.input: reads keywords, but "
                f"datasets.{text.dataset}.keywords.name is 'none'; set it or read sentences"
            )


def _missing_modalities(
    params: Params, where: str, trained: PretrainingParams | RunParams, stage: Stage
) -> Iterator[str]:
    model = params.models.get(trained.model)
    if model is None or model.reads_words:
        return
    advice = ", or ".join(filter(None, ["name one", model.without_features(stage)]))
    for modality in model.modalities(stage):
        if getattr(trained, modality) == "none":
            yield (
                f"{where}.{modality}: found 'none', but model '{trained.model}' reads {modality} "
                f"features in {stage}; {advice}"
            )


def _nothing_to_pretrain(
    params: Params, name: str, pretraining: PretrainingParams
) -> Iterator[str]:
    if name == "none":
        yield (
            "pretrainings.none: 'none' is the name of no pre-training, it is what a run starts "
            "from that starts from none; choose another"
        )
    model = params.models.get(pretraining.model)
    if model and model.pretrain is None:
        yield (
            f"pretrainings.{name}.model: '{pretraining.model}' has no pre-training (pretrain: "
            "null); set it, or take this entry out and let its runs start from none"
        )


def _wrong_start(params: Params, name: str, run: RunParams) -> Iterator[str]:
    start = params.pretrainings.get(run.init_from)
    model = params.models.get(run.model)
    start_model = params.models.get(start.model) if start else None
    reason = model.takes(start_model) if model and start_model else None
    if start and reason:
        yield (
            f"runs.{name}.init_from: model '{run.model}' cannot start from model '{start.model}' "
            f"of '{run.init_from}': {reason}, or none"
        )
