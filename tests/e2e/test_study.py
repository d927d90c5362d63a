"""`python -m mmrec.study` on a sequence file; another row trains only that row."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mmrec.io import read_json
from mmrec.params.study import StudyParams
from mmrec.study.run import run_study, write_results
from mmrec.study.workspace import PROJECT, make_workspace
from tests.e2e.small_shop import ran
from tests.e2e.team import run
from tests.interpreters import forking_environment

ROWS = {
    "popularity": {"model": "popularity"},
    "SASRec": {"model": "sasrec", "change": {"finetune": {"epochs": 1}}},
    "popularity 7": {"model": "popularity", "dataset": "beauty-7", "against": "popularity 7"},
    "transitions 7": {"model": "transitions", "dataset": "beauty-7", "against": "popularity 7"},
}
STUDY = {
    "base": "examples/sequences.yaml",
    "datasets": {"beauty-7": {"of": "beauty", "change": {"clean": {"user_core": 7}}}},
    "dataset": "beauty",
    "text": "none",
    "image": "none",
    "seeds": [1, 2],
    "reference": "SASRec",
    "columns": ["recall@10"],
    "parts": ["all", "cold_positions"],
    "cold_positions": "heldout",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a sequence file of the user's own: of 30 users with 8 items and 29 with 6."""
    folder = make_workspace(tmp_path, (PROJECT / "params.yaml").read_text(), {})
    source = folder / "data" / "sources" / "sequences"
    source.mkdir(parents=True)
    histories = {u: [(u * k) % 29 for k in range(1, 9 if u % 2 else 7)] for u in range(1, 60)}
    lines = [" ".join([f"u{u}", *(f"i{item}" for item in items)]) for u, items in histories.items()]
    (source / "Beauty.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_a_study_trains_what_is_missing_and_writes_its_table(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = []
    monkeypatch.setattr(
        "mmrec.study.run.stream",
        lambda folder, _, module, *rest: printed.append(run(folder, module, *rest)),
    )

    def study(**rows: object) -> tuple[str, set[str]]:
        settings = StudyParams.model_validate({**STUDY, "rows": rows})
        runs = run_study("tried", settings, project)
        text = write_results("tried", settings, runs, project / "results")
        stages, printed[:] = ran("".join(printed)), []
        return text, stages

    text, stages = study(**ROWS)
    assert {"finetune@SASRec-1", "evaluate@SASRec-2", "evaluate@popularity-1"} <= stages
    assert {"clean@beauty-7", "evaluate@transitions-7-1"} <= stages
    assert "59 users of beauty, 30 users of beauty-7, all targets" in text
    assert "| SASRec | beauty |  | " in text
    assert "| popularity | beauty | SASRec | " in text
    assert "| transitions 7 | beauty-7 | popularity 7 | " in text
    assert (project / "results" / "tried.md").read_text() == text
    assert (project / "results" / "tried.png").is_file()
    cells = read_json(project / "results" / "tried.json")["cells"]
    evaluated = project / ".mmrec" / "studies" / "tried" / "data" / "evaluated"
    for part, row, key in (
        ("all", "SASRec", "SASRec"),
        ("cold_positions", "transitions 7", "transitions-7"),
    ):
        metrics = [read_json(evaluated / f"{key}-{seed}" / "all_metrics.json") for seed in (1, 2)]
        values = [one[part]["recall@10"] for one in metrics]
        assert cells[part][row]["recall@10"]["values"] == pytest.approx(values)
    # Users with 8 items alone have each item too seldom to be warm.
    found = "0 samples of beauty, 60 samples of beauty-7, cold positions (heldout); seeds 1, 2:"
    assert found in text
    longer = {"model": "sasrec", "change": {"finetune": {"epochs": 2}}}
    _, stages = study(**ROWS, longer=longer)
    added = {f"{stage}@longer-{seed}" for stage in ("finetune", "evaluate") for seed in (1, 2)}
    assert stages == {"code", *added}


def test_the_command_names_what_is_wrong_in_one_line() -> None:
    done = subprocess.run(
        ["python", "-m", "mmrec.study", "demos"],
        cwd=PROJECT,
        env=forking_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error: no study 'demos' in " in done.stderr
    assert "Traceback" not in done.stderr
