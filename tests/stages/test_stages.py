"""Every stage on a tiny shop of one's own, a sequence file, and the union of the two."""

from __future__ import annotations

import csv
import importlib
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from mmrec import Filters, open_dataset, open_run, schemas
from mmrec.code.closure import Closure
from mmrec.code.pipeline import closures
from mmrec.evaluation.metrics import COLD_POSITION_PARTS
from mmrec.io import read_table, write_json, write_table
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.params.protocol import ranked_by
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths, costs_of
from mmrec.run_paths import cold_ranks_of, knockouts_of, lists_of
from mmrec.training.costs import read_cost
from mmrec.training.finished import RECORD, load_weights
from tests.data.raw_world import jpeg
from tests.features.checkpoints import write_checkpoint
from tests.interpreters import forking, threads
from tests.params.test_file import sections
from tests.stages.calls import Calls, defined, importing
from tests.stages.reads import Reads, declared, filled_in, value_at

ROOT = Path(__file__).parents[2]
CLIP = {"model": str(ROOT / "mmrec" / "demo" / "clip"), "pretrained": None}
IDS = ["a.1", "b 2", "日本", "d/4", "e", "f", "g", "h"]

DATASET: dict[str, Any] = {
    "allow_links_outside": False,
    "crawl": None,
    "clean": {
        "text_fields": ["title", "about"],
        "max_sentences": 3,
        "max_images": 2,
        "min_rating": None,
        "user_core": 3,
        "item_core": 0,
        "duplicates": "keep_all",
        "cold_threshold": 3,
        "max_unusable_share": 0.2,
        "max_failed_share": 0.5,
    },
    "keywords": {"name": "none"},
}
STAGES: dict[str, Any] = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
KEYWORDS = {
    "name": "open_clip",
    "num_keywords": 2,
    "prompt": "a {}",
    "dictionary": {"name": "file", "path": "data/dictionaries/words.txt"},
    **CLIP,
}
BARE = {"PYTHONPATH": str(ROOT)}
WRONG_INSIDE = b'{"all": {"mrr": "x"}, "steps": [3]}'
TRAINING = {"epochs": 1, "patience": 1, "batch_size": 64}
SMALL = {"embedding_dim": 8, "attention_dim": 8, "num_experts": 2, "feedforward_dim": 8}


def text_feature(dataset: str, source: str, name: str) -> dict[str, Any]:
    extractor = {"name": "open_clip_text", "normalize": True, **CLIP}
    return {
        "dataset": dataset,
        "feature": name,
        "input": source,
        "per": "sentence",
        "precision": "float16",
        "extractor": extractor,
    }


def image_feature(dataset: str, name: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "feature": name,
        "max_per_item": None,
        "precision": "float32",
        "extractor": {"name": "open_clip_image", "normalize": True, **CLIP},
    }


def token_features() -> dict[str, dict[str, Any]]:
    """Entries of text, image and pair over one model with two towers."""
    model = {"model": "tiny-clip", "revision": None, "below_last": 1}
    text = {"lowercase": True, "max_length": 20}
    extractors = {
        "text": {"name": "transformer_text_tokens", "special_tokens": True, **text},
        "image": {"name": "transformer_image_tokens", "special_tokens": True, "preparation": None},
        "pair": {
            "name": "vision_language_tokens",
            "tokenizer": None,
            "preparation": None,
            "visual": None,
            **text,
        },
    }
    ways = {
        "text": {"input": "clean/sentences.parquet", "per": "item"},
        "image": {"max_per_item": 1},
        "pair": {},
    }
    return {
        kind: {
            "dataset": "shop",
            "feature": f"{kind}-tokens",
            "precision": "float16",
            "extractor": {**extractor, **model},
            **ways[kind],
        }
        for kind, extractor in extractors.items()
    }


def a_pretraining(dataset: str, **slots: str) -> dict[str, Any]:
    return {"dataset": dataset, "model": "mp4sr", "seed": 1} | slots


def content_knn(content: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "contentknn",
        "architecture": {"content": content},
        "pretrain": None,
        "finetune": None,
    }


def a_run(dataset: str, model: str, start: str = "none", **slots: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "model": model,
        "text": "none",
        "image": "none",
        "init_from": start,
        "seed": 1,
    } | slots


