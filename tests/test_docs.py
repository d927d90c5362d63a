"""Examples in the documentation are valid params, and do what is said of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from mmrec.params.features import EmbedImageParams, EmbedParams, TimmImageParams
from mmrec.params.models.mp4sr import Mp4srParams
from mmrec.params.models.pmmrec import NOT_TAKEN
from mmrec.params.models.registry import ModelParams
from mmrec.params.models.sasrecm import SasrecmParams
from mmrec.params.pipeline import Params
from mmrec.params.study import StudyParams
from mmrec.study.expansion import expand
from mmrec.torchvision_schemas import define_missing_operators
from mmrec.tune.target import open_target

ROOT = Path(__file__).parents[1]
STUDIES = (ROOT / "docs" / "studies.md").read_text()
DEFAULT: dict[str, Any] = {"name": "mp4sr", "architecture": {}, "pretrain": {}, "finetune": {}}


def rows(header: str, page: str) -> list[list[str]]:
    """Cells of the table of a page under a header."""
    table = page.partition(header)[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def yaml(text: str) -> Any:
    return YAML(typ="safe").load(text)


def mp4sr(entry: dict[str, Any]) -> Mp4srParams:
    model: ModelParams = TypeAdapter(ModelParams).validate_python(entry)
    assert isinstance(model, Mp4srParams)
    return model


MP4SR = (ROOT / "docs" / "mp4sr.md").read_text()
VARIANTS = dict(rows("| variant | model entry |", MP4SR))


def test_the_entries_shown_for_features_are_valid() -> None:
    text = (ROOT / "docs" / "features.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    shown = yaml(block)["embed"]
    assert shown.keys() == {"text", "image"}
    assert EmbedParams.model_validate({"pair": {}, **shown}).text["shop-title_tokens"]


def test_the_entries_shown_for_other_extractors_are_valid() -> None:
    text = (ROOT / "docs" / "swapping_extractors.md").read_text()
    shown = [yaml(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert len(shown) == 3
    params = yaml((ROOT / "examples" / "tables.yaml").read_text())
    for block in shown:
        for kind, entries in block.pop("embed").items():
            params["embed"][kind] |= entries
        for section, entries in block.items():
            params[section] |= entries
    assert Params.model_validate(params).runs["shop-mp4sr-bge"].text == "sentences_bge"


def test_what_a_study_makes_of_its_base_is_shown_as_it_is_written() -> None:
    shown = yaml(STUDIES.partition("What the base has not, a study makes")[2].split("```")[1][5:])
    common = yaml((ROOT / "studies" / "demo.yaml").read_text()) | {"reference": "fewer pictures"}
    params, runs = expand(StudyParams.model_validate({**common, **shown}), ROOT)
    Params.model_validate(params)
    assert list(runs) == list(shown["rows"])
    assert params["runs"]["fewer-pictures-11"]["image"] == "half_the_pictures"


def test_a_study_of_another_one_is_shown_as_it_is_written() -> None:
    shown = yaml(STUDIES.partition("A study may be another one")[2].split("```")[1][5:])
    assert shown == yaml((ROOT / "studies" / "time_demo.yaml").read_text())


def test_an_ensemble_in_a_study_is_shown_as_it_is_written() -> None:
    page = (ROOT / "docs" / "ensembles.md").read_text()
    shown = yaml(page.partition("## In a study")[2].split("```")[1][5:])
    common = yaml((ROOT / "studies" / "demo.yaml").read_text()) | {"reference": "SASRec"}
    params, _ = expand(StudyParams.model_validate({**common, **shown}), ROOT)
    found = Params.model_validate(params).ensembles["by-counts-11"]
    assert [part.run for part in found.parts] == ["SASRec-11", "MP4SR-11"]


def test_every_study_is_on_the_page() -> None:
    found = {
        name.strip("`")
        for cells in rows("| study | shows |", STUDIES)
        for name in cells[0].split(", ")
    }
    assert found == {path.stem for path in (ROOT / "studies").glob("*.yaml")}


def test_the_model_that_is_shown_for_cold_items_is_valid() -> None:
    page = (ROOT / "docs" / "cold_items.md").read_text()
    entry = yaml(page.partition("```yaml\n")[2].partition("```")[0])["models"]["both"]
    model: ModelParams = TypeAdapter(ModelParams).validate_python(entry)
    assert isinstance(model, SasrecmParams)
    assert model.finetune.id_dropout
    assert model.finetune.alignment


def test_every_variant_of_mp4sr_is_a_model_of_its_own() -> None:
    assert {"MP4SR", "E2E", "w/o Proj, as printed", "w/o Proj, as released"} <= VARIANTS.keys()
    assert len(VARIANTS) >= 12
    models = [mp4sr(yaml(cell.strip("`"))).model_dump_json() for cell in VARIANTS.values()]
    assert len(set(models)) == len(models)


def test_every_variant_of_mmsrec_is_a_model_of_its_own() -> None:
    page = (ROOT / "docs" / "mmsrec.md").read_text()
    variants = dict(rows("| variant | model entry |", page))
    models = [
        TypeAdapter(ModelParams).validate_python(yaml(cell.strip("`")))
        for cell in variants.values()
    ]
    assert {"MMSRec", "w/o V", "w/o T", "w/o P", "w/o P+V", "w/o P+T"} <= variants.keys()
    assert {model.name for model in models} == {"mmsrec"}
    assert len({model.model_dump_json() for model in models}) == len(models)


def test_every_variant_of_mmsr_is_a_model_of_its_own() -> None:
    page = (ROOT / "docs" / "mmsr.md").read_text()
    variants = dict(rows("| variant | model entry |", page))
    models = [
        TypeAdapter(ModelParams).validate_python(yaml(cell.strip("`")))
        for cell in variants.values()
    ]
    assert {"MMSR", "MMSR-T", "MMSR-V", "IDSR", "CoAttn-1", "MergeAttn-4"} <= variants.keys()
    assert len(models) >= 26
    assert {model.name for model in models} == {"mmsr"}
    assert len({model.model_dump_json() for model in models}) == len(models)


@pytest.mark.parametrize("name", ["mmsr", "pmmrec"])
def test_every_study_of_a_model_is_on_its_page(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    named = {cells[1].strip("`") for cells in rows("| table | study |", page)}
    assert named == {path.stem for path in (ROOT / "studies").glob(f"{name}_*.yaml")}


def test_every_variant_of_pmmrec_is_a_model_of_its_own() -> None:
    page = (ROOT / "docs" / "pmmrec.md").read_text()
    variants = dict(rows("| variant | model entry |", page))
    models = [
        TypeAdapter(ModelParams).validate_python(yaml(cell.strip("`")))
        for cell in variants.values()
    ]
    assert {"PMMRec, w. PT", "w/o PT", "only VCL", "PMMRec-T, w. PT"} <= variants.keys()
    assert len(models) >= 17
    assert {model.name for model in models} == {"pmmrec"}
    assert len({model.model_dump_json() for model in models}) == len(models)


def test_what_pmmrec_takes_is_on_its_page() -> None:
    page = (ROOT / "docs" / "pmmrec.md").read_text()
    found = [cells[0].strip("`") for cells in rows("| `finetune.take` | copied | fresh |", page)]
    assert found == [*NOT_TAKEN]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_contrasts_samples_of_many_users(name: str) -> None:
    """In dense batches the negatives of a sample are later items of its own sequence."""
    model = mp4sr(yaml(VARIANTS[name].strip("`")))
    contrasting = [model.pretrain, model.finetune if model.finetune.joint else None]
    assert {training.batching for training in contrasting if training} <= {"prefix"}


@pytest.mark.parametrize("source", ["paper", "released code"])
def test_what_restores_a_source_is_a_setting_that_is_no_default(source: str) -> None:
    restored = 0
    for *_, cell in rows(f"| default | {source} | restored by |", MP4SR):
        for text in re.findall(r"`(\w+: [^`]*)`", cell):
            change = yaml(text)
            if "contrast" in change:
                change = {"pretrain": change}
            if "max_grad_norm" in change:
                change = {"pretrain": change, "finetune": change}
            assert mp4sr({**DEFAULT, **change}) != mp4sr(DEFAULT), text
            restored += 1
    assert restored >= 6


def test_the_resnet_of_the_page_is_one_that_timm_has_weights_for() -> None:
    (text,) = re.findall(r"`demo-resnet: (\{.*\})`", MP4SR)
    entry = EmbedImageParams.model_validate(yaml(text))
    assert entry.feature in re.findall(r"\*ResNet\* is a run with `image: (\w+)`", MP4SR)
    assert isinstance(entry.extractor, TimmImageParams)
    define_missing_operators()
    import timm

    model = entry.extractor.model
    assert model.startswith("resnet")
    assert timm.is_model_pretrained(model)


def test_the_search_that_is_shown_is_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "tuning.md").read_text()
    path = tmp_path / "shown.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    target = open_target(path, ROOT)
    assert target.within.keys() == {*target.search.space} - {"architecture.dropout"}
