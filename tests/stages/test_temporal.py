"""A tiny shop split by time, through training, validation, evaluation, lists and report."""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mmrec import schemas
from mmrec.compare.__main__ import main as compare
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths
from mmrec.run_paths import lists_of
from tests.stages.test_stages import (
    IDS,
    TRAINING,
    a_run,
    an_ensemble,
    params,
    write_files,
    write_params,
)

VALIDATION, TEST = 5, 7
"""Days of January on which the periods begin."""
SPLIT = {
    "name": "temporal",
    "validation": f"2024-01-0{VALIDATION}",
    "test": f"2024-01-0{TEST}",
    "targets": "all",
}
Log = dict[str, list[tuple[int, str]]]


def events() -> Log:
    """Days and items of users: nine of all periods, one of the test alone, one of training."""
    log = {
        f"u.{user}": [(1 + user % 2 + step, IDS[(user + step) % 7]) for step in range(7)]
        for user in range(9)
    }
    return log | {"late": [(7, "e"), (8, "f"), (9, "g")], "early": [(1, "e"), (2, "f"), (3, "g")]}


def with_models() -> dict[str, Any]:
    data = params()
    shop = data["datasets"]["shop"]
    clean = shop["clean"] | {"split": SPLIT, "tie_order": "random", "tie_seed": 5}
    data["datasets"] = {"shop": shop | {"clean": clean, "keywords": {"name": "none"}}}
    data["unions"], data["embed"] = {}, {"text": {}, "image": {}, "pair": {}}
    data["pretrainings"] = {}
    data["models"]["bert4rec"] = {
        "name": "bert4rec",
        "architecture": {"embedding_dim": 8},
        "pretrain": None,
        "finetune": TRAINING,
    }
    names = ("sasrec", "bert4rec", "popularity", "itemknn")
    data["models"] = {name: data["models"][name] for name in names}
    data["runs"] = {name: a_run("shop", name) for name in names}
    data["ensembles"] = {"two": an_ensemble("shop", "sasrec", "itemknn")}
    data["recommend"] = {"run": "sasrec", "top_k": 3, "keep_seen": True}
    data["report"] |= {"maps": [], "num_sample_users": 20}
    return data


def run_all(folder: Path, log: Log, patch: pytest.MonkeyPatch) -> tuple[Params, Paths]:
    folder.mkdir()
    write_files(folder)
    with (folder / "files" / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["who", "sku", "when"])
        for user, of_user in log.items():
            rows.writerows([user, item, f"2024-01-0{day}"] for day, item in of_user)
    checked = write_params(with_models(), folder)
    patch.chdir(folder)
    patch.setenv("MMREC_CACHE", str(folder / "cache"))
    paths = Paths(folder)
    stages = [(stage, "shop") for stage in ("crawl", "clean", "keywords")]
    stages += [(stage, run) for stage in ("finetune", "evaluate") for run in checked.runs]
    stages += [("ensemble", "two"), ("evaluate_ensemble", "two")]
    for stage, key in stages:
        importlib.import_module(f"stages.{stage}").main(checked, paths, key)
    for stage in ("recommend", "report"):
        importlib.import_module(f"stages.{stage}").main(checked, paths)
    return checked, paths


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Params, Paths]:
    with pytest.MonkeyPatch.context() as patch:
        return run_all(tmp_path_factory.mktemp("temporal") / "world", events(), patch)


