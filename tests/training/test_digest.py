"""What a checkpoint must agree with before it is continued."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mmrec.training import digest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_a_checkpoint_is_of_the_code_that_dvc_runs_the_stage_again_for(stage: str) -> None:
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    deps = {Path(dep) for dep in stages[stage]["do"]["deps"]}
    package = {dep for dep in deps if dep.parts[0] == "mmrec"}
    assert {Path("mmrec", name) for name in digest.CODE} == package
    assert all((ROOT / dep).exists() for dep in package)


def test_an_edit_of_that_code_changes_the_digest_and_no_other_edit_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in digest.CODE:
        path = tmp_path / name if name.endswith(".py") else tmp_path / name / "inside.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.setattr(digest, "_PACKAGE", tmp_path)
    code_digest = digest._code_digest.__wrapped__
    seen = {code_digest()}
    (tmp_path / "data" / "crawler.py").write_text("crawls")
    (tmp_path / "features" / "encoders.py").write_text("encodes")
    assert {code_digest()} == seen
    for name in digest.CODE:
        path = tmp_path / name if name.endswith(".py") else tmp_path / name / "inside.py"
        path.write_text(f"{name}, edited")
        assert code_digest() not in seen
        seen.add(code_digest())