def an_ensemble(dataset: str, *runs: str) -> dict[str, Any]:
    """Of runs without features."""
    slots = zip(("first", "second", "third"), (*runs, "none"), strict=False)
    return {
        "dataset": dataset,
        **{slot: {"run": run, "text": "none", "image": "none"} for slot, run in slots},
        "metric": "ndcg@3",
        "weights": {"name": "global", "steps": 2},
    }


def params() -> dict[str, Any]:
    columns = {"user_id": "who", "item_id": "sku", "timestamp": "when", "timestamp_unit": "iso"}
    shop = {
        "name": "tabular",
        "interactions": {"file": "log.csv", "rating": None, **columns},
        "items": {
            "file": "items.csv",
            "item_id": "sku",
            "title": "name",
            "texts": ["about"],
            "image_files": "pictures",
            "image_folder": None,
            "image_urls": None,
        },
    }
    sequences = {"name": "sequences", "file": "plain.txt"}
    untold = {**DATASET, "clean": {**DATASET["clean"], "text_fields": []}}
    both = {"text": "sentences", "image": "pictures"}
    words = {"text": "sentences", "image": "words"}
    tokens = token_features()
    return {
        "datasets": {
            "shop": {**DATASET, "files": "files", "source": shop, "keywords": KEYWORDS},
            "plain": {**untold, "files": "files", "source": sequences},
            "both": {**DATASET, "files": "data/unions/both", "source": {"name": "raw"}},
        },
        "unions": {"both": {"left": "shop", "right": "plain"}},
        "embed": {
            "text": {
                "shop-sentences": text_feature("shop", "clean/sentences.parquet", "sentences"),
                "shop-words": text_feature("shop", "keywords/keywords.parquet", "words"),
                "both-sentences": text_feature("both", "clean/sentences.parquet", "sentences"),
                "shop-tokens": tokens["text"],
                "shop-shuffled": {
                    **text_feature("shop", "clean/sentences.parquet", "shuffled"),
                    "knockout": {"name": "shuffled", "seed": 1},
                },
                "shop-constant": {
                    **text_feature("shop", "clean/sentences.parquet", "constant"),
                    "knockout": {"name": "constant"},
                },
            },
            "image": {
                "shop-tokens": tokens["image"],
                "shop-dropped": {
                    **image_feature("shop", "dropped"),
                    "knockout": {"name": "dropped", "share": 0.4, "seed": 1},
                },
                **{
                    f"{dataset}-pictures": image_feature(dataset, "pictures")
                    for dataset in ("shop", "both")
                },
            },
            "pair": {
                "shop-tokens": tokens["pair"],
                "shop-noise": {
                    **tokens["pair"],
                    "feature": "pair_noise",
                    "knockout": {"name": "noise", "seed": 1},
                },
            },
        },
        "models": {
            "mp4sr": {
                "name": "mp4sr",
                "architecture": SMALL,
                "pretrain": TRAINING,
                "finetune": TRAINING,
            },
            "sasrec": {
                "name": "sasrec",
                "architecture": {"embedding_dim": 8},
                "pretrain": None,
                "finetune": TRAINING,
            },
            "popularity": {
                "name": "popularity",
                "architecture": {},
                "pretrain": None,
                "finetune": None,
            },
            "itemknn": {
                "name": "itemknn",
                "architecture": {},
                "pretrain": None,
                "finetune": None,
            },
            "tfidf": content_knn({"name": "tfidf"}),
            "mean-vectors": content_knn({"name": "mean_vectors"}),
        },
        "pretrainings": {
            "larger": a_pretraining("both", **both),
            "shop-mp4sr": a_pretraining("shop", **words),
        },
        "runs": {
            "both-mp4sr": a_run("both", "mp4sr", "larger", **both),
            "shop-mp4sr": a_run("shop", "mp4sr", "shop-mp4sr", **words),
            "shop-fresh": a_run("shop", "mp4sr", **words),
            "shop-transfer": a_run("shop", "mp4sr", "larger", **both),
            "plain-sasrec": a_run("plain", "sasrec"),
            "plain-popularity": a_run("plain", "popularity"),
            "plain-itemknn": a_run("plain", "itemknn"),
            "shop-tfidf": a_run("shop", "tfidf", text="bag_of_words"),
            "shop-mean-vectors": a_run("shop", "mean-vectors", **words),
        },
        "ensembles": {
            "plain-two": an_ensemble("plain", "plain-sasrec", "plain-popularity"),
            "shop-three": {
                **an_ensemble("shop", "shop-mp4sr", "shop-fresh", "shop-transfer"),
                "first": {"run": "shop-mp4sr", **words},
                "second": {"run": "shop-fresh", **words},
                "third": {"run": "shop-transfer", **both},
            },
            "plain-grouped": {
                **an_ensemble("plain", "plain-sasrec", "plain-itemknn"),
                "weights": {
                    "name": "grouped",
                    "steps": 2,
                    "history_ends": [1],
                    "count_ends": [2],
                    "min_targets": 1,
                },
            },
        },
        "validation": {"mask_history": False},
        "evaluate": {
            "mask_history": False,
            "cutoffs": [1, 3],
            "history_bins": [2, 4],
            "cold_positions": "heldout",
        },
        "recommend": {"run": "shop-transfer", "top_k": 8, "keep_seen": True},
        "report": {
            "title": "Tiny",
            "dataset": "shop",
            "num_sample_users": 2,
            "num_gallery_items": 3,
            "maps": ["shop-mp4sr", "shop-transfer"],
            "categories": ["thing", "lamp"],
        },
    }


