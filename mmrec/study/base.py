"""The params file that a study starts from, and what the study adds to it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmrec.params.file import ParamsError, load_params
from mmrec.params.study import StudyError, StudyParams, changed
from mmrec.params.words import NOT_EXTRACTED
from mmrec.params.yaml_file import read_yaml


def read_base(study: StudyParams, project: Path) -> dict[str, Any]:
    """What the base says, without defaults, with the study's own models, features and datasets.

    Raises:
        StudyError: it is no valid params file, or has not what the study takes from it.
    """
    path = project / study.base
    try:
        load_params(path)
        base: Any = read_yaml(path)
    except (ParamsError, OSError) as error:
        raise StudyError(f"base: {study.base} cannot be taken ({error})") from None
    return _with_datasets(_with_features(_with_models(base, study), study), study)


def features_of(params: Mapping[str, Any], dataset: str) -> list[str]:
    """Names of a dataset's features, in the order of their entries."""
    return [entry["feature"] for _, entry in _entries(params) if entry["dataset"] == dataset]


def known_features(params: Mapping[str, Any], dataset: str) -> list[str]:
    """What a row on a dataset can name: its features, those that every dataset has, and none."""
    return [*NOT_EXTRACTED, *features_of(params, dataset)]


def free_name(wanted: str, taken: Container[str]) -> str:
    """A name that is not taken: the one wanted, or with a number."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def _entries(params: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and settings of every entry of `embed`."""
    for kind, entries in params["embed"].items():
        yield from ((kind, entry) for entry in entries.values())


def _with_models(base: Mapping[str, Any], study: StudyParams) -> dict[str, Any]:
    if taken := study.models.keys() & base["models"].keys():
        raise StudyError(
            f"models.{min(taken)}: found a name that a model of the base has; choose another"
        )
    return {**base, "models": {**base["models"], **study.models}}


def _with_features(base: Mapping[str, Any], study: StudyParams) -> dict[str, Any]:
    added: list[tuple[str, dict[str, Any]]] = []
    for name, variant in study.features.items():
        sources = [
            (kind, entry) for kind, entry in _entries(base) if entry["feature"] == variant.of
        ]
        if not sources:
            known = dict.fromkeys(entry["feature"] for _, entry in _entries(base))
            raise StudyError(
                f"features.{name}.of: found '{variant.of}', allowed: {_listed(known)} (features "
                "of the base)"
            )
        for kind, entry in sources:
            if name in known_features(base, entry["dataset"]):
                raise StudyError(
                    f"features.{name}: found a name that dataset '{entry['dataset']}' of the base "
                    "has a feature of; choose another"
                )
            added.append((kind, changed(entry, {**variant.change, "feature": name})))
    return _with_entries(base, added)


def _with_datasets(base: Mapping[str, Any], study: StudyParams) -> dict[str, Any]:
    datasets = dict(base["datasets"])
    added: list[tuple[str, dict[str, Any]]] = []
    for name, variant in study.datasets.items():
        if variant.of not in base["datasets"]:
            raise StudyError(
                f"datasets.{name}.of: found '{variant.of}', allowed: {_listed(base['datasets'])} "
                "(datasets of the base)"
            )
        if name in base["datasets"]:
            raise StudyError(
                f"datasets.{name}: found a name that a dataset of the base has; choose another"
            )
        datasets[name] = changed(base["datasets"][variant.of], variant.change)
        added += [
            (kind, {**entry, "dataset": name})
            for kind, entry in _entries(base)
            if entry["dataset"] == variant.of
        ]
    return _with_entries({**base, "datasets": datasets}, added)


def _with_entries(
    params: Mapping[str, Any], added: list[tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    embed = {kind: dict(entries) for kind, entries in params["embed"].items()}
    for kind, entry in added:
        key = free_name(f"{entry['dataset']}-{entry['feature']}", embed[kind])
        embed[kind][key] = entry
    return {**params, "embed": embed}


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "nothing is defined"
