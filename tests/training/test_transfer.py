"""PMMRec from one shop to another: what a run takes of its pre-training, and what is fresh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mmrec.models.data import Feature, ModelData, TrainingRun
from mmrec.models.loading import TrainedWeights
from mmrec.params.models.registry import ModelParams
from mmrec.training.fit import fit
from mmrec.training.trainer import TrainingResult
from tests.models import worlds
from tests.training.tiny_run import run_data

SOURCE_ITEMS, TARGET_ITEMS = 14, 9
SEED = 5
PARTS = {
    "text": "item_encoder.text.",
    "image": "item_encoder.image.",
    "fusion": "item_encoder.fusion.",
    "users": "sequence_encoder.",
}
EPOCH = {"epochs": 1, "patience": 1, "batch_size": 20}


def shop(num_items: int) -> ModelData:
    lists = [[(3 * user + step) % num_items + 1 for step in range(6)] for user in range(12)]
    return run_data(num_items, lists)


def params(**finetune: Any) -> ModelParams:
    return worlds.params("pmmrec", pretrain=EPOCH, finetune=EPOCH | finetune)


def fitted(
    settings: ModelParams,
    stage: Any,
    data: ModelData,
    folder: Path,
    weights: TrainedWeights | None = None,
) -> dict[str, Tensor]:
    recommender, _ = fit(
        settings,
        data,
        TrainingRun(stage, SEED, mask_history=False),
        weights=weights,
        checkpoint_dir=folder / "checkpoints",
        history_path=folder / "history.csv",
    )
    return {name: value.clone() for name, value in recommender.state_dict().items()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> TrainedWeights:
    """A pre-training on both modalities, of another seed than the runs' by its training."""
    data = shop(SOURCE_ITEMS)
    weights = fitted(params(), "pretrain", data, tmp_path_factory.mktemp("source"))
    return TrainedWeights(weights, data.items["item_id"], "source/model.safetensors")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Weights of a target's run as its first epoch finds them; from a source or fresh."""
    found: list[dict[str, Tensor]] = []

    def train(objective: Any, *_: Any, **__: Any) -> TrainingResult:
        found.append({k: v.clone() for k, v in objective.recommender.state_dict().items()})
        return TrainingResult(1, 0.5, 1, 0.5, 1, 0)

    monkeypatch.setattr("mmrec.training.fit.train", train)

    def start(
        weights: TrainedWeights | None, data: ModelData | None = None, **finetune: Any
    ) -> dict[str, Tensor]:
        fitted(params(**finetune), "finetune", data or shop(TARGET_ITEMS), tmp_path, weights)
        return found.pop()

    return start


TAKEN = [
    ({"take": "full"}, {"text", "image", "fusion", "users"}),
    ({"take": "items"}, {"text", "image", "fusion"}),
    ({"take": "users"}, {"users"}),
    ({"take": "text", "modality": "text"}, {"text", "users"}),
    ({"take": "image", "modality": "image"}, {"image", "users"}),
    ({"take": "full", "modality": "text"}, {"text", "users"}),
    ({"take": "text"}, {"text", "users"}),
    ({"take": "image"}, {"image", "users"}),
]


@pytest.mark.parametrize(("finetune", "taken"), TAKEN)
def test_what_is_taken_is_the_sources_and_the_rest_fresh_to_the_bit(
    finetune: dict[str, Any], taken: set[str], started: Any, source: TrainedWeights
) -> None:
    fresh = started(None, **finetune)
    found = started(source, **finetune)
    assert found.keys() == fresh.keys()
    seen = set()
    for name, value in found.items():
        (part,) = (part for part, prefix in PARTS.items() if name.startswith(prefix))
        expected = source.tensors[name] if part in taken else fresh[name]
        assert torch.equal(value, expected), name
        if part in taken and not torch.equal(value, fresh[name]):
            seen.add(part)
    assert seen == taken


@pytest.mark.parametrize("take", ["items", "users"])
def test_what_is_loaded_fresh_and_unused_is_told(
    take: str, started: Any, source: TrainedWeights, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    started(source, take=take)
    (line,) = (line for line in caplog.messages if line.startswith("pre-trained parameters: "))
    loaded, _, rest = line.removeprefix("pre-trained parameters: ").partition(" loaded; fresh: ")
    fresh, _, unused = rest.partition("; unused: ")
    prefix = "sequence_encoder." if take == "items" else "item_encoder."
    left = sorted(name for name in source.tensors if name.startswith(prefix))
    assert fresh.split(", ") == unused.split(", ") == left
    assert int(loaded) == len(source.tensors) - len(left)


def test_a_target_of_texts_alone_needs_no_pictures(started: Any, source: TrainedWeights) -> None:
    data = shop(TARGET_ITEMS)
    features = data.features | {"image": Feature(lambda: pytest.fail("pictures are read"))}
    data = replace(data, features=features)
    found = started(source, data, take="text", modality="text")
    assert not any("image" in name for name in found)


def test_nothing_that_could_be_loaded_is_an_error(started: Any, source: TrainedWeights) -> None:
    users = {k: v for k, v in source.tensors.items() if k.startswith("sequence_encoder.")}
    of_users = source._replace(tensors=users)
    assert started(of_users, take="users")
    with pytest.raises(ValueError, match="none of the 0 pre-trained parameters"):
        started(of_users, take="items")


def test_features_of_another_width_are_refused_by_name(
    started: Any, source: TrainedWeights
) -> None:
    data = worlds.data()
    with pytest.raises(ValueError, match=r"image\.projection\.output\.weight has shape"):
        started(source, data, take="items")
    # The user encoder alone does not read them.
    assert started(source, data, take="users")
