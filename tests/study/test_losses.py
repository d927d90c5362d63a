"""Histories in, where trainings end out: by the loss trained on and by that of what is unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec import schemas
from mmrec.io import DataError, read_json, write_json, write_table
from mmrec.params.study import StudyParams
from mmrec.paths import Paths
from mmrec.study.expansion import expand
from mmrec.study.losses import Losses, losses_markdown, read_losses
from mmrec.study.run import write_results
from mmrec.study.runs import StudyRuns, read_runs
from mmrec.study.tables import StudyRanks
from mmrec.study.workspace import PROJECT
from mmrec.training.finished import save_note
from tests.compare.evaluated import PROTOCOL
from tests.study.test_tables import RANKS, STUDY

FOUND = {
    "plain": [Losses(6.0, 6.5), Losses(5.0, 6.5)],
    "better": [Losses(4.0, 5.0), Losses(4.0, 5.0)],
}


def study(**changes: object) -> StudyParams:
    return StudyParams.model_validate({**STUDY.model_dump(), "losses": True, **changes})


def write_history(path: Path, text: str = "epoch,loss,validation_loss\n1,6,7\n2,5,6.5\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_losses_are_those_of_the_epoch_that_is_kept(tmp_path: Path) -> None:
    path = write_history(tmp_path / "history.csv")
    assert read_losses(path, 2) == (5.0, 6.5)
    assert read_losses(path, 1) == (6.0, 7.0)
    write_history(path, "epoch,learning_rate,loss\n")
    with pytest.raises(DataError, match="found no epoch; leave rows out that are not trained"):
        read_losses(path, None)
    write_history(path, "epoch,loss,recall@5\n1,6,0.5\n")
    with pytest.raises(DataError, match="found epoch, loss, recall@5; leave rows out"):
        read_losses(path, 1)


def test_a_study_of_losses_reads_them_of_its_models_alone(tmp_path: Path) -> None:
    rows = {**STUDY.model_dump()["rows"], "both": {"ensemble": ["plain", "better"]}}
    asked, paths = study(rows=rows), Paths(tmp_path)
    expanded = expand(asked, PROJECT)
    for row, names in expanded.runs.items():
        for seed, name in enumerate(names):
            run = paths.run(name)
            write_table(RANKS["plain"][seed], run.ranks, schemas.RANKS)
            write_json({"protocol": PROTOCOL, "ensemble": {"weights": []}}, run.all_metrics)
            if row != "both":
                save_note({"model": {}, "kept_epoch": seed + 1}, run.finetuned)
                write_history(run.finetune_history)
    found = read_runs(asked, expanded, paths, tmp_path)
    assert found.losses == {row: [(6.0, 7.0), (5.0, 6.5)] for row in ("plain", "better")}
    without = read_runs(asked.model_copy(update={"losses": False}), expanded, paths, tmp_path)
    assert without.losses == {}


def test_results_have_losses_where_they_are_asked_for(tmp_path: Path) -> None:
    runs = StudyRuns(StudyRanks(RANKS, {}), losses=FOUND)
    text = write_results("asked", study(), runs, tmp_path)
    assert losses_markdown(FOUND) in text
    assert "| plain | 5.5000 ± 0.7071 | 6.5000 ± 0.0000 | 1.0000 ± 0.7071 |" in text
    assert (tmp_path / "asked_losses.png").read_bytes().startswith(b"\x89PNG")
    saved = read_json(tmp_path / "asked.json")["losses"]
    assert saved["plain"][1] == {"training": 5.0, "validation": 6.5}
    write_results("not", STUDY, runs, tmp_path)
    assert "losses" not in read_json(tmp_path / "not.json")
    assert not (tmp_path / "not_losses.png").exists()
