"""The params of a study in; the same with what stages name that a study does not run, out.

`recommend` and `report` are not run, but the params file has to be whole: what they name must be
there, and have vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from mmrec.params.pipeline import Params
from mmrec.params.ranked import without_vectors
from mmrec.params.study import StudyParams, changed
from mmrec.study.base import free_name

_SPARE: Final = "shown"
"""A run of popularity, where no row has vectors."""


def with_shown(
    params: Mapping[str, Any], study: StudyParams, names: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """The same, with the first row that has vectors in `recommend`, the reference before others.

    Args:
        params: with the runs of the study.
        study: whose rows are looked at.
        names: of each row's runs or ensembles.
    """
    try:
        checked = Params.model_validate(params)
    except ValidationError:
        return _showing(params, names[study.reference][0], study.dataset_of(study.reference))
    for row in (study.reference, *study.rows):
        if not without_vectors(checked, names[row][0]):
            return _showing(params, names[row][0], study.dataset_of(row))
    spare = free_name(_SPARE, {*params["models"], *params["runs"], *params["ensembles"]})
    dataset = study.dataset_of(study.reference)
    nothing: dict[str, Any] = {"architecture": {}, "pretrain": None, "finetune": None}
    reads = {"text": "none", "image": "none", "init_from": "none", "seed": study.seeds[0]}
    added = {
        "models": {spare: {"name": "popularity", **nothing}},
        "runs": {spare: {"dataset": dataset, "model": spare, **reads}},
    }
    return _showing(changed(params, added), spare, dataset)


def _showing(params: Mapping[str, Any], run: str, dataset: str) -> dict[str, Any]:
    # What is wrong with the params is said of them as a whole, when they are checked.
    shown = {"recommend": {"run": run}, "report": {"dataset": dataset, "maps": []}}
    return changed(params, shown)