def write_files(folder: Path) -> None:
    """A shop with ids of every kind, items without text or pictures, a picture that is none."""
    files = folder / "files"
    files.mkdir()
    for name in IDS[:5]:
        (files / f"{IDS.index(name)}.jpg").write_bytes(jpeg(40 * IDS.index(name)))
    (files / "broken.jpg").write_bytes(b"no picture")
    with (files / "items.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sku", "name", "about", "pictures"])
        for place, name in enumerate(IDS):
            pictures = {5: "broken.jpg", 6: "missing.jpg", 7: ""}.get(place, f"{place}.jpg")
            words = (
                (None, None) if place in (4, 7) else (f"Thing {place}", "Useful. Red &amp; new.")
            )
            rows.writerow([name, *words, pictures])
    with (files / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["who", "sku", "when"])
        for user in range(12):
            for step in range(4 if user else 1):
                rows.writerow([f"u.{user}", IDS[(user + step) % 7], f"2024-01-0{step + 1}"])
    lines = [f"{user} " + " ".join(str((user + s) % 5 + 1) for s in range(4)) for user in range(9)]
    (files / "plain.txt").write_text("\n".join(lines) + "\n")
    # Git has it in every clone.
    note = Paths(folder).pretraining("none").pretrained
    shutil.copytree(Paths(ROOT).pretraining("none").pretrained, note)
    dictionaries = folder / "data" / "dictionaries"
    dictionaries.mkdir(parents=True)
    (dictionaries / "words.txt").write_text("red\nblue\nshoe\nlamp\n")


def write_params(data: object, folder: Path) -> Params:
    text = io.StringIO()
    YAML(typ="safe").dump(data, text)
    (folder / "params.yaml").write_text(text.getvalue())
    return load_params(folder / "params.yaml")


