"""Which datasets have no users, and what in `params.yaml` asks for users of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mmrec.params.datasets import DatasetParams
from mmrec.params.pipeline import Params
from mmrec.params.sources import RawSourceParams, TabularSourceParams
from mmrec.paths import Paths

_NOTHING_TO_DROP: Final[Mapping[str, Any]] = {"user_core": 0, "item_core": 0, "min_rating": None}
"""Settings of `clean` that are about interactions alone, as they leave everything in."""


def datasets_without_users(params: Params) -> set[str]:
    """Names of the datasets whose source has no log, and of those over such datasets alone.

    What lies in a folder of raw tables that this pipeline does not write, `clean` finds out.
    """
    datasets = {name: entry for name, entry in params.datasets.items() if entry is not None}
    written = _written_from(params)
    found = {name for name, entry in datasets.items() if _is_catalogue(entry)}
    while True:
        over = {
            name
            for name, entry in datasets.items()
            if isinstance(entry.source, RawSourceParams)
            and found.issuperset(written.get(Path(entry.files), [None]))
        }
        if over <= found:
            return found
        found |= over


def wrong_without_users(params: Params) -> Iterator[str]:
    """What is asked of a dataset without users and cannot be had."""
    without = datasets_without_users(params)
    for name in without:
        yield from _settings_of_a_log(name, params.datasets[name])
    for name, run in params.runs.items():
        if run is not None and run.dataset in without:
            yield (
                f"runs.{name}.dataset: found '{run.dataset}', which has no users to fine-tune on "
                "and to evaluate on; name a dataset with interactions (it may start from a "
                "pre-training on this one), or a union with one"
            )
    for name, pretraining in params.pretrainings.items():
        model = params.models.get(pretraining.model) if pretraining is not None else None
        if model is None or model.pretrain is None or pretraining.dataset not in without:
            continue
        if model.trains_on("pretrain") == "users":
            yield (
                f"pretrainings.{name}.dataset: found '{pretraining.dataset}', which has no users, "
                f"but model '{pretraining.model}' ({model.name}) is pre-trained on their "
                "sequences; name a dataset with interactions, or a model that is pre-trained on "
                "items"
            )


def _is_catalogue(dataset: DatasetParams) -> bool:
    source = dataset.source
    return isinstance(source, TabularSourceParams) and source.interactions is None


def _written_from(params: Params) -> dict[Path, list[str | None]]:
    """Folders of raw tables, and the datasets whose tables are in them."""
    paths = Paths(Path())
    unions = {name: union for name, union in params.unions.items() if union is not None}
    return {
        **{paths.dataset(name).raw: [name] for name in params.datasets},
        **{paths.union(name): [union.left, union.right] for name, union in unions.items()},
    }


def _settings_of_a_log(name: str, dataset: DatasetParams) -> Iterator[str]:
    for setting, neutral in _NOTHING_TO_DROP.items():
        value = getattr(dataset.clean, setting)
        if value != neutral:
            yield (
                f"datasets.{name}.clean.{setting}: found {value}, but the dataset has no users, "
                f"so that there are no interactions to go by; set it to "
                f"{'null' if neutral is None else neutral}"
            )
