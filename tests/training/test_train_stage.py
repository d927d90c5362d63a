"""A training that a model does not have: a note in its place, whatever there is to read."""

from __future__ import annotations

from pathlib import Path

from mmrec.io import read_json
from mmrec.params.file import load_params
from mmrec.paths import Paths
from mmrec.run_paths import validation_of
from mmrec.training.finished import load_weights, read_record
from mmrec.training.train_stage import Places, train_stage

ROOT = Path(__file__).parents[2]


def test_a_model_without_fine_tuning_leaves_a_note_and_reads_no_data(tmp_path: Path) -> None:
    params, paths = load_params(ROOT / "params.yaml"), Paths(tmp_path)
    results = paths.run("demo-popularity")
    places = Places(
        start=paths.pretraining("none").pretrained,
        result=results.finetuned,
        history=results.finetune_history,
        checkpoints=paths.checkpoints / "x",
        validation=validation_of(results),
    )
    settings = params.runs["demo-popularity"]
    assert train_stage("finetune", settings, params, paths, places) == {"trained": False}
    record = read_record(results.finetuned)
    assert record["model"] == {"name": "popularity", "architecture": {}, "finetune": None}
    assert load_weights(results.finetuned) is None
    assert results.finetune_history.read_text() == "epoch,learning_rate,loss\n"
    assert read_json(validation_of(results)) == {}
    assert not paths.checkpoints.exists()
