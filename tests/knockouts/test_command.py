"""`python -m mmrec.knockouts`: what it asks for, where it writes, what it refuses."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pytest

from mmrec.io import read_json
from mmrec.knockouts.__main__ import add_arguments, knock_out
from mmrec.params.study import StudyParams
from mmrec.study.runs import StudyRuns
from mmrec.study.tables import StudyRanks
from mmrec.study.workspace import PROJECT
from tests.knockouts.test_results import ranks


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "data/runs/demo-mp4sr").mkdir(parents=True)
    shutil.copy2(PROJECT / "params.yaml", tmp_path)
    return tmp_path


def test_the_run_s_own_seed_is_taken_and_results_lie_where_the_report_reads_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, StudyParams]] = []

    def made(name: str, study: StudyParams, folder: Path) -> StudyRuns:
        assert folder == project
        asked.append((name, study))
        hits = {row: 120 if row == "demo-mp4sr" else 20 for row in study.rows}
        tables = {row: [ranks(count, s) for s in study.seeds] for row, count in hits.items()}
        return StudyRuns(StudyRanks(tables, {}), {})

    monkeypatch.setattr("mmrec.knockouts.__main__.run_study", made)
    text = ""
    for line in (["demo-mp4sr"], ["demo-mp4sr", "--seeds", "1", "2", "--metric", "ndcg@5"]):
        found = parsed(line)
        text = knock_out(found.run, found.seeds, found.metric, project)
    assert [name for name, _ in asked] == ["knockouts-demo-mp4sr"] * 2
    assert [study.seeds for _, study in asked] == [[2020], [1, 2]]
    assert text == (project / "studies/results/knockouts-demo-mp4sr.md").read_text()
    assert "- NDCG@5 falls from 0.6000 to 0.1000 when items get each other's text and image" in text
    kept = read_json(project / "data/runs/demo-mp4sr/knockouts.json")
    assert (kept["run"], kept["seeds"], kept["parts"][0]["part"]) == ("demo-mp4sr", [1, 2], "all")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["demo-mp4sr", "--metric", "recal@10"],
            "--metric: found 'recal@10', allowed are recall@K",
        ),
        (["demo-mp4sr", "--metric", "mrr@10"], "--metric: found 'mrr@10'"),
        (["nobody"], "run 'nobody': there is demo-"),
        (["demo-sasrec"], "reads no features"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(
    project: Path, arguments: list[str], says: str
) -> None:
    found = parsed(arguments)
    with pytest.raises(ValueError, match=says):
        knock_out(found.run, found.seeds, found.metric, project)
    assert not (project / ".mmrec").exists()
