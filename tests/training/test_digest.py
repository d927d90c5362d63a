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


def entry(name: str, **settings: Any) -> dict[str, Any]:
    given = {"name": name, "architecture": {}, "pretrain": None, "finetune": FINETUNE | settings}
    checked = TypeAdapter[Any](ModelParams).validate_python(given)
    dumped: dict[str, Any] = checked.model_dump(mode="json")
    return dumped


def digest_in(folder: Path, model: dict[str, Any], patch: pytest.MonkeyPatch) -> str:
    """The digest as a training of the code in another folder has it."""
    code = Code(PROJECT._replace(root=folder))
    patch.setattr(digest, "_code", lambda: code)
    digest._code_digest.cache_clear()
    return digest.code_digest("finetune", model)


@pytest.mark.parametrize(
    ("file", "old", "new", "touches"),
    [
        ("nn/recurrent_encoder.py", "return ", "print(); return ", {"gru4rec"}),
        ("training/steps.py", "return ", "print(); return ", {"gru4rec", "sasrec"}),
        ("training/steps.py", " = ", " = \\\n  ", set()),
        ("data/fetch.py", "return ", "print(); return ", set()),
        ("features/extractors/timm_image.py", "return ", "print(); return ", set()),
    ],
)
def test_an_edit_of_what_a_training_runs_changes_its_digest_and_no_other_edit_does(
    file: str,
    old: str,
    new: str,
    touches: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy_code(tmp_path)
    models = [entry("gru4rec"), entry("sasrec")]
    before = [digest_in(tmp_path, model, monkeypatch) for model in models]
    edit(tmp_path, f"mmrec/{file}", (old, new))
    after = [digest_in(tmp_path, model, monkeypatch) for model in models]
    changed = {m["name"] for m, b, a in zip(models, before, after, strict=True) if b != a}
    assert changed == touches
    digest._code_digest.cache_clear()


def test_a_model_that_is_added_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_in(copy_code(tmp_path), entry("sasrec"), monkeypatch)
    add_a_model(tmp_path)
    assert digest_in(tmp_path, entry("sasrec"), monkeypatch) == before
    digest._code_digest.cache_clear()


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_stages_models_and_losses_are_told_apart(stage: Stage) -> None:
    sampled = {"name": "sampled", "num_negatives": 2, "draw": "uniform", "correction": True}
    entries = [entry("sasrec"), entry("gru4rec"), entry("sasrec", loss=sampled)]
    digests = {digest.code_digest(stage, model) for model in entries}
    assert len(digests) == 3
    other: Stage = "finetune" if stage == "pretrain" else "pretrain"
    assert digest.code_digest(other, entries[0]) not in digests
