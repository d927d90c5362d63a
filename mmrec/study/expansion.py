"""A study and its base in, the params file of all its runs out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmrec.evaluation.lists import list_cutoffs
from mmrec.params.ranked import SLOTS
from mmrec.params.study import StudyError, StudyParams, changed
from mmrec.params.study_rows import EnsembleRow, StudyRow
from mmrec.study.base import free_name, known_features, read_base
from mmrec.study.shown import with_shown

Names = Mapping[str, tuple[str, ...]]
"""Names of each row's runs, or ensembles, a seed each."""


class Expanded(NamedTuple):
    """What a study is in terms of the pipeline.

    Attributes:
        params: as `params.yaml` has it.
        runs: names of each row's runs or ensembles, in the order of the seeds.
    """

    params: dict[str, Any]
    runs: Names


def expand(study: StudyParams, project: Path) -> Expanded:
    """Write rows out as models, and for each seed as runs and pre-trainings that they start from.

    Rows of several others are ensembles of these runs.

    Raises:
        StudyError: the base cannot be taken, or a row names what neither it nor the study has.
    """
    base = read_base(study, project)
    own: dict[str, dict[str, Any]] = {"models": {}, "pretrainings": {}, "runs": {}, "ensembles": {}}
    names: dict[str, tuple[str, ...]] = {}
    owners: dict[str, str] = {}
    for row, settings in study.model_rows.items():
        key = free_name(_key(row), own["models"])
        own["models"][key] = _model(row, settings, study, base)
        entry = {**_slots(row, settings, study, base), "model": key}
        source = {**entry, "dataset": settings.pretrained_on or entry["dataset"]}
        shared = key
        if settings.pretrained:
            _check_source(row, source, base)
            shared = owners.setdefault(_decisive(own["models"][key], source), key)
        names[row] = tuple(f"{key}-{seed}" for seed in study.seeds)
        for name, seed in zip(names[row], study.seeds, strict=True):
            start = "none"
            if settings.pretrained:
                start = f"{shared}-{seed}"
                own["pretrainings"].setdefault(start, {**source, "seed": seed})
            own["runs"][name] = {**entry, "init_from": start, "seed": seed}
    names |= _add_ensembles(own, study, names)
    # Ensembles of the base are of its runs, which these replace.
    params = changed({**base, **own}, _protocol(study))
    return Expanded(with_shown(params, study, names), {row: names[row] for row in study.rows})


def _add_ensembles(own: dict[str, dict[str, Any]], study: StudyParams, runs: Names) -> Names:
    """Add an ensemble for each seed of each row of several others; returns their names."""
    names, taken = {}, {*own["models"]}
    for row, settings in study.ensembles.items():
        key = free_name(_key(row), taken)
        taken.add(key)
        names[row] = tuple(f"{key}-{seed}" for seed in study.seeds)
        for place, name in enumerate(names[row]):
            parts = [runs[part][place] for part in settings.ensemble]
            dataset = study.dataset_of(row)
            own["ensembles"][name] = _ensemble(settings, dataset, parts, own["runs"])
    return names


def _ensemble(
    settings: EnsembleRow, dataset: str, parts: Sequence[str], runs: Mapping[str, Any]
) -> dict[str, Any]:
    slots = {slot: {"run": "none", "text": "none", "image": "none"} for slot in SLOTS}
    for slot, part in zip(SLOTS, parts, strict=False):
        slots[slot] = {"run": part, "text": runs[part]["text"], "image": runs[part]["image"]}
    chosen = settings.model_dump(mode="json", include={"metric", "weights"})
    return {"dataset": dataset, **slots, **chosen}


def _protocol(study: StudyParams) -> dict[str, dict[str, Any]]:
    """What replaces the base's: what the study says, and what columns of lists need."""
    masked = {} if study.mask_history is None else {"mask_history": study.mask_history}
    protocol: dict[str, Any] = {**masked}
    if study.cold_positions:
        protocol["cold_positions"] = study.cold_positions
    if lists_at := list_cutoffs(study.columns):
        protocol["lists_at"] = lists_at
    return {"evaluate": protocol, "validation": masked}


def _model(
    row: str, settings: StudyRow, study: StudyParams, base: Mapping[str, Any]
) -> dict[str, Any]:
    models = base["models"]
    if settings.model not in models:
        raise StudyError(
            f"rows.{row}.model: found '{settings.model}', allowed: {', '.join(models)} (models of "
            "the base)"
        )
    model = changed(models[settings.model], settings.change)
    asked = {"convergence": study.convergence, "losses": study.losses}
    if (told := [name for name, of_rows in asked.items() if of_rows]) and (
        model.get("finetune") is None
    ):
        raise StudyError(
            f"rows.{row}.model: found '{settings.model}', which is not trained, but {told[0]} is "
            f"told of every row; take out the row or {told[0]}"
        )
    return model


def _slots(
    row: str, settings: StudyRow, study: StudyParams, base: Mapping[str, Any]
) -> dict[str, str]:
    """Dataset and features that a row reads, all of which there are."""
    dataset = study.dataset_of(row)
    if dataset not in base["datasets"]:
        where = f"rows.{row}.dataset" if settings.dataset else "dataset"
        raise StudyError(f"{where}: found '{dataset}', allowed: {', '.join(base['datasets'])}")
    features = {
        "text": (settings.text, study.text),
        "image": (settings.image, study.image),
    }
    slots = {"dataset": dataset}
    known = known_features(base, dataset)
    for modality, (own, common) in features.items():
        slots[modality] = own or common
        if slots[modality] not in known:
            where = f"rows.{row}.{modality}" if own else f"{modality} (of row '{row}')"
            raise StudyError(
                f"{where}: found '{slots[modality]}', allowed: {', '.join(known)} (features of "
                f"dataset '{dataset}')"
            )
    return slots


def _check_source(row: str, source: Mapping[str, str], base: Mapping[str, Any]) -> None:
    """Refuse a pre-training on a dataset that is not there, or has not what the row reads."""
    where, dataset = f"rows.{row}.pretrained_on", source["dataset"]
    if dataset not in base["datasets"]:
        raise StudyError(f"{where}: found '{dataset}', allowed: {', '.join(base['datasets'])}")
    known = known_features(base, dataset)
    for modality in ("text", "image"):
        if source[modality] not in known:
            raise StudyError(
                f"{where}: found '{dataset}', which has no feature '{source[modality]}', the row's "
                f"{modality}; it has {', '.join(known)}: give it one of that name, or let the row "
                "read another"
            )


def _decisive(model: Mapping[str, Any], entry: Mapping[str, str]) -> str:
    """All that a pre-training depends on but its seed; rows that agree in it share one."""
    of_model = {name: model.get(name) for name in ("name", "architecture", "pretrain")}
    slots = {name: entry[name] for name in ("dataset", "text", "image")}
    return json.dumps([of_model, slots], sort_keys=True)


def _key(row: str) -> str:
    """A row's label as a name, such as `w/o NIP` as `w-o-NIP`."""
    return re.sub(r"[^A-Za-z0-9]+", "-", row).strip("-") or "row"
