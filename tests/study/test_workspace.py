"""What a workspace has of the project that it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec.params.study import StudyParams
from mmrec.study.run import run_study
from mmrec.study.workspace import make_workspace

STUDY = {
    "base": "params.yaml",
    "dataset": "demo",
    "text": "none",
    "image": "none",
    "seeds": [1],
    "reference": "popularity",
    "columns": ["recall@10"],
    "parts": ["all"],
    "rows": {"popularity": {"model": "popularity"}},
}


def test_a_study_sees_sources_and_encoders_that_git_leaves_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_workspace(tmp_path, (Path(__file__).parents[2] / "params.yaml").read_text(), {})
    for name in ("sources/shop/log.csv", "encoders/bert/config.json"):
        (project / "data" / name).parent.mkdir(parents=True)
        (project / "data" / name).write_text("its own")

    def stopped(folder: Path, *_: str) -> None:
        raise InterruptedError(folder)

    monkeypatch.setattr("mmrec.study.run.stream", stopped)
    for _ in range(2):  # the second finds what the first linked
        with pytest.raises(InterruptedError) as caught:
            run_study("tried", StudyParams.model_validate(STUDY), project)
        workspace = caught.value.args[0]
        assert (workspace / "data/sources/shop/log.csv").read_text() == "its own"
        assert (workspace / "data/encoders/bert/config.json").read_text() == "its own"
        assert not (workspace / "data/sources/demo").is_symlink(), "it comes with the project"
