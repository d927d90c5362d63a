"""Towers give what the model gives, as modules of torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mmrec.models.popularity_correction import PopularityCorrected
from mmrec.onnx.item_towers import BY_ID, ItemTower, item_tower
from mmrec.onnx.user_towers import user_tower
from mmrec.recommender import VectorRecommender, inference
from tests.models import worlds
from tests.onnx.worlds import (
    HISTORIES,
    MODELS,
    NEAR,
    ONE_IMAGE,
    ONE_TEXT,
    SHAPES,
    WITHOUT,
    model_of,
    rows_of,
)

BY_CONTENT: dict[str, dict[str, Any]] = {
    "mp4sr": {"finetune": {"use_id": False}},
    "mmsrec": {},
    "mmsr": {},
    "morec": {},
    "pmmrec": {},
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4sr, inner product": ("mp4sr", {"architecture": {"score": "dot"}}),
    "mp4sr, one stream": ("mp4sr", {"finetune": {"score_branches": "image"}}),
    "mmsr, convolutions": (
        "mmsr",
        {"architecture": {"encoder": {"name": "nextitnet", "dilations": [1, 2]}}},
    ),
    "mmsr, from the end": (
        "mmsr",
        {"architecture": {"encoder": {"name": "sasrec", "positions": "from_end"}}},
    ),
    "mmsrec, to the longest row": (
        "mmsrec",
        {"architecture": {"pad_to": "batch_max", "missing": "mask_token"}},
    ),
    "mmsrec, one modality": ("mmsrec", {"finetune": {"modality": "image"}}),
    "mmsrec, vectors": (
        "mmsrec",
        {"architecture": {"item_head": "table", "missing": "mask_token"}},
    ),
    "mmsrec, no position of items": ("mmsrec", {"architecture": {"item_tower_position": "none"}}),
    "mmsr, coarse": ("mmsr", {"architecture": {"fusion": {"name": "film"}}}),
    "sasrec, cosines": ("sasrec", {"architecture": {"score": "cosine"}}),
    "nextitnet, other output vectors": ("nextitnet", {"architecture": {"tied": False}}),
    "contentknn, decaying": (
        "contentknn",
        {"architecture": {"history_length": 3, "decay": 0.5}},
    ),
}


def features(widths: Any) -> list[Tensor]:
    tables = {"text": worlds.text_table(), "image": worlds.image_table()}
    return [part for name in widths for part in rows_of(tables[name])]


def test_every_model_is_tried() -> None:
    assert len(MODELS) >= 13
    for name in WITHOUT:
        assert user_tower(model_of(name)) is None


@pytest.mark.parametrize("name", [*MODELS, *VARIANTS])
def test_a_user_tower_gives_the_queries_of_the_model(name: str) -> None:
    kind, changes = VARIANTS.get(name, (name, {}))
    if kind == "gru4rec":
        pytest.skip("a GRU is an operator of ONNX, which torch does not compute")
    model = model_of(kind, **changes)
    tower = user_tower(model)
    assert tower is not None
    for history in SHAPES:
        with inference(tower.module):
            found = tower.module(history, tower.item_inputs)
        torch.testing.assert_close(found, worlds.queries(model, history), **NEAR)


@pytest.mark.parametrize(
    "name", [*BY_CONTENT, *(name for name in VARIANTS if name.startswith(("mmsrec", "mmsr,")))]
)
def test_an_item_tower_gives_the_vectors_of_the_model(name: str) -> None:
    kind, changes = VARIANTS.get(name, (name, BY_CONTENT.get(name, {})))
    model = model_of(kind, **changes)
    assert isinstance(model, VectorRecommender)
    tower, read = item_tower(model), user_tower(model)
    assert read is not None
    if name == "pmmrec":
        assert "several contents of the text feature" in str(tower)
        return
    assert isinstance(tower, ItemTower)
    with inference(tower.module):
        vectors, inputs = tower.module(*features(tower.widths))
    torch.testing.assert_close(vectors[1:], model.item_table()[1:], **NEAR)
    torch.testing.assert_close(inputs[1:], read.item_inputs[1:], **NEAR)


@pytest.mark.parametrize("pooling", ["mean", "attention_frozen_unmasked"])
def test_other_poolings_of_rows_are_those_of_the_model(pooling: str) -> None:
    model = model_of("mp4sr", finetune={"use_id": False}, architecture={"pooling": pooling})
    tower = item_tower(model)
    assert isinstance(model, VectorRecommender)
    assert isinstance(tower, ItemTower)
    with inference(tower.module):
        vectors, _ = tower.module(*features(tower.widths))
    torch.testing.assert_close(vectors[1:], model.item_table()[1:], **NEAR)


def test_pmmrec_has_an_item_tower_where_items_have_one_content() -> None:
    params = worlds.params("pmmrec")
    model = worlds.recommender(params, world=worlds.data(ONE_TEXT, ONE_IMAGE)).eval()
    tower = item_tower(model)
    assert isinstance(tower, ItemTower)
    with inference(tower.module):
        vectors, _ = tower.module(*rows_of(ONE_TEXT), *rows_of(ONE_IMAGE))
    torch.testing.assert_close(vectors[1:], model.item_table()[1:], **NEAR)


def test_models_with_weights_for_each_item_have_no_item_tower() -> None:
    for name in MODELS:
        model = model_of(name)
        assert (item_tower(model) == BY_ID) == bool(model.item_parameters())


def test_a_correction_by_popularity_is_in_the_towers() -> None:
    inner = model_of("morec")
    assert isinstance(inner, VectorRecommender)
    model = PopularityCorrected(inner, torch.arange(worlds.NUM_ITEMS), power=-0.5)
    users, items = user_tower(model), item_tower(model)
    assert users is not None
    assert isinstance(items, ItemTower)
    with inference(users.module), inference(items.module):
        queries = users.module(HISTORIES, users.item_inputs)
        vectors, _ = items.module(*features(items.widths))
    torch.testing.assert_close(queries, worlds.queries(model, HISTORIES), **NEAR)
    assert vectors.shape[1] == queries.shape[1]
    assert (vectors[:, -1] == 0).all(), "as of items that nobody chose"