READS = pytest.StashKey[Reads]()
CALLS = pytest.StashKey[Calls]()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The folder after all stages."""
    folder = tmp_path_factory.mktemp("world")
    write_files(folder)
    write_checkpoint("clip", folder / "tiny-clip")
    checked = write_params(params(), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MMREC_CACHE", str(folder / "cache"))
        shutil.copy(ROOT / "dvc.yaml", folder)
        reads = request.config.stash[READS] = Reads(checked, patch)
        calls = request.config.stash[CALLS] = Calls(ROOT, patch)
        reads.call("code")
        for stage, keys in (
            ("crawl", ("shop", "plain")),
            ("union", ("both",)),
            ("crawl", ("both",)),
            ("clean", checked.datasets),
            ("keywords", checked.datasets),
            ("embed_text", checked.embed.text),
            ("embed_image", checked.embed.image),
            ("embed_pair", checked.embed.pair),
            ("pretrain", checked.pretrainings),
            ("finetune", checked.runs),
            ("evaluate", checked.runs),
            ("ensemble", checked.ensembles),
            ("evaluate_ensemble", checked.ensembles),
        ):
            for key in keys:
                with calls.of(stage, key):
                    reads.call(stage, key)
        # What the report reads of knock-outs, where somebody asked for them.
        found = {"run": "shop-mp4sr", "seeds": [1], "settings": {}, "parts": []}
        write_json(found, knockouts_of(Paths(folder).run("shop-mp4sr")))
        for stage in ("recommend", "report"):
            with calls.of(stage):
                reads.call(stage)
    return folder


def test_a_stage_declares_the_settings_it_reads_and_no_others(
    world: Path, request: pytest.FixtureRequest
) -> None:
    checked = load_params(world / "params.yaml").model_dump()
    # The kind of a model is read as the class it is of; `code` looks through them as data.
    never_read = {
        name: set(declared(body)) - {"models.${item.model}.name"}
        for name, body in STAGES.items()
        if name != "code"
    }
    for (stage, key), reads in request.config.stash[READS].by_call.items():
        if stage == "code":
            continue
        filled, slots = filled_in(STAGES[stage], key, checked)
        for path in reads - slots:
            if not isinstance(value_at(checked, path), dict):
                assert any(f"{path}.".startswith(f"{name}.") for name in filled.values()), path
        for path, name in filled.items():
            if any(f"{read}.".startswith(f"{name}.") for read in reads):
                never_read[stage].discard(path)
    assert not any(never_read.values()), never_read


@pytest.fixture(scope="module")
def closed(world: Path) -> dict[tuple[str, str], Closure]:
    """What of the code every stage and entry depends on."""
    data = load_params(world / "params.yaml").model_dump()
    found = closures(ROOT / "dvc.yaml", data)
    closed = {}
    for name, stage in ((n, s) for n, s in STAGES.items() if n != "code"):
        for key in value_at(data, stage["foreach"][2:-1]) if "foreach" in stage else [""]:
            deps = filled_in(stage, key, data, "deps")[0].values()
            [closed[name, key]] = [found[path] for path in deps if path in found]
    return closed


def test_everything_that_a_stage_runs_is_code_that_it_depends_on(
    closed: dict[tuple[str, str], Closure], request: pytest.FixtureRequest
) -> None:
    calls = request.config.stash[CALLS]
    assert calls.definitions.keys() == closed.keys()
    total = 0
    for call, closure in closed.items():
        run = calls.definitions[call]
        total += len(run)
        assert run - defined(closure) == set(), call
        assert calls.imports[call] - closure.modules == set(), call
    assert total > 1000


def test_importing_what_a_stage_depends_on_imports_nothing_else(
    closed: dict[tuple[str, str], Closure],
) -> None:
    wanted = {frozenset(closure.modules) for closure in closed.values()}
    assert len(wanted) > 8
    for modules, found in importing(ROOT, wanted).items():
        assert found == modules


def dropped(world: Path) -> dict[str, dict[str, int]]:
    """What each step of cleaning the shop dropped, by reason."""
    summary = json.loads((Paths(world).dataset("shop").clean / "summary.json").read_text())
    return {step["step"]: step["dropped"] for step in summary["steps"]}


def test_every_output_of_every_stage_is_there(world: Path) -> None:
    paths, checked = Paths(world), load_params(world / "params.yaml")
    for name in checked.datasets:
        assert paths.dataset(name).items.is_file()
        assert paths.dataset(name).keywords.is_file()
    for name in ranked_entries(checked):
        metrics = json.loads(paths.run(name).metrics.read_text())
        assert metrics["all"]["num_users"] >= 9
        assert sum(map(len, metrics.values())) <= 15, "what `dvc exp show` has columns for"
        everything = json.loads(paths.run(name).all_metrics.read_text())
        held_out = {"all", "warm", "cold", "new", "history_length", "lists", "protocol"}
        of_ensemble = {"ensemble"} if name in checked.ensembles else set()
        assert everything.keys() == held_out | {*COLD_POSITION_PARTS} | of_ensemble
        dataset = paths.dataset(ranked_entries(checked)[name].dataset)
        cleaned = json.loads(dataset.clean_summary.read_text())
        assert everything["protocol"] == cleaned["protocol"] | ranked_by(checked, name)
        assert everything["cold_positions"]["num_samples"] >= everything["cold"]["num_users"]
        assert cold_ranks_of(paths.run(name)).is_file()
        assert everything["all"].items() >= metrics["all"].items()
        assert (name in checked.runs) == paths.run(name).finetune_history.is_file()
    for name in checked.pretrainings:
        assert paths.pretraining(name).history.is_file()
        assert load_weights(paths.pretraining(name).pretrained) is not None
    assert {path.stem for path in (paths.code / "finetune").iterdir()} == {*checked.models}
    page = (paths.report / "index.html").read_text()
    assert all(name in page for name in ranked_entries(checked))
    assert "ensemble, weights by group: plain-sasrec + plain-itemknn" in page


def test_what_was_computed_has_a_cost_and_what_is_not_trained_has_none(world: Path) -> None:
    paths, checked = Paths(world), load_params(world / "params.yaml")
    folders = [paths.run(name).finetuned for name in checked.runs]
    folders += [paths.pretraining(name).pretrained for name in checked.pretrainings]
    for folder in folders:
        cost = read_cost(folder / RECORD, costs_of(paths))
        assert (cost is not None) == (load_weights(folder) is not None)
    found = [paths.run(name).all_metrics for name in ranked_entries(checked)]
    found += map(paths.ensemble_weights, checked.ensembles)
    costs = [read_cost(record, costs_of(paths)) for record in found]
    assert all(cost is not None and cost.whole and cost.seconds > 0 for cost in costs)


def test_vectors_are_there_of_models_that_have_them(world: Path) -> None:
    with_vectors = {
        name: Paths(world).run(name).item_vectors.is_file()
        and Paths(world).run(name).user_vectors.is_file()
        for name in ranked_entries(load_params(world / "params.yaml"))
    }
    without = [name for name, found in with_vectors.items() if not found]
    assert without == ["plain-itemknn", "shop-tfidf", "plain-grouped"]


def test_everything_that_ranks_recommends_to_anybody_what_it_was_evaluated_by(
    world: Path,
) -> None:
    checked = load_params(world / "params.yaml")
    for name, entry in ranked_entries(checked).items():
        data, run = open_dataset(entry.dataset, world), open_run(name, world)
        ids = data.items["item_id"].to_list()
        histories = [
            items[:end] for items, end in data.sequences.select("item_ids", "test_start").rows()
        ]
        lists = pl.read_parquet(lists_of(Paths(world).run(name)))
        found = run.recommend(histories, 10, filters=Filters(keep_seen=True))
        for place, row in enumerate(lists["items"].to_list()):
            own = found.filter(pl.col("history") == place)
            expected = [ids[one - 1] for one in row]
            # Of two items that are left for an ensemble, parts that disagree may make equals.
            scores = dict(own.select("item_id", "score").rows())
            near = [first - second for first, second in pairwise(map(scores.get, expected))]
            assert own["item_id"].to_list() == expected or (
                name in checked.ensembles and min(near) > -1e-6
            ), name


def test_a_new_item_with_the_content_of_an_old_one_is_ranked_as_that(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMREC_CACHE", str(world / "cache"))
    shutil.copy(world / "files" / "1.jpg", tmp_path)
    table = tmp_path / "new.csv"
    words = '"Useful. Red &amp; new."'
    table.write_text(f"item_id,title,about,images\ntwin,Thing 1,{words},1.jpg\nbare,,,\n")
    seen, everything = [[IDS[2]], [IDS[0], IDS[3]]], Filters(keep_seen=True)
    run = open_run("shop-mean-vectors", world, new_items=table)
    found = run.recommend(seen, 10, filters=everything)
    for place in range(2):
        scores = dict(found.filter(history=place).select("item_id", "score").rows())
        assert scores["twin"] == pytest.approx(scores[IDS[1]], abs=1e-6)
    old = open_run("shop-mean-vectors", world).recommend(seen, 10, filters=everything)
    left = found.filter(~pl.col("item_id").is_in(["twin", "bare"]))
    assert left["item_id"].to_list() == old["item_id"].to_list()
    with pytest.raises(ValueError, match=r"its model \(mp4sr\) knows items by their ids, too"):
        open_run("shop-mp4sr", world, new_items=table)


def vectors_of(world: Path, feature: str) -> dict[str, list[list[float]]]:
    """Every item's vectors of a feature of the shop, in order."""
    parts = pl.read_parquet(Paths(world).dataset("shop").features(feature) / "*.parquet")
    rows = parts.sort("item_id", "position").group_by("item_id", maintain_order=True)
    return dict(rows.agg("embedding").iter_rows())


