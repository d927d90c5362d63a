"""A study and its base in, the params file of all its runs out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmrec.params.study import StudyError, StudyParams, StudyRow, changed
from mmrec.params.yaml_file import YamlFileError, read_yaml

Names = Mapping[str, tuple[str, ...]]
"""Run names of each row, a seed each."""


class Expanded(NamedTuple):
    """What a study is in terms of the pipeline.

    Attributes:
        params: as `params.yaml` has it.
        runs: names of each row's runs, in the order of the seeds.
    """

    params: dict[str, Any]
    runs: Names


def expand(study: StudyParams, project: Path) -> Expanded:
    """Write rows out as models, and for each seed as runs and pre-trainings that they start from.

    Raises:
        StudyError: the base is missing, or a row names a model that it has not.
    """
    base = _base(study, project)
    models: dict[str, Any] = {}
    pretrainings: dict[str, Any] = {}
    owners: dict[str, str] = {}
    runs: dict[str, Any] = {}
    names: dict[str, tuple[str, ...]] = {}
    for row, settings in study.rows.items():
        key = _key(row, models)
        models[key] = _model(row, settings, base)
        entry = {
            "dataset": study.dataset,
            "model": key,
            "text": settings.text or study.text,
            "image": settings.image or study.image,
        }
        shared = key
        if settings.pretrained:
            # What pre-training depends on; rows that agree in it share one.
            decisive = {
                name: models[key].get(name) for name in ("name", "architecture", "pretrain")
            }
            features = {name: entry[name] for name in ("text", "image")}
            shared = owners.setdefault(json.dumps([decisive, features], sort_keys=True), key)
        names[row] = tuple(f"{key}-{seed}" for seed in study.seeds)
        for name, seed in zip(names[row], study.seeds, strict=True):
            start = "none"
            if settings.pretrained:
                start = f"{shared}-{seed}"
                pretrainings.setdefault(start, {**entry, "seed": seed})
            runs[name] = {**entry, "init_from": start, "seed": seed}
    own = {"models": models, "pretrainings": pretrainings, "runs": runs}
    # These stages do not run; what they name has to be there.
    shown = {"recommend": {"run": names[study.reference][0]}, "report": {"dataset": study.dataset}}
    return Expanded(changed({**base, **own}, shown), names)


def _base(study: StudyParams, project: Path) -> dict[str, Any]:
    path = project / study.base
    try:
        data = read_yaml(path)
    except (YamlFileError, OSError) as error:
        raise StudyError(f"base: {study.base} cannot be read ({error})") from None
    if not isinstance(data, Mapping) or not isinstance(data.get("models"), Mapping):
        raise StudyError(f"base: {study.base} has no models; name a params file")
    return dict(data)


def _model(row: str, settings: StudyRow, base: Mapping[str, Any]) -> dict[str, Any]:
    models = base["models"]
    if settings.model not in models:
        raise StudyError(
            f"rows.{row}.model: found '{settings.model}', allowed: {', '.join(models)} (models of "
            "the base)"
        )
    return changed(models[settings.model], settings.change)


def _key(row: str, taken: Mapping[str, Any]) -> str:
    """A row's label as a name, such as `w/o NIP` as `w-o-NIP`."""
    key = re.sub(r"[^A-Za-z0-9]+", "-", row).strip("-") or "row"
    number = 2
    while key in taken:
        key, number = f"{key.removesuffix(f'-{number - 1}')}-{number}", number + 1
    return key
