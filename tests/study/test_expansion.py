"""What a study is in terms of the pipeline."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.params.pipeline import Params
from mmrec.params.references import wrong_references
from mmrec.params.study import StudyError
from mmrec.params.study_file import load_study
from mmrec.params.yaml_file import read_yaml
from mmrec.study.expansion import expand
from mmrec.study.workspace import PROJECT

STUDY: dict[str, Any] = {
    "base": "params.yaml",
    "dataset": "demo",
    "text": "sentences",
    "image": "keyword_sentences",
    "seeds": [1, 5],
    "reference": "full",
    "columns": ["ndcg@10"],
    "parts": ["all"],
    "rows": {
        "full": {"model": "mp4sr", "pretrained": True},
        "w/o NIP": {
            "model": "mp4sr",
            "pretrained": True,
            "change": {"pretrain": {"contrast": {"nip_weight": 0.0}}},
        },
        "T": {
            "model": "mp4sr",
            "pretrained": True,
            "change": {"finetune": {"score_branches": "text"}},
        },
        "IDs": {"model": "sasrec", "text": "none", "image": "none"},
    },
}


FEWER = {"demo-9": {"of": "demo", "change": {"clean": {"user_core": 9, "item_core": 8}}}}
X = {"model": "sasrec", "dataset": "demo-9"}
ON_FEWER = {"fewer": X | {"against": "fewer"}}
GAPS = {"name": "dropped", "share": 0.25, "seed": 3}
CLIP_TEXT: dict[str, Any] = {
    "of": "sentences",
    "change": {
        "extractor": {
            "name": "open_clip_text",
            "model": "mmrec/demo/clip",
            "pretrained": None,
            "normalize": True,
        }
    },
}


def study(folder: Path, **changes: Any) -> Any:
    path = folder / "tried.yaml"
    yaml = YAML(typ="safe")
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    with path.open("w") as file:
        yaml.dump(STUDY | changes, file)
    return load_study(path)


def assert_valid(params: dict[str, Any]) -> None:
    assert list(wrong_references(Params.model_validate(params))) == []


def test_every_row_is_a_run_for_each_seed(tmp_path: Path) -> None:
    params, runs = expand(study(tmp_path), PROJECT)
    assert runs == {
        "full": ("full-1", "full-5"),
        "w/o NIP": ("w-o-NIP-1", "w-o-NIP-5"),
        "T": ("T-1", "T-5"),
        "IDs": ("IDs-1", "IDs-5"),
    }
    assert set(params["runs"]) == {name for names in runs.values() for name in names}
    assert params["runs"]["IDs-5"] == {
        "dataset": "demo",
        "model": "IDs",
        "text": "none",
        "image": "none",
        "init_from": "none",
        "seed": 5,
    }
    contrast = params["models"]["w-o-NIP"]["pretrain"]["contrast"]
    assert contrast == {"nip_weight": 0.0}
    assert params["models"]["w-o-NIP"]["finetune"] == params["models"]["full"]["finetune"]


def test_rows_that_differ_in_fine_tuning_alone_share_a_pre_training(tmp_path: Path) -> None:
    params, _ = expand(study(tmp_path), PROJECT)
    assert set(params["pretrainings"]) == {"full-1", "full-5", "w-o-NIP-1", "w-o-NIP-5"}
    starts = {name: run["init_from"] for name, run in params["runs"].items()}
    assert starts["T-5"] == starts["full-5"] == "full-5"
    assert starts["w-o-NIP-5"] == "w-o-NIP-5"
    assert params["pretrainings"]["full-5"]["seed"] == 5
    other = {**STUDY["rows"], "pictures": {**STUDY["rows"]["full"], "image": "clip_image"}}
    params, _ = expand(study(tmp_path, rows=other), PROJECT)
    assert params["runs"]["pictures-1"]["init_from"] == "pictures-1", "of other features"
    fewer = {"dataset": "demo-9", "against": "fewer"}
    other = {**STUDY["rows"], "fewer": {**STUDY["rows"]["full"], **fewer}}
    params, _ = expand(study(tmp_path, rows=other, datasets=FEWER), PROJECT)
    assert params["runs"]["fewer-1"]["init_from"] == "fewer-1", "of another dataset"
    assert params["pretrainings"]["fewer-1"]["dataset"] == "demo-9"


def test_a_dataset_of_the_study_has_all_features_of_the_one_it_is_made_of(tmp_path: Path) -> None:
    rows = {"full": {"model": "mp4sr", "image": "clip_image"}}
    params, _ = expand(study(tmp_path, rows=rows, datasets=FEWER, dataset="demo-9"), PROJECT)
    before = YAML(typ="safe").load((PROJECT / "params.yaml").read_text())
    demo = before["datasets"]["demo"]
    fewer = {**demo, "clean": {**demo["clean"], "user_core": 9, "item_core": 8}}
    assert params["datasets"] == {"demo": demo, "demo-9": fewer}
    for kind, entries in before["embed"].items():
        copies = {
            f"demo-9-{entry['feature']}": {**entry, "dataset": "demo-9"}
            for entry in entries.values()
        }
        assert params["embed"][kind] == {**entries, **copies}
    assert params["runs"]["full-1"]["dataset"] == params["report"]["dataset"] == "demo-9"
    assert_valid(params)


def test_a_feature_of_the_study_is_one_of_every_dataset_that_has_the_other(tmp_path: Path) -> None:
    features = {"gaps": {"of": "clip_image", "change": {"knockout": GAPS}}, "clip_text": CLIP_TEXT}
    rows = {
        "full": {"model": "mp4sr", "image": "gaps"},
        "fewer": {"model": "mp4sr", "dataset": "demo-9", "text": "clip_text", "against": "fewer"},
    }
    changes = {"rows": rows, "features": features, "datasets": FEWER}
    params, _ = expand(study(tmp_path, **changes), PROJECT)
    before = YAML(typ="safe").load((PROJECT / "params.yaml").read_text())["embed"]
    plain = before["image"]["demo-clip_image"]
    for dataset in ("demo", "demo-9"):
        found = params["embed"]["image"][f"{dataset}-gaps"]
        assert found == {**plain, "dataset": dataset, "feature": "gaps", "knockout": GAPS}
    assert params["embed"]["image"]["demo-clip_image"] == plain
    extractor = params["embed"]["text"]["demo-9-clip_text"]["extractor"]
    assert extractor == CLIP_TEXT["change"]["extractor"], "another kind has none of the settings"
    assert params["runs"]["full-1"]["image"] == "gaps"
    assert_valid(params)


def test_a_model_of_the_study_is_one_that_rows_name(tmp_path: Path) -> None:
    own = {"name": "sasrec", "architecture": {"num_layers": 1}, "pretrain": None, "finetune": {}}
    rows = {"full": {"model": "mp4sr"}, "IDs": {"model": "flat", "text": "none", "image": "none"}}
    params, _ = expand(study(tmp_path, rows=rows, models={"flat": own}), PROJECT)
    assert params["models"]["IDs"] == own
    assert_valid(params)


def test_entries_of_the_study_replace_none_of_the_base(tmp_path: Path) -> None:
    base = YAML(typ="safe").load((PROJECT / "params.yaml").read_text())
    base["embed"]["image"]["demo-gaps"] = base["embed"]["image"].pop("demo-clip_image")
    text = io.StringIO()
    YAML(typ="safe").dump(base, text)
    (tmp_path / "base.yaml").write_text(text.getvalue())
    features = {"gaps": {"of": "clip_image", "change": {"knockout": GAPS}}}
    rows = {"full": {"model": "mp4sr", "image": "gaps"}}
    tried = study(tmp_path, base="base.yaml", features=features, rows=rows)
    params, _ = expand(tried, tmp_path)
    assert list(params["embed"]["image"]) == ["demo-gaps", "demo-gaps-2"]
    assert params["embed"]["image"]["demo-gaps"] == base["embed"]["image"]["demo-gaps"]
    assert_valid(params)


def test_a_row_may_start_from_a_pre_training_on_another_dataset(tmp_path: Path) -> None:
    transferred = {"model": "mp4sr", "pretrained": True, "pretrained_on": "demo-9"}
    rows = {
        "full": {"model": "mp4sr", "pretrained": True},
        "transfer": transferred,
        "transfer T": transferred | {"change": {"finetune": {"score_branches": "text"}}},
        "of its own": {"model": "mp4sr", "dataset": "demo-9", "pretrained": True},
    }
    rows["of its own"]["against"] = "of its own"
    params, _ = expand(study(tmp_path, rows=rows, datasets=FEWER), PROJECT)
    runs, pretrainings = params["runs"], params["pretrainings"]
    assert runs["full-1"]["init_from"] == "full-1", "another dataset is another pre-training"
    starts = {runs[f"{row}-1"]["init_from"] for row in ("transfer", "transfer-T", "of-its-own")}
    assert starts == {"transfer-1"}, "whatever they are trained on next"
    assert runs["transfer-1"]["dataset"] == "demo"
    assert {name: entry["dataset"] for name, entry in pretrainings.items()} == {
        "full-1": "demo",
        "full-5": "demo",
        "transfer-1": "demo-9",
        "transfer-5": "demo-9",
    }
    assert_valid(params)


def test_a_source_without_the_features_of_the_row_is_refused(tmp_path: Path) -> None:
    base = YAML(typ="safe").load((PROJECT / "params.yaml").read_text())
    base["datasets"]["shop"] = base["datasets"]["demo"]
    base["embed"]["image"]["shop"] = {
        **base["embed"]["image"]["demo-clip_image"],
        "dataset": "shop",
    }
    text = io.StringIO()
    YAML(typ="safe").dump(base, text)
    (tmp_path / "base.yaml").write_text(text.getvalue())
    rows = {"full": {"model": "mp4sr", "pretrained": True, "pretrained_on": "shop"}}
    says = (
        "^rows.full.pretrained_on: found 'shop', which has no feature 'sentences', the row's text; "
        "it has none, bag_of_words, clip_image: give it one"
    )
    with pytest.raises(StudyError, match=says):
        expand(study(tmp_path, base="base.yaml", rows=rows), tmp_path)


def test_a_row_is_compared_with_the_reference_or_with_what_it_names(tmp_path: Path) -> None:
    rows = {
        "full": {"model": "mp4sr"},
        "IDs": {"model": "sasrec"},
        "fewer": {"model": "mp4sr", "dataset": "demo-9", "against": "fewer IDs"},
        "fewer IDs": {"model": "sasrec", "dataset": "demo-9", "against": "fewer IDs"},
    }
    tried = study(tmp_path, rows=rows, datasets=FEWER)
    assert tried.comparisons() == {"IDs": "full", "fewer": "fewer IDs"}


BOTH = {"ensemble": ["full", "IDs"]}
THREE = {
    "ensemble": ["T", "IDs", "full"],
    "metric": "recall@5",
    "weights": {
        "name": "grouped",
        "steps": 5,
        "history_ends": [4],
        "count_ends": [9],
        "min_targets": 20,
    },
}


def test_a_row_of_several_others_is_an_ensemble_of_their_runs_of_each_seed(tmp_path: Path) -> None:
    rows = {"both": BOTH, **STUDY["rows"], "three!": THREE, "w/o-NIP": {**BOTH, "against": "both"}}
    tried = study(tmp_path, rows=rows, reference="both")
    params, runs = expand(tried, PROJECT)
    assert_valid(params)
    assert list(runs) == list(rows)
    assert runs["both"] == ("both-1", "both-5")
    assert runs["w/o-NIP"] == ("w-o-NIP-2-1", "w-o-NIP-2-5"), "results lie by name"
    assert {*params["ensembles"]} == {*runs["both"], *runs["three!"], *runs["w/o-NIP"]}
    of_full = {"text": "sentences", "image": "keyword_sentences"}
    of_none = {"text": "none", "image": "none"}
    assert params["ensembles"]["both-5"] == {
        "dataset": "demo",
        "first": {"run": "full-5", **of_full},
        "second": {"run": "IDs-5", **of_none},
        "third": {"run": "none", **of_none},
        "metric": "ndcg@10",
        "weights": {"name": "global", "steps": 10},
    }
    three = params["ensembles"]["three-1"]
    assert [three[slot]["run"] for slot in ("first", "second", "third")] == [
        "T-1",
        "IDs-1",
        "full-1",
    ]
    assert (three["metric"], three["weights"]) == ("recall@5", THREE["weights"])
    assert tried.dataset_of("both") == "demo"
    assert tried.comparisons()["full"] == "both"
    assert "both" not in tried.comparisons()


def other_study(folder: Path, **content: Any) -> Path:
    path = folder / "other.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(content, file)
    return path


def test_a_study_of_another_one_is_that_but_for_what_it_changes(tmp_path: Path) -> None:
    tried = study(tmp_path, datasets=FEWER)
    change = {"dataset": "demo-9", "datasets": {"demo-9": {"change": {"clean": {"user_core": 7}}}}}
    found = load_study(other_study(tmp_path, of="tried", change=change))
    clean = {"clean": {"user_core": 7, "item_core": 8}}
    datasets = {"demo-9": tried.datasets["demo-9"].model_copy(update={"change": clean})}
    assert found == tried.model_copy(update={"dataset": "demo-9", "datasets": datasets})


def test_seeds_that_are_asked_for_replace_those_of_the_file(tmp_path: Path) -> None:
    study(tmp_path)
    assert load_study(tmp_path / "tried.yaml", seeds=[7]).seeds == [7]
    with pytest.raises(StudyError, match=r"seeds: found \[7, 7\], expected each once"):
        load_study(other_study(tmp_path, of="tried", change={}), seeds=[7, 7])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"of": "tride"}, "other.yaml:\n  change: "),
        ({"of": "tride", "change": {}}, "of: found 'tride', allowed: other, tried"),
        ({"of": "other", "change": {}}, "of: found 'other', which is no study by itself"),
        ({"of": "tried", "change": {"sedes": [1]}}, "other.yaml:\n  sedes: "),
        ({"of": "tried", "changes": {}, "change": {}}, "other.yaml:\n  changes: "),
    ],
)
def test_a_study_of_another_one_that_is_wrong_is_one_message(
    content: dict[str, Any], says: str, tmp_path: Path
) -> None:
    study(tmp_path)
    with pytest.raises(StudyError, match=says):
        load_study(other_study(tmp_path, **content))


def test_labels_that_make_one_name_stay_apart(tmp_path: Path) -> None:
    rows = {label: {"model": "sasrec"} for label in ("a b", "a/b", "a-b", "+")}
    _, runs = expand(study(tmp_path, rows=rows, reference="+"), PROJECT)
    assert [names[0] for names in runs.values()] == ["a-b-1", "a-b-2-1", "a-b-3-1", "row-1"]


@pytest.mark.parametrize("path", sorted((PROJECT / "studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_shipped_studies_are_valid_params(path: Path) -> None:
    params = Params.model_validate(expand(load_study(path), PROJECT).params)
    assert list(wrong_references(params)) == []
    assert len(params.runs) >= 9


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"reference": "half"},
            "reference: found 'half', which is no row; there are full, w",
        ),
        ({"seeds": [1, 1]}, r"seeds: found \[1, 1\], expected each once"),
        ({"seeds": []}, "seeds: .*at least 1"),
        ({"columns": ["recal@10"]}, "columns.0: "),
        ({"rows": {"full": {"model": "mp4sr", "pretrain": True}}}, "rows.full.pretrain: "),
        ({"base": "nothing.yaml"}, "base: nothing.yaml cannot be taken .*file not found"),
        ({"base": "dvc.yaml"}, "(?s)base: dvc.yaml cannot be taken .*models: missing"),
        (
            {"losses": True, "rows": {"full": {"model": "popularity"}}},
            "rows.full.model: found 'popularity', which is not trained, but losses is told of e",
        ),
        (
            {"convergence": 0.9, "rows": {"full": {"model": "popularity"}}},
            "rows.full.model: found 'popularity', which is not trained, but convergence",
        ),
        (
            {"rows": {"full": {"model": "bert"}}},
            "rows.full.model: found 'bert', allowed: popularity, ",
        ),
        ({"dataset": "shop"}, "^dataset: found 'shop', allowed: demo$"),
        (
            {"datasets": FEWER, "rows": {"full": {"model": "sasrec", "dataset": "demo-8"}}},
            "^rows.full.dataset: found 'demo-8', allowed: demo, demo-9$",
        ),
        (
            {"text": "plots"},
            r"^text \(of row 'full'\): found 'plots', allowed: none, bag_of_words, .* 'demo'\)$",
        ),
        (
            {"rows": {"full": {"model": "mp4sr", "image": "posters"}}},
            r"^rows.full.image: found 'posters', allowed: none, bag_of_words, .* 'demo'\)$",
        ),
        (
            {"datasets": {"demo-9": {"of": "shop", "change": {}}}},
            r"^datasets.demo-9.of: found 'shop', allowed: demo \(datasets of the base\)$",
        ),
        (
            {"datasets": {"demo": FEWER["demo-9"]}},
            "^datasets.demo: found a name that a dataset of the base has; choose another$",
        ),
        (
            {"features": {"gaps": {"of": "posters", "change": {}}}},
            r"^features.gaps.of: found 'posters', allowed: sentences, .* \(features of the base\)$",
        ),
        (
            {"features": {"sentences": CLIP_TEXT}},
            "^features.sentences: found a name that dataset 'demo' of the base has a feature of",
        ),
        ({"features": {"none": CLIP_TEXT}}, "^features.none: found a name"),
        (
            {"models": {"sasrec": {"name": "sasrec"}}},
            "^models.sasrec: found a name that a model of the base has; choose another$",
        ),
        (
            {"features": {"gaps": {"of": "sentences", "change": {"dataset": "demo"}}}},
            "features.gaps.change: found 'dataset', which is settled by",
        ),
        (
            {"rows": {"full": {"model": "mp4sr", "against": "half"}}},
            "rows.full.against: found 'half', which is no row; there are full$",
        ),
        (
            {"rows": {"full": {"model": "mp4sr", "pretrained": True, "pretrained_on": "shop"}}},
            "^rows.full.pretrained_on: found 'shop', allowed: demo$",
        ),
        (
            {"rows": {"full": {"model": "mp4sr", "pretrained_on": "demo"}}},
            "rows.full: pretrained_on: found 'demo', but pretrained is false; set it to true, or",
        ),
        (
            {"datasets": FEWER, "rows": {**STUDY["rows"], **ON_FEWER, "x": X | {"against": "T"}}},
            "rows.x.against: found 'T', a row of dataset 'demo', but this is one of 'demo-9'; "
            r"allowed: fewer, x \('x' for no comparison\)$",
        ),
        (
            {"rows": {**STUDY["rows"], "both": {"ensemble": ["full", "half"]}}},
            "rows.both.ensemble: found 'half', which is no row; allowed: full, w/o NIP, T, IDs$",
        ),
        (
            {"rows": {**STUDY["rows"], "both": BOTH, "all": {"ensemble": ["both", "T"]}}},
            "rows.all.ensemble: found 'both', which is an ensemble itself; allowed: full, w/o NIP",
        ),
        (
            {"rows": {**STUDY["rows"], "both": {"ensemble": ["full", "full"]}}},
            "rows.both.ensemble: found full, full, expected each once$",
        ),
        (
            {"rows": {**STUDY["rows"], "both": {"ensemble": ["full"]}}},
            "rows.both.ensemble: .*at least 2",
        ),
        ({"rows": {**STUDY["rows"], "both": BOTH | {"model": "mp4sr"}}}, "rows.both.model: "),
        (
            {
                "datasets": FEWER,
                "rows": {**STUDY["rows"], **ON_FEWER, "both": {"ensemble": ["full", "fewer"]}},
            },
            "rows.both.ensemble: found 'full' of 'demo', 'fewer' of 'demo-9'; name rows of one",
        ),
        (
            {"rows": {**STUDY["rows"], "both": BOTH}, "convergence": 0.9, "reference": "both"},
            "convergence: row 'full' is compared with 'both', an ensemble, which is not trained",
        ),
        (
            {"datasets": FEWER, "rows": {**STUDY["rows"], "x": X}},
            "rows.x.against: found nothing, hence 'full', a row of dataset 'demo', but this",
        ),
    ],
)
def test_a_study_that_cannot_be_done_is_one_message(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=says):
        expand(study(tmp_path, **changes), PROJECT)


def test_an_unknown_study_is_told_which_there_are() -> None:
    with pytest.raises(StudyError, match=r"no study 'demos' in .*; there are .*, demo, m"):
        load_study(PROJECT / "studies" / "demos.yaml")


@pytest.mark.parametrize("mode", ["heldout", "literal"])
def test_cold_positions_are_the_study_s_and_all_else_of_the_protocol_the_base_s(
    tmp_path: Path, mode: str
) -> None:
    plain = expand(study(tmp_path), PROJECT).params
    asked = study(tmp_path, cold_positions=mode, parts=["all", "cold_positions"])
    params = expand(asked, PROJECT).params
    assert_valid(params)
    assert params["evaluate"] == plain["evaluate"] | {"cold_positions": mode}
    assert plain["evaluate"] == read_yaml(PROJECT / "params.yaml")["evaluate"]


@pytest.mark.parametrize("masked", [True, False])
def test_what_was_seen_competes_or_not_as_the_study_says(tmp_path: Path, masked: bool) -> None:
    plain = expand(study(tmp_path), PROJECT).params
    params = expand(study(tmp_path, mask_history=masked), PROJECT).params
    assert_valid(params)
    for section in ("evaluate", "validation"):
        assert params[section] == plain[section] | {"mask_history": masked}


def test_columns_of_lists_ask_for_lists_of_their_lengths(tmp_path: Path) -> None:
    plain = expand(study(tmp_path), PROJECT).params
    asked = study(tmp_path, columns=["mrr", "gini@20", "coverage@5", "novelty@20"])
    assert expand(asked, PROJECT).params["evaluate"] == plain["evaluate"] | {"lists_at": [5, 20]}


def test_a_part_of_cold_positions_needs_to_know_which(tmp_path: Path) -> None:
    wanted = "cold_positions: found nothing, though cold_positions_new of parts needs it; allowed:"
    with pytest.raises(StudyError, match=f"{wanted} heldout, literal"):
        study(tmp_path, parts=["all", "cold_positions_new"])


KNN = {"model": "itemknn", "text": "none", "image": "none"}
TFIDF = {"model": "tfidf", "text": "bag_of_words", "image": "none"}
NEIGHBOURS = {"ensemble": ["knn", "words"]}


@pytest.mark.parametrize(
    ("reference", "rows", "shown"),
    [
        ("knn", {"knn": KNN, **STUDY["rows"]}, "full-1"),
        ("both", {"both": BOTH, **STUDY["rows"]}, "both-1"),
        ("near", {"near": NEIGHBOURS, "knn": KNN, "words": TFIDF, **STUDY["rows"]}, "full-1"),
        ("knn", {"knn": KNN, "words": TFIDF}, "shown"),
        ("near", {"near": NEIGHBOURS, "knn": KNN, "words": TFIDF, "shown": KNN}, "shown-2"),
    ],
)
def test_a_reference_without_vectors_is_a_study_too(
    tmp_path: Path, reference: str, rows: dict[str, Any], shown: str
) -> None:
    params, names = expand(study(tmp_path, reference=reference, rows=rows), PROJECT)
    assert_valid(params)
    assert params["recommend"]["run"] == shown
    assert {*names} == {*rows}, "what is there to be shown is no row"