def test_a_knocked_out_feature_is_the_other_one_but_for_what_it_lost(world: Path) -> None:
    pictures, left = vectors_of(world, "pictures"), vectors_of(world, "dropped")
    assert len(left) == len(pictures) - round(0.4 * len(pictures)) < len(pictures)
    assert left.items() <= pictures.items()
    sentences, given = vectors_of(world, "sentences"), vectors_of(world, "shuffled")
    assert given.keys() == sentences.keys()
    assert sorted(given.values()) == sorted(sentences.values())
    assert given != sentences
    constant = vectors_of(world, "constant")
    assert {item: len(of) for item, of in constant.items()} == {
        item: len(of) for item, of in sentences.items()
    }
    assert len({tuple(one) for of in constant.values() for one in of}) == 1
    pair = token_features()["pair"]["feature"]
    noise, states = vectors_of(world, "pair_noise"), vectors_of(world, pair)
    assert {item: len(of) for item, of in noise.items()} == {
        item: len(of) for item, of in states.items()
    }
    assert noise != states


def test_a_user_with_one_interaction_is_counted_and_not_recommended_to(world: Path) -> None:
    assert dropped(world)["core"] == {"user_core": 1}
    lists = pl.read_parquet(Paths(world).recommended_lists)
    assert "u.0" not in lists["user_id"]
    assert lists["user_id"].n_unique() == 11


