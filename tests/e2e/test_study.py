"""`python -m mmrec.study` on a sequence file; another row trains only that row."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mmrec.io import read_json
from mmrec.study.workspace import PROJECT, make_workspace
from tests.e2e.small_shop import ran
from tests.e2e.team import run

ROWS = {
    "popularity": {"model": "popularity"},
    "SASRec": {"model": "sasrec", "change": {"finetune": {"epochs": 1}}},
}
STUDY = {
    "base": "examples/sequences.yaml",
    "dataset": "beauty",
    "text": "none",
    "image": "none",
    "seeds": [1, 2],
    "reference": "SASRec",
    "columns": ["recall@10"],
    "parts": ["all"],
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = make_workspace(tmp_path, (PROJECT / "params.yaml").read_text(), {})
    source = folder / "data" / "sources" / "sequences"
    source.mkdir(parents=True)
    lines = [f"u{u} " + " ".join(f"i{(u * k) % 29}" for k in range(1, 9)) for u in range(1, 60)]
    (source / "Beauty.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_a_study_trains_what_is_missing_and_writes_its_table(project: Path) -> None:
    def study(**rows: object) -> str:
        with (project / "studies" / "tried.yaml").open("w") as file:
            YAML(typ="safe").dump({**STUDY, "rows": rows}, file)
        return run(project, "mmrec.study", "tried")

    first = study(**ROWS)
    assert {"finetune@SASRec-1", "evaluate@SASRec-2", "evaluate@popularity-1"} <= ran(first)
    assert "| SASRec | " in first
    results = project / "studies" / "results"
    assert (results / "tried.md").read_text() in first
    assert (results / "tried.png").is_file()
    cells = read_json(results / "tried.json")["cells"]["all"]
    metrics = [
        read_json(project / ".mmrec/studies/tried/data/runs" / f"SASRec-{seed}" / "metrics.json")
        for seed in (1, 2)
    ]
    assert cells["SASRec"]["recall@10"]["values"] == [one["all"]["recall@10"] for one in metrics]
    longer = {"model": "sasrec", "change": {"finetune": {"epochs": 2}}}
    assert ran(study(**ROWS, longer=longer)) == {
        f"{stage}@longer-{seed}" for stage in ("finetune", "evaluate") for seed in (1, 2)
    }