def test_every_interaction_of_the_test_is_ranked_after_what_came_before_it(
    world: tuple[Params, Paths],
) -> None:
    checked, paths = world
    dataset = paths.dataset("shop")
    users = read_table(dataset.users, schemas.CLEAN_USERS)["user_id"].to_pylist()
    expected = {
        (user, place)
        for user, of_user in events().items()
        for place, (day, _) in enumerate(of_user)
        if day >= TEST and of_user[0][0] < TEST
    }
    assert len(expected) == 9 + 4
    for run in ranked_entries(checked):
        ranks = read_table(paths.run(run).ranks, schemas.RANKS).to_pylist()
        assert {(users[row["user_index"]], row["history_length"]) for row in ranks} == expected
        metrics = json.loads(paths.run(run).all_metrics.read_text())
        assert (metrics["all"]["num_samples"], metrics["all"]["num_users"]) == (13, 9)
        assert metrics["all"]["mrr"] == pytest.approx(
            sum(1 / row["rank"] for row in ranks) / len(ranks)
        )
        told = metrics["protocol"]
        assert told["split"].items() >= SPLIT.items()
        assert (told["tie_order"], told["tie_seed"]) == ("random", 5)
        assert told["later_training_share"] == told["later_training_share_of_items"] == 0


def test_lists_are_one_for_each_item_that_is_held_out(world: tuple[Params, Paths]) -> None:
    checked, paths = world
    for run in ranked_entries(checked):
        ranks = read_table(paths.run(run).ranks, schemas.RANKS)
        lists = read_table(lists_of(paths.run(run)), schemas.LISTS)
        assert lists["user_index"] == ranks["user_index"]
        longest = max(checked.evaluate.lists_at)
        for row, listed in zip(ranks.to_pylist(), lists["items"].to_pylist(), strict=True):
            # Ties count against the rank, and not against a list.
            assert row["rank"] > longest or row["target"] in listed
        found = json.loads(paths.run(run).all_metrics.read_text())["lists"]["all"]
        assert (found["num_samples"], found["num_users"]) == (13, 9)
    assert ranks["rank"].to_numpy().min() <= longest


def test_runs_are_compared_over_users_as_wholes(
    world: tuple[Params, Paths],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(world[1].params.parent)
    compare(["sasrec", "popularity", "--metric", "mrr"])
    assert "shop, all users, MRR: 13 samples of 9 users" in capsys.readouterr().out


def test_popularity_and_cold_items_are_of_what_trains(world: tuple[Params, Paths]) -> None:
    trained = [item for of in events().values() for day, item in of if day < VALIDATION]
    items = pl.read_parquet(world[1].dataset("shop").items)
    counts = dict(items.select("item_id", "training_count").iter_rows())
    assert counts == {name: trained.count(name) for name in IDS}
    assert items["is_cold"].to_list() == [counts[name] < 3 for name in items["item_id"]]


def test_what_comes_after_the_border_changes_no_model(
    world: tuple[Params, Paths], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {
        user: [(day, item if day < TEST else IDS[(len(user) + day) % 4]) for day, item in of_user]
        for user, of_user in events().items()
    }
    assert other != events()
    checked, paths = run_all(tmp_path / "other", other, monkeypatch)
    for run in checked.runs:
        if (weights := paths.run(run).finetuned / "model.safetensors").is_file():
            assert (
                weights.read_bytes()
                == (world[1].run(run).finetuned / "model.safetensors").read_bytes()
            )
        history = paths.run(run).finetune_history.read_bytes()
        assert history == world[1].run(run).finetune_history.read_bytes()
    found = [of.ensemble_weights("two").read_bytes() for of in (paths, world[1])]
    assert found[0] == found[1]
    changed = [
        read_table(of.run("sasrec").ranks, schemas.RANKS)["target"] for of in (paths, world[1])
    ]
    assert changed[0] != changed[1]


def test_page_says_how_it_was_split(world: tuple[Params, Paths]) -> None:
    page = (world[1].report / "index.html").read_text()
    assert "before 2024-01-05T00:00:00Z trains" in page
    assert "Of these interactions each is ranked" in page
    of_metrics, of_tests, of_lists = (
        part.partition(")")[0] for part in page.split('All users <span class="soft">(')[1:]
    )
    assert of_metrics == of_tests == of_lists == "13 samples"
    assert "There is one for each held-out item" in page
    assert "Leave-one-out" not in page
    assert "1 not evaluated, with nothing before the test begins" in page
    assert "a draw of its own (tie_seed 5)" in page
