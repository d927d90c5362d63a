"""What the report reads of runs: whole, or one message that says which and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.io import DataError, write_json, write_table
from mmrec.params.file import load_params
from mmrec.params.sources import TabularSourceParams
from mmrec.paths import Paths
from mmrec.report.collect import collect_pretrainings, collect_protocol, collect_runs
from mmrec.report.former_runs import remove_former_runs
from mmrec.report.runs import RunReport
from mmrec.run_paths import RunPaths, cold_ranks_of, lists_of
from tests.report.made_runs import cold_ranks, metrics, positions, ranks_of

ROOT = Path(__file__).parents[2]
PARAMS = load_params(ROOT / "params.yaml").model_copy(update={"ensembles": {}})
"""Runs alone: an ensemble is evaluated in another way."""
HISTORY = "epoch,learning_rate,loss,recall@20\n1,0.001,2.5,0.25\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    for name, run in PARAMS.runs.items():
        results, model = paths.run(name), PARAMS.models[run.model]
        write_json(metrics(0.2), results.all_metrics)
        results.finetune_history.parent.mkdir(parents=True)
        write_table(ranks_of(0.2), results.ranks, schemas.RANKS)
        empty = "epoch,learning_rate,loss\n"
        results.finetune_history.write_text(HISTORY if model.finetune else empty)
    for name in PARAMS.pretrainings:
        history = paths.pretraining(name).history
        history.parent.mkdir(exist_ok=True)
        history.write_text(HISTORY)
    return paths


def collected(paths: Paths) -> list[RunReport]:
    return collect_runs(PARAMS, paths, collect_pretrainings(PARAMS, paths))


def test_every_run_is_read_with_all_its_metrics_and_what_it_starts_from(paths: Paths) -> None:
    reports = collected(paths)
    assert [run.name for run in reports] == list(PARAMS.runs)
    by_name = {run.name: run for run in reports}
    popularity, sasrec, mp4sr, with_id = (
        by_name[f"demo-{name}"] for name in ("popularity", "sasrec", "mp4sr", "mp4sr-id")
    )
    assert popularity.finetuning == {}
    assert popularity.pretraining is sasrec.pretraining is None
    assert sasrec.finetuning["recall@20"] == [0.25]
    assert mp4sr.pretraining
    assert mp4sr.pretraining is with_id.pretraining, "two runs start from one"
    assert mp4sr.pretraining.history["recall@20"] == [0.25]
    assert (mp4sr.pretraining.name, mp4sr.pretraining.metric) == ("demo-mp4sr", "recall@20")
    assert sasrec.metrics["history_length"]["1-5"]["num_users"] == 200


def test_runs_that_are_not_evaluated_are_named_together(paths: Paths) -> None:
    for name in ("demo-sasrec", "demo-mp4sr"):
        paths.run(name).all_metrics.unlink()
    of = f"2 of {len(PARAMS.runs)} runs"
    with pytest.raises(DataError, match=rf"not evaluated: demo-sasrec, demo-mp4sr \({of}"):
        collected(paths)


def no_history(run: RunPaths) -> None:
    run.finetune_history.unlink()


def empty_history(run: RunPaths) -> None:
    run.finetune_history.write_text("epoch,learning_rate,loss\n")


def history_without_its_metric(run: RunPaths) -> None:
    run.finetune_history.write_text("epoch,learning_rate,loss\n1,0.1,0.5\n")


def metrics_without_a_part(run: RunPaths) -> None:
    write_json({"all": {"num_users": 3}}, run.all_metrics)


def metrics_of_another_kind(run: RunPaths) -> None:
    write_json([], run.all_metrics)


def metrics_cut_short(run: RunPaths) -> None:
    run.all_metrics.write_text("{")


def test_the_history_of_a_pretraining_that_is_not_whole_names_the_stage(paths: Paths) -> None:
    paths.pretraining("demo-mp4sr").history.unlink()
    says = r"pretraining_histories/demo-mp4sr\.csv: no epoch .*`dvc repro pretrain@demo-mp4sr`"
    with pytest.raises(DataError, match=says):
        collected(paths)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (no_history, r"finetune_history\.csv: no epoch .*`dvc repro finetune@demo-sasrec`"),
        (empty_history, r"finetune_history\.csv: no epoch with epoch, loss, recall@20 in it"),
        (history_without_its_metric, r"finetune_history\.csv: no epoch"),
        (metrics_without_a_part, r"all_metrics\.json: warm: Field required, found .*; run the"),
        (metrics_of_another_kind, r"all_metrics\.json: the whole file: .*, found \[\]; run"),
        (metrics_cut_short, r"all_metrics\.json: not valid JSON"),
    ],
)
def test_what_is_not_whole_is_named_with_what_to_do(
    paths: Paths, spoil: Callable[[RunPaths], None], says: str
) -> None:
    spoil(paths.run("demo-sasrec"))
    with pytest.raises(DataError, match=says):
        collected(paths)


def test_a_pretraining_knows_whether_its_dataset_has_users(paths: Paths) -> None:
    demo = PARAMS.datasets["demo"]
    captions = TabularSourceParams.model_construct(name="tabular", interactions=None, items=None)
    params = PARAMS.model_copy(
        update={"datasets": {"demo": demo.model_copy(update={"source": captions})}}
    )
    assert collect_pretrainings(PARAMS, paths)["demo-mp4sr"].has_users
    assert not collect_pretrainings(params, paths)["demo-mp4sr"].has_users


def test_lists_of_the_dataset_that_is_shown_are_told_apart_by_category(paths: Paths) -> None:
    words = PARAMS.report.categories[:2]
    dataset = paths.dataset(PARAMS.report.dataset)
    items = {
        "item_id": [f"item {index}" for index in range(1, 37)],
        "item_index": range(1, 37),
        "title": [""] * 36,
        "num_sentences": [1] * 36,
        "num_images": [0] * 36,
        "training_count": [3] * 36,
        "is_cold": [True] * 36,
    }
    write_table(pa.table(items).cast(schemas.CLEAN_ITEMS), dataset.items, schemas.CLEAN_ITEMS)
    text = {
        "item_id": items["item_id"][:20],
        "position": [0] * 20,
        "sentence": [f"a {words[index // 10]}" for index in range(20)],
    }
    write_table(pa.table(text).cast(schemas.SENTENCES), dataset.sentences, schemas.SENTENCES)
    for place, name in enumerate(PARAMS.runs):
        results, ranks = paths.run(name), ranks_of(0.2)
        # One item of the first word, `place` of the second, and one of none.
        items_of_list = [1, *range(11, 11 + place), 30]
        lists = {"user_index": ranks["user_index"], "items": [items_of_list] * ranks.num_rows}
        write_table(pa.table(lists).cast(schemas.LISTS), lists_of(results), schemas.LISTS)
        group = {"coverage@9": 0.5, "gini@9": 0.5, "num_users": 50}
        found = {"all": group, "history_length": {"1-5": group, "6+": group}}
        write_json(metrics(0.2) | {"lists": found}, results.all_metrics)
    for place, run in enumerate(collected(paths)):
        pairs = place * (place + 1) / 2
        for part in (run.metrics["lists"]["all"], *run.metrics["lists"]["history_length"].values()):
            if place == 0:
                assert "diversity_category@9" not in part
            else:
                assert part["diversity_category@9"] == pytest.approx(place / pairs)
            assert part["coverage@9"] == 0.5


def test_ranks_of_cold_positions_are_read_where_they_are_asked_for(paths: Paths) -> None:
    asked = PARAMS.evaluate.model_copy(update={"cold_positions": "literal"})
    params = PARAMS.model_copy(update={"evaluate": asked})
    of_positions = metrics(0.2) | positions(0.1)
    for name in PARAMS.runs:
        write_json(of_positions, paths.run(name).all_metrics)
        write_table(cold_ranks(0.2), cold_ranks_of(paths.run(name)), schemas.RANKS)
    assert all(run.cold_ranks is None for run in collected(paths))
    for run in collect_runs(params, paths, collect_pretrainings(params, paths)):
        assert run.cold_ranks == cold_ranks(0.2)
        assert run.metrics["cold_positions_new"]["num_samples"] == 0
    protocols = [collect_protocol(one).cold_positions for one in (PARAMS, params)]
    assert protocols == [None, "literal"]


def test_what_a_former_run_left_is_removed(paths: Paths) -> None:
    former = paths.run("former")
    write_json(metrics(0.2), former.all_metrics)
    for path in (former.ranks, cold_ranks_of(former), lists_of(former)):
        write_table(ranks_of(0.2), path, schemas.RANKS)
    remove_former_runs(PARAMS.runs, paths)
    assert not former.evaluated.exists()
    assert all(paths.run(name).ranks.is_file() for name in PARAMS.runs)