def test_an_item_without_text_pictures_or_both_is_recommended_like_any_other(world: Path) -> None:
    lists = pl.read_parquet(Paths(world).recommended_lists)
    assert set(lists["item_id"]) == set(IDS)
    assert lists.group_by("user_id").len()["len"].unique().to_list() == [8]
    vectors = pl.read_parquet(Paths(world).run("shop-transfer").item_vectors)
    assert set(vectors["item_id"]) == set(IDS)
    assert vectors["vector"].explode().is_finite().all()


def test_a_picture_that_is_none_and_one_that_is_missing_have_a_reason(world: Path) -> None:
    dataset = Paths(world).dataset("shop")
    links = pl.read_parquet(dataset.image_links)
    assert dict(links.filter(pl.col("status") != "ok").select("link", "reason").rows()) == {
        "missing.jpg": "missing_file"
    }
    assert dropped(world)["images"] == {"missing_file": 1, "not_an_image": 1}


def test_the_union_has_both_datasets_with_their_names_on_every_id(world: Path) -> None:
    ids = pl.read_parquet(Paths(world).dataset("both").items)["item_id"]
    assert {name.partition("/")[0] for name in ids} == {"shop", "plain"}
    assert len(ids) == 8 + 5


def test_runs_start_from_the_pretraining_that_they_name_on_other_items_too(
    world: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked, paths = load_params(world / "params.yaml"), Paths(Path())
    monkeypatch.chdir(world)
    caplog.set_level("INFO", "mmrec")
    start = load_weights(paths.pretraining("larger").pretrained)
    assert start
    for name in ("both-mp4sr", "shop-transfer", "shop-mp4sr", "shop-fresh"):
        caplog.clear()
        before = (paths.run(name).finetuned / "model.safetensors").read_bytes()
        importlib.import_module("stages.finetune").main(checked, paths, name)
        assert (paths.run(name).finetuned / "model.safetensors").read_bytes() == before
        loaded = f"pre-trained parameters: {len(start.tensors)} loaded; fresh: item_ids; unused: no"
        assert (loaded in caplog.text) == (name != "shop-fresh")
        elsewhere = "data/pretrainings/larger/model.safetensors: trained on other items"
        assert (elsewhere in caplog.text) == (name == "shop-transfer")


def run_stage(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["python", "-m", *arguments],
        cwd=folder,
        env={**BARE, **threads(), "PATH": f"{forking() / 'bin'}:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_several_processes_leave_the_one_note_that_one_leaves(world: Path) -> None:
    note = world / "data" / "models" / "plain-popularity" / "finetuned" / "model.json"
    before = note.read_bytes()
    note.unlink()
    done = run_stage(world, "stages.finetune", "plain-popularity", MMREC_PROCESSES="2")
    assert done.returncode == 0, done.stderr
    assert "trained no" in done.stderr
    assert note.read_bytes() == before
    assert [path.name for path in note.parent.iterdir()] == ["model.json"]


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def files_and_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def run_stage_within_memory(
    kilobytes: int, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """A start: its limit is that of all of the process."""
    return subprocess.run(
        ["bash", "-c", f'ulimit -v {kilobytes}; exec {sys.executable} -m "$@"', "bash", *arguments],
        cwd=folder,
        env={**BARE, "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def refused(world: Path, stage: list[str], says: str, kilobytes: int | None = None) -> None:
    """A stage that ends with one message and leaves all files as they were."""
    before = files_and_times(world / "data")
    run = partial(run_stage_within_memory, kilobytes) if kilobytes else run_stage
    done = run(world, *stage)
    assert done.returncode == 1, done.stderr
    assert re.search(says, done.stderr), done.stderr
    assert "Traceback (most recent call last)" not in done.stderr.partition("error: ")[0]
    assert files_and_times(world / "data") == before


@pytest.mark.parametrize(
    ("file", "content", "stage"),
    [
        ("evaluated/shop-mp4sr/all_metrics.json", WRONG_INSIDE, ["stages.report"]),
        ("recommendations/summary.json", b"{}", ["stages.report"]),
        ("datasets/shop/clean/summary.json", WRONG_INSIDE, ["stages.report"]),
        ("datasets/shop/raw/summary.json", b"null", ["stages.clean", "shop"]),
        ("datasets/shop/raw/summary.json", b"{}", ["stages.union", "both"]),
        ("models/shop-mp4sr/finetuned/model.json", b"{}", ["stages.evaluate", "shop-mp4sr"]),
        ("ensembles/plain-two/weights.json", b"{}", ["stages.evaluate_ensemble", "plain-two"]),
        ("pretrainings/shop-mp4sr/model.json", b"null", ["stages.finetune", "shop-mp4sr"]),
        ("pretrainings/none/model.json", b"{}", ["stages.finetune", "shop-fresh"]),
    ],
)
def test_json_of_another_shape_is_one_message(
    file: str, content: bytes, stage: list[str], world: Path
) -> None:
    with changed(world / "data" / file, content):
        refused(world, stage, f"error: data/{re.escape(file)}: .*run the stage that writes it")


def test_weights_of_other_items_are_refused(world: Path, tmp_path: Path) -> None:
    path = Paths(world).dataset("plain").items
    items = read_table(path, schemas.CLEAN_ITEMS)
    ids = items["item_id"].to_pylist()
    exchanged = items.set_column(0, "item_id", pa.array([*ids[:2], "x", *ids[3:]]))
    write_table(exchanged, tmp_path / "items.parquet", schemas.CLEAN_ITEMS)
    says = "1 of its . are not among the catalogue's.*1 of the catalogue's . are new .first: 'x'"
    with changed(path, (tmp_path / "items.parquet").read_bytes()):
        refused(world, ["stages.evaluate", "plain-sasrec"], says)


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        (["stages.recommend"], r"items\.faiss: cannot be written \(File too large"),
        (["stages.evaluate", "shop-mp4sr"], r"ranks\.parquet: cannot be written"),
        (["stages.report"], r"index\.html: cannot be written .* bytes to write"),
    ],
)
def test_no_room_for_a_file_is_one_message(stage: list[str], says: str, world: Path) -> None:
    refused(world, ["tests.stages.limited", *stage], says)


def test_no_memory_is_one_message(world: Path) -> None:
    refused(world, ["stages.finetune", "shop-mp4sr"], "finetune: out of memory", kilobytes=600_000)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("log.csv", None, r"log\.csv.*not found"),
        ("log.csv", "who,item,when\na,b,2024-01-01\n", r"log\.csv.*sku"),
        ("log.csv", "who,sku,when\na,b,yesterday\n", r"log\.csv.*(line|row) ?2.*yesterday"),
        ("items.csv", "sku,name,about,pictures\na,A,,\na,B,,\n", r"items\.csv.*a"),
    ],
)
def test_a_wrong_source_file_is_one_message_and_leaves_nothing_half_written(
    tmp_path: Path, file: str, text: str | None, says: str
) -> None:
    write_files(tmp_path)
    write_params(params(), tmp_path)
    (tmp_path / "files" / file).unlink()
    if text is not None:
        (tmp_path / "files" / file).write_text(text)
    done = run_stage(tmp_path, "stages.crawl", "shop")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(says, done.stderr.replace("\n", " ")), done.stderr
    assert not list(tmp_path.glob("data/datasets/**/*.parquet"))


def test_a_stage_without_its_key_says_what_it_expects(tmp_path: Path) -> None:
    write_params(params(), tmp_path)
    done = run_stage(tmp_path, "stages.crawl")
    assert done.returncode == 1
    assert "found 0 arguments, expected key: the name of an entry" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stage_for_an_unknown_entry_says_what_there_is(tmp_path: Path) -> None:
    write_params(params(), tmp_path)
    done = run_stage(tmp_path, "stages.clean", "nonsense")
    assert done.returncode == 1
    assert "datasets.nonsense: no such entry; found: both, plain, shop" in done.stderr


def test_a_traceback_is_shown_where_it_is_asked_for(tmp_path: Path) -> None:
    write_params(params(), tmp_path)
    assert "Traceback" not in run_stage(tmp_path, "stages.clean", "shop").stderr
    done = run_stage(tmp_path, "stages.clean", "shop", MMREC_LOG="debug")
    assert "Traceback" in done.stderr
    done = run_stage(tmp_path, "stages.clean", "shop", MMREC_LOG="loud")
    assert "MMREC_LOG: found 'loud', allowed: debug, info, warning, error" in done.stderr


def test_the_comparison_of_all_runs_is_printed_at_the_end(world: Path) -> None:
    done = run_stage(world, "mmrec.report")
    assert done.returncode == 0, done.stderr
    for name in params()["runs"]:
        assert name in done.stdout
    assert "data/report/index.html" in done.stdout


def test_wrong_params_are_reported_without_a_stage(tmp_path: Path) -> None:
    data = params()
    write_params(data, tmp_path)
    assert run_stage(tmp_path, "mmrec.params").returncode == 0
    (tmp_path / "params.yaml").write_text("runs: []\n")
    done = run_stage(tmp_path, "mmrec.params")
    assert done.returncode == 1
    assert "runs: found []" in done.stderr


def test_a_catalogue_that_is_empty_after_filtering_is_one_message(
    world: Path, tmp_path: Path
) -> None:
    write_files(tmp_path)
    data = params()
    data["datasets"]["shop"]["clean"] = {**DATASET["clean"], "user_core": 50}
    write_params(data, tmp_path)
    assert run_stage(tmp_path, "stages.crawl", "shop").returncode == 0
    done = run_stage(tmp_path, "stages.clean", "shop")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "user_core" in done.stderr
    assert not (tmp_path / "data" / "datasets" / "shop" / "clean").exists()


def test_every_field_of_the_schema_is_read_by_code_or_by_dvc() -> None:
    """A setting that nothing reads would be a promise that nothing keeps."""
    files = [*(ROOT / "mmrec").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]
    code = "\n".join(path.read_text() for path in files if path.parent.name != "params")
    # `clean` and the column maps are passed on as keyword arguments.
    dumped = {"CleanParams"}
    named = re.findall(r"\$\{item\.([\w.]+)\}", (ROOT / "dvc.yaml").read_text())
    slots = {name for slot in named for name in slot.split(".")}
    kinds: set[type[BaseModel]] = sections(Params)
    for kind in kinds:
        for field in kind.model_fields:
            if field == "name" and "name" not in slots:
                continue  # the tag of a union: a case of a builder
            used = re.search(rf"\.{field}\b", code) or field in slots
            passed = kind.__name__ in dumped and re.search(rf"\b{field}\b", code)
            assert used or passed, f"{kind.__name__}.{field}"
