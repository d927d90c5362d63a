"""`mmrec track`: what MLflow's own store has of finished runs, once for each of them."""

from __future__ import annotations

import argparse
import doctest
import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mmrec.cli import track
from mmrec.io import DataError, read_json
from mmrec.paths import Paths
from mmrec.report.runs import load_history
from mmrec.tracking import mlflow_runs
from tests.library.conftest import shop

__all__ = ["shop"]


def call(*arguments: str) -> None:
    parser = argparse.ArgumentParser()
    track.add_arguments(parser)
    track.run(parser.parse_args(arguments))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'runs.db'}"


@pytest.fixture
def project(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shop, in which files may be changed, as the current folder."""
    shutil.copytree(shop, tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def sent(store: str, experiment: str) -> dict[str, list[Run]]:
    client = MlflowClient(store)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    runs: dict[str, list[Run]] = {}
    for run in client.search_runs([found.experiment_id]):
        runs.setdefault(run.data.tags["mlflow.runName"], []).append(run)
    return runs


def test_a_run_is_there_with_its_settings_metrics_epochs_and_files(
    project: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call("--to", store, "sasrec", "two", "--experiment", "whole")
    assert re.fullmatch(
        r"sasrec: sent: \d+ settings, \d+ metrics, \d+ epochs, \d+ files\ntwo: sent: .*\n",
        capsys.readouterr().out,
    )
    runs, client = sent(store, "whole"), MlflowClient(store)
    assert {*runs} == {"sasrec", "two"}
    (run,) = runs["sasrec"]
    assert run.info.status == "FINISHED"
    assert run.data.tags["mmrec.dataset"] == "shop"
    metrics: Any = read_json(Paths(project).run("sasrec").all_metrics)
    assert run.data.metrics["test/all/mrr"] == metrics["all"]["mrr"]
    assert run.data.metrics["test/lists/all/coverage_at_6"] == metrics["lists"]["all"]["coverage@6"]
    written = load_history(Paths(project).run("sasrec").finetune_history)
    told = client.get_metric_history(run.info.run_id, "finetune/loss")
    assert [(one.step, one.value) for one in told] == [
        *zip(written["epoch"], written["loss"], strict=True)
    ]
    record: Any = read_json(Paths(project).run("sasrec").finetuned / "model.json")
    rate = json.loads(run.data.params["model.finetune.learning_rate"])
    assert rate == record["model"]["finetune"]["learning_rate"]
    assert run.data.params["protocol.mask_history"] == "true"
    files = {one.path for one in client.list_artifacts(run.info.run_id, "model")}
    assert files == {"model/items.parquet", "model/model.json", "model/model.safetensors"}
    (both,) = runs["two"]
    assert "test/all/mrr" in both.data.metrics
    assert "ensemble.first.run" in both.data.params


def test_a_run_is_sent_once_until_it_is_another(
    project: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--to", store, "--experiment", "once", "popularity")
    call(*arguments, "--no-model")
    capsys.readouterr()
    call(*arguments)
    assert capsys.readouterr().out == "popularity: there already, 1 files added\n"
    call(*arguments)
    assert capsys.readouterr().out == "popularity: there already\n"
    assert len(sent(store, "once")["popularity"]) == 1
    path = Paths(project).run("popularity").all_metrics
    path.write_text(path.read_text().replace('"mrr": 0.', '"mrr": 0.9', 1))
    call(*arguments)
    assert "popularity: sent: " in capsys.readouterr().out
    assert len(sent(store, "once")["popularity"]) == 2


def test_what_was_interrupted_is_finished_by_the_next_call(
    project: Path,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object) -> int:
        raise KeyboardInterrupt

    arguments = ("--to", store, "--experiment", "half", "sasrec")
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_runs.MlflowRuns, "_send_files", stop)
        with pytest.raises(KeyboardInterrupt):
            call(*arguments)
    assert sent(store, "half")["sasrec"][0].info.status == "RUNNING"
    call(*arguments)
    assert "sasrec: sent, which was begun before: " in capsys.readouterr().out
    (run,) = sent(store, "half")["sasrec"]
    assert run.info.status == "FINISHED"
    told = MlflowClient(store).get_metric_history(run.info.run_id, "finetune/loss")
    steps = [one.step for one in told]
    assert steps == sorted({*steps}), "no epoch twice"


def test_a_server_that_is_down_is_one_message(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        monkeypatch.setenv(track.VARIABLE, f"http://me:secret@127.0.0.1:{port}")
        with pytest.raises(DataError, match=rf"MLflow at http://127\.0\.0\.1:{port}: ") as found:
            call("popularity")
    assert str(found.value).endswith("the same command sends what is missing there")
    assert "secret" not in str(found.value)
    assert "\n" not in str(found.value)


def test_what_cannot_be_sent_is_one_message(
    project: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(track.VARIABLE, raising=False)
    with pytest.raises(ValueError, match="--to: found no address, and MMREC_TRACK is not set"):
        call("sasrec")
    with pytest.raises(ValueError, match="run 'sasre': did you mean 'sasrec'"):
        call("--to", store, "sasre")
    with pytest.raises(DataError, match=r"not evaluated: untrained .*run `dvc repro`"):
        call("--to", store, "untrained")
    shutil.rmtree(Paths(project).run("itemknn").finetuned)
    with pytest.raises(DataError, match=r"no model of run 'itemknn'; `dvc pull .*\(--no-model\)"):
        call("--to", store, "itemknn")


def test_a_file_that_was_half_sent_is_sent_again(
    project: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--to", store, "--experiment", "cut", "sasrec", "--no-model")
    call(*arguments)
    (run,) = sent(store, "cut")["sasrec"]
    there = Path(urlsplit(run.info.artifact_uri).path) / "results" / "all_metrics.json"
    whole = there.read_bytes()
    there.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    call(*arguments)
    assert "sasrec: there already, 1 files added" in capsys.readouterr().out
    assert there.read_bytes() == whole


def test_a_file_that_is_no_database_is_one_message_and_stays(project: Path) -> None:
    path = project / "notes.txt"
    path.write_text("mine\n" * 100)
    with pytest.raises(DataError, match=f"MLflow at sqlite:///{path}: .*not a database") as found:
        call("--to", f"sqlite:///{path}", "popularity")
    assert "\n" not in str(found.value)
    assert path.read_text() == "mine\n" * 100


def test_without_names_all_that_are_evaluated_are_sent(project: Path, store: str) -> None:
    call("--to", store, "--no-model")
    runs = sent(store, "mmrec")
    assert {*runs} == {"sasrec", "popularity", "itemknn", "tfidf", "two"}


def test_a_missing_package_is_named_with_the_command_that_brings_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_runs, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"`track` is not installed .*'\.\[track\]'"):
        call("--to", "sqlite:///x.db", "sasrec")


def test_the_examples_of_names_are_true() -> None:
    assert doctest.testmod(mlflow_runs).attempted >= 2
    assert not doctest.testmod(mlflow_runs).failed
