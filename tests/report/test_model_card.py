"""A model card says what is known of a run, the same each time, and what the run cannot do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.io import DataError, write_json
from mmrec.params.file import load_params
from mmrec.paths import Paths
from mmrec.report.card_facts import by_id, card_facts, loading_in_project
from mmrec.report.model_card import CatalogueCounts, model_card
from mmrec.report.runs import RunReport
from tests.models import worlds
from tests.models.cases import CASES
from tests.report.made_runs import runs

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A project in which the demo's features were encoded."""
    paths = Paths(tmp_path)
    for entry in PARAMS.embed.text.values():
        folder = paths.dataset(entry.dataset).features(entry.feature)
        write_json({"stores": [f"store-{entry.feature}"]}, folder.with_name(f"{folder.name}.json"))
    return paths


def a_run(name: str) -> RunReport:
    """The made-up run of a kind, under the name and the settings of the demo's."""
    settings = PARAMS.runs[f"demo-{name}"]
    made = next(one for one in runs() if one.name == f"shop-{name}")
    metrics = made.metrics | {"protocol": {**made.metrics["protocol"], "mask_history": True}}
    return replace(
        made,
        name=f"demo-{name}",
        dataset=settings.dataset,
        model=settings.model,
        text=settings.text,
        image=settings.image,
        metrics=metrics,
        pretraining=made.pretraining and replace(made.pretraining, model=settings.model),
    )


def card_of(name: str, paths: Paths, run: RunReport | None = None) -> str:
    loading = loading_in_project(f"demo-{name}", PARAMS.models[name].name)
    return model_card(card_facts(run or a_run(name), PARAMS, paths, loading=loading))


def head_of(card: str) -> Any:
    return YAML(typ="safe").load(card.split("---\n")[1])


def test_the_head_is_yaml_with_the_metrics_of_all_users(paths: Paths) -> None:
    head = head_of(card_of("mp4sr", paths))
    assert head["tags"][-1] == "mp4sr"
    assert head["metrics"] == ["recall", "ndcg", "mrr"]
    (result,) = head["model-index"][0]["results"]
    of_all = a_run("mp4sr").metrics["all"]
    told = {one["type"]: one["value"] for one in result["metrics"]}
    assert told == {name: of_all[name] for name in told}
    assert {"recall@10", "recall@20", "mrr"} <= set(told)
    assert "license" not in head


def test_it_names_extractors_with_their_fingerprints_and_settings_apart(paths: Paths) -> None:
    card = card_of("mp4sr", paths)
    for feature, modality in (("sentences", "text"), ("keyword_sentences", "image")):
        row = next(line for line in card.splitlines() if line.startswith(f"| `{feature}` |"))
        assert f"| {modality} | sentence_transformer, `package:" in row
        assert f"`store-{feature}`" in row
    assert '"use_id": false' in card
    assert "temperature" not in card, "a default"
    assert '"pretrain": {' in card
    assert "/" not in card.split("Versions")[1], "no path of the machine"
    assert str(paths.root) not in card


def test_it_is_the_same_each_time(paths: Paths) -> None:
    assert card_of("mp4sr", paths) == card_of("mp4sr", paths)


def test_every_part_of_the_targets_has_a_row(paths: Paths) -> None:
    card = card_of("sasrec", paths)
    assert "| All users | 943 users | 0.1400 |" in card
    assert "| Cold targets | 143 users |" in card
    assert "| New targets | 0 users | – |" in card
    assert "with all items of the catalogue, without those of the user's history" in card


def test_it_says_whether_new_items_can_be_ranked(paths: Paths) -> None:
    assert "New items: it knows items by their content alone" in card_of("mp4sr", paths)
    assert "New items: cannot be ranked; it has no content." in card_of("sasrec", paths)
    with_ids = a_run("mp4sr")
    card = card_of("mp4sr-id", paths, replace(with_ids, model="mp4sr-id"))
    assert "cannot be ranked; it has weights for each item that it was trained with" in card


def test_what_is_not_trained_or_not_evaluated_says_so(paths: Paths) -> None:
    unknown = replace(a_run("popularity"), metrics={})
    card = card_of("popularity", paths, unknown)
    assert "It has no training of its own" in card
    assert "It was not evaluated." in card
    assert "model-index" not in head_of(card)


def test_counts_are_told_where_they_are_known(paths: Paths) -> None:
    counts = CatalogueCounts(items=2000, cold=17, interactions=34_567)
    card = model_card(card_facts(a_run("sasrec"), PARAMS, paths, loading=[], counts=counts))
    assert "34,567 interactions, with 2,000 items, 17 of them cold" in card


def test_only_what_can_be_exported_is_said_to_be() -> None:
    assert "mmrec export demo-sasrec" in "\n".join(loading_in_project("demo-sasrec", "sasrec"))
    assert "export" not in "\n".join(loading_in_project("demo-itemknn", "itemknn"))


def test_a_feature_whose_stores_are_not_told_is_named(paths: Paths) -> None:
    told = paths.dataset("demo").features("sentences").with_name("sentences.json")
    told.unlink()
    with pytest.raises(DataError, match=r"sentences\.json"):
        card_of("mp4sr", paths)


@pytest.mark.parametrize("name", CASES)
def test_a_card_and_the_model_agree_on_weights_for_each_item(name: str) -> None:
    params = worlds.params(name)
    if params.modalities("finetune") or params.reads_words:
        model = worlds.recommender(params)
        assert by_id(params) == bool(model.item_parameters())
