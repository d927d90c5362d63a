"""What a model says of itself: what it takes of others, and what it cannot do without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from mmrec.params.file import load_params
from mmrec.params.model import SystemParams
from mmrec.params.models.registry import ModelParams
from mmrec.params.models.sasrec import SasrecParams
from mmrec.params.pipeline import Params
from mmrec.params.references import wrong_references

ROOT = Path(__file__).parents[2]


class Taking(SasrecParams):
    """A model that takes what it can use of anybody's weights, and needs pictures for it."""

    def takes(self, other: SystemParams) -> str | None:
        return None if other.pretrain else "it has never learned a thing"

    def modalities(self, stage: str) -> tuple[Any, ...]:
        return ("image",) if stage == "finetune" else ()

    def without_features(self, stage: str) -> str:
        return f"look away in {stage}"


def mp4sr(**sections: Any) -> SystemParams:
    data = {"name": "mp4sr", "architecture": {}, "pretrain": {}, "finetune": {}} | sections
    model: ModelParams = TypeAdapter(ModelParams).validate_python(data)
    return model


def test_by_default_a_model_takes_its_own_kind_of_the_same_architecture() -> None:
    model = mp4sr()
    assert model.takes(mp4sr(finetune={"use_id": False}, pretrain={"epochs": 3})) is None
    other = mp4sr(architecture={"num_experts": 2})
    assert model.takes(other) == "they have different architectures; give both the same"


def test_what_a_model_takes_and_needs_is_its_own_affair() -> None:
    shipped = load_params(ROOT / "params.yaml")
    taking = Taking.model_validate(shipped.models["sasrec"].model_dump())
    run = shipped.runs["demo-sasrec"].model_copy(
        update={"init_from": "demo-mp4sr", "image": "clip_image"}
    )
    changed = {"models": {**shipped.models, "sasrec": taking}, "runs": {"demo-sasrec": run}}
    params = shipped.model_copy(update=changed)
    told = [line for line in wrong_references(params) if line.startswith("runs.")]
    assert told == []
    blind = {"demo-sasrec": run.model_copy(update={"image": "none"})}
    told = [
        line
        for line in wrong_references(params.model_copy(update={"runs": blind}))
        if line.startswith("runs.")
    ]
    assert told == [
        "runs.demo-sasrec.image: found 'none', but model 'sasrec' reads image features in "
        "finetune; name one, or look away in finetune"
    ]


@pytest.mark.parametrize("pretrain", [{}, None])
def test_a_run_needs_what_fine_tuning_scores_whatever_was_pretrained_on(pretrain: Any) -> None:
    text = mp4sr(pretrain=pretrain, finetune={"score_branches": "text"})
    assert text.modalities("finetune") == ("text",)
    assert text.modalities("pretrain") == ("text", "image")
    joint = mp4sr(finetune={"score_branches": "text", "joint": {}})
    assert joint.modalities("finetune") == ("text", "image")
    data: Any = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    data["models"]["mp4sr"]["finetune"]["score_branches"] = "text"
    data["runs"]["demo-mp4sr"]["image"] = "none"
    data["ensembles"] = {}
    assert [*wrong_references(Params.model_validate(data))] == []
