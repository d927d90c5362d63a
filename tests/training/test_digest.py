"""What a checkpoint must agree with before it is continued."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from mmrec.code.closure import PROJECT, Code
from mmrec.params.model import Stage
from mmrec.params.models.registry import ModelParams
from mmrec.training import digest
from tests.code.project_copy import add_a_model, copy_code, edit

FINETUNE = {"epochs": 1, "patience": 1, "batch_size": 64}
MODELS = ("gru4rec", "sasrec")


def entry(name: str, **settings: Any) -> dict[str, Any]:
    given = {"name": name, "architecture": {}, "pretrain": None, "finetune": FINETUNE | settings}
    checked = TypeAdapter[Any](ModelParams).validate_python(given)
    dumped: dict[str, Any] = checked.model_dump(mode="json")
    return dumped


def digests_in(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, str]:
    """The digests as trainings of the code in another folder have them."""
    code = Code(PROJECT._replace(root=folder))
    patch.setattr(digest, "_code", lambda: code)
    digest._code_digest.cache_clear()
    found = {name: digest.code_digest("finetune", entry(name)) for name in MODELS}
    digest._code_digest.cache_clear()
    return found


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        return digests_in(PROJECT.root, patch)


@pytest.mark.parametrize(
    ("edits", "touches"),
    [
        ({"nn/recurrent_encoder.py": ("return ", "print(); return ")}, {"gru4rec"}),
        ({"training/steps.py": ("return ", "print(); return ")}, {"gru4rec", "sasrec"}),
        (
            {
                "training/steps.py": (" = ", " = \\\n  "),
                "data/fetch.py": ("return ", "print(); return "),
                "features/extractors/timm_image.py": ("return ", "print(); return "),
            },
            set(),
        ),
    ],
)
def test_an_edit_of_what_a_training_runs_changes_its_digest_and_no_other_edit_does(
    edits: dict[str, tuple[str, str]],
    touches: set[str],
    before: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy_code(tmp_path)
    for file, change in edits.items():
        edit(tmp_path, f"mmrec/{file}", change)
    after = digests_in(tmp_path, monkeypatch)
    assert {name for name in MODELS if before[name] != after[name]} == touches


def test_a_model_that_is_added_ends_no_training(
    before: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_a_model(copy_code(tmp_path))
    assert digests_in(tmp_path, monkeypatch) == before


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_stages_models_and_losses_are_told_apart(stage: Stage) -> None:
    sampled = {"name": "sampled", "num_negatives": 2, "draw": "uniform", "correction": True}
    entries = [entry("sasrec"), entry("gru4rec"), entry("sasrec", loss=sampled)]
    digests = {digest.code_digest(stage, model) for model in entries}
    assert len(digests) == 3
    other: Stage = "finetune" if stage == "pretrain" else "pretrain"
    assert digest.code_digest(other, entries[0]) not in digests
