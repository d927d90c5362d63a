"""Finished weights: read back as written, for the items they were trained on."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from pydantic import TypeAdapter

from mmrec.io import DataError
from mmrec.models.data import Feature, ModelData, TrainingRun
from mmrec.models.loading import TrainedWeights
from mmrec.models.registry import system_of
from mmrec.params.models.registry import ModelParams
from mmrec.recommender import History
from mmrec.training.finished import ITEMS, RECORD, WEIGHTS, load_finetuned, load_weights, save_model
from mmrec.training.fit import fit
from mmrec.training.sealed_files import sealed
from tests.training.tiny_run import run_data

NUM_ITEMS = 12
TRAINING = {"epochs": 1, "patience": 1}


def model(name: str, **finetune: Any) -> ModelParams:
    sizes = {"embedding_dim": 8} | ({"num_experts": 2} if name == "mp4sr" else {})
    settings = {
        "name": name,
        "architecture": sizes,
        "pretrain": TRAINING if name == "mp4sr" else None,
        "finetune": TRAINING | finetune,
    }
    return TypeAdapter(ModelParams).validate_python(settings)


CONTENT = model("mp4sr", use_id=False)
BY_ID = [
    model("mp4sr", use_id=True),
    *(model(name) for name in ("sasrec", "gru4rec", "sasrecm", "fdsa")),
]


def data(num_items: int = NUM_ITEMS, **renamed: str) -> ModelData:
    """Items 1 to `num_items`; `renamed` says which are others, as `item_3="x"`."""
    whole = run_data(
        num_items, [[(user + step) % num_items + 1 for step in range(6)] for user in range(20)]
    )
    ids = [renamed.get(f"item_{name}", name) for name in whole.items["item_id"].to_pylist()]
    return replace(whole, items=whole.items.set_column(0, whole.items.schema[0], pa.array(ids)))


def save(params: ModelParams, folder: Path, run: ModelData | None = None) -> Any:
    """A recommender with fresh weights, written as if it were trained."""
    run = run or data()
    recommender = system_of(params).build_recommender(params, run, "finetune")
    described = params.model_dump(mode="json", include={"name", "architecture", "finetune"})
    save_model(recommender, {"model": described, "trained": True}, run.items, folder)
    return recommender


def test_scores_that_are_corrected_by_popularity_are_corrected_when_read_back(
    tmp_path: Path,
) -> None:
    run = data()
    counts = torch.arange(NUM_ITEMS + 1)
    run = replace(run, training_counts=counts)
    saved = save(model("sasrec", popularity_power=-0.5), tmp_path, run).eval()
    history = History(torch.arange(1), torch.tensor([[1, 2, 3]]))

    with torch.no_grad():
        found = load_finetuned(run, tmp_path).eval().scores(history)[:, 1:]
        expected = saved.scores(history)[:, 1:] - 0.5 * counts[1:].float().log()

    torch.testing.assert_close(found, expected)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    for params in (CONTENT, model("morec"), *BY_ID):
        saved = save(params, tmp_path)
        loaded = load_finetuned(data(), tmp_path)
        history = History(torch.tensor([0]), torch.tensor([[1, 2, 3]]))
        own = saved.to(next(loaded.parameters()).device)
        assert torch.equal(loaded.scores(history), own.scores(history))
        for name, value in saved.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], value), name


@pytest.mark.parametrize("name", [WEIGHTS, ITEMS, RECORD])
def test_a_flipped_bit_is_noticed_wherever_it_is(name: str, tmp_path: Path) -> None:
    saved = save(CONTENT, tmp_path / "sound")
    content = (tmp_path / "sound" / name).read_bytes()
    refused = 0
    for place in [*range(0, len(content), max(1, len(content) // 60)), len(content) - 1]:
        folder = tmp_path / "damaged"
        shutil.copytree(tmp_path / "sound", folder, dirs_exist_ok=True)
        flipped = bytes([content[place] ^ (1 << place % 8)])
        (folder / name).write_bytes(content[:place] + flipped + content[place + 1 :])
        try:
            loaded = load_finetuned(data(), folder)
        except DataError as error:
            refused += 1
            assert f"{folder / name}: damaged" in str(error)  # noqa: PT017
            assert "run the stage that writes it again" in str(error)  # noqa: PT017
        else:  # a space between two values of the record: it says the same
            assert name == RECORD
            assert torch.equal(loaded.item_table().cpu(), saved.item_table())
    assert refused >= 40


@pytest.mark.parametrize("name", [WEIGHTS, ITEMS, RECORD])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_file_that_is_another_is_named(name: str, content: bytes | None, tmp_path: Path) -> None:
    save(CONTENT, tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    says = rf"{name}: {'file not found' if content is None else 'damaged'}.*run the stage"
    for load in (lambda: load_finetuned(data(), tmp_path), lambda: load_weights(tmp_path)):
        with pytest.raises(DataError, match=says):
            load()


def test_settings_that_are_unknown_are_named(tmp_path: Path) -> None:
    save(CONTENT, tmp_path)
    record = json.loads((tmp_path / RECORD).read_text())
    del record["checksum"]
    record["model"]["architecture"]["wings"] = 2
    (tmp_path / RECORD).write_text(json.dumps(sealed(record)))
    with pytest.raises(DataError, match=r"model\.json: settings that this version does not know"):
        load_finetuned(data(), tmp_path)


@pytest.mark.parametrize("params", BY_ID, ids=lambda params: params.name)
def test_weights_with_a_row_per_item_are_refused_for_other_items(
    params: ModelParams, tmp_path: Path
) -> None:
    save(params, tmp_path)
    one = r"1 of its 12 are not among the catalogue's \(first: '3'\), 1 of the .* 12 are new .*'x'"
    with pytest.raises(DataError, match=rf"trained on other items .*{one}.*item_ids has a row"):
        load_finetuned(data(item_3="x"), tmp_path)
    more = r"0 of its 12 are not among the catalogue's, 1 of the catalogue's 13 are new"
    with pytest.raises(DataError, match=rf"{more}.*run the stage that writes it again"):
        load_finetuned(data(13), tmp_path)
    with pytest.raises(DataError, match="the same 12 in another order"):
        load_finetuned(data(item_3="4", item_4="3"), tmp_path)


def test_weights_of_content_alone_serve_other_items_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = save(CONTENT, tmp_path)
    caplog.set_level(logging.INFO)
    load_finetuned(data(), tmp_path)
    assert caplog.text == ""
    larger = data(13)
    loaded = load_finetuned(larger, tmp_path)
    assert len(caplog.records) == 1
    assert "1 of the catalogue's 13 are new" in caplog.text
    assert "know items by their content alone" in caplog.text
    assert len(loaded.item_table()) == 14
    for name, value in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_weights_over_other_features_are_named(tmp_path: Path) -> None:
    save(CONTENT, tmp_path)
    run = data()
    text = run.features["text"].vectors
    wider = replace(text, vectors=torch.cat([text.vectors] * 2, dim=1))
    features = run.features | {"text": Feature(lambda: wider)}
    with pytest.raises(DataError, match=r"model\.safetensors: item_encoder.*has shape .* has \("):
        load_finetuned(replace(run, features=features), tmp_path)


@pytest.mark.parametrize(("by_item", "params"), [(True, BY_ID[0]), (False, CONTENT)])
def test_a_training_starts_from_other_items_only_where_content_tells_them_apart(
    by_item: bool, params: ModelParams, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved = save(params, tmp_path / "pretrained")
    weights = load_weights(tmp_path / "pretrained")
    assert weights is not None
    caplog.set_level(logging.INFO)

    def start(weights: TrainedWeights) -> None:
        fit(
            params,
            data(item_3="x"),
            TrainingRun("finetune", 1, mask_history=False),
            weights=weights,
            checkpoint_dir=tmp_path / "checkpoints",
            history_path=tmp_path / "history.csv",
        )

    if by_item:
        with pytest.raises(DataError, match=r"pretrained.*trained on other items.*item_ids"):
            start(weights)
        # Without those rows the same weights are of content alone.
        weights = weights._replace(
            tensors={
                name: value for name, value in saved.state_dict().items() if name != "item_ids"
            }
        )
    start(weights)
    assert "know items by their content alone" in caplog.text
