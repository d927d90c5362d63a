"""Towers give what the model gives: as modules, and as graphs that onnxruntime runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from mmrec.features.table import FeatureTable
from mmrec.models.popularity_correction import PopularityCorrected
from mmrec.onnx.item_towers import BY_ID, ItemTower, item_tower
from mmrec.onnx.user_towers import user_tower
from mmrec.onnx.write import write_towers
from mmrec.recommender import Recommender, VectorRecommender, inference
from tests.models import worlds
from tests.models.cases import CASES

# Odd lengths, one of a single item, and in another row all that is read.
HISTORIES = worlds.sequences([4, 9, 1, 2, 6])
SHAPES = (HISTORIES, HISTORIES[:1, :4], HISTORIES[2:3, :1], HISTORIES[3:4])
NEAR = {"rtol": 0, "atol": 1e-5}

MODELS = [name for name, case in CASES.items() if case.vectors]
WITHOUT = [name for name, case in CASES.items() if not case.vectors]
BY_CONTENT: dict[str, dict[str, Any]] = {
    "mp4sr": {"finetune": {"use_id": False}},
    "mmsrec": {},
    "mmsr": {},
    "morec": {},
    "pmmrec": {"architecture": {"tune": "none"}, "finetune": {}},
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
    "nextitnet, other output vectors": ("nextitnet", {"architecture": {"tied": False}}),
    "contentknn, decaying": (
        "contentknn",
        {"architecture": {"history_length": 3, "decay": 0.5}},
    ),
}


def model_of(name: str, **changes: Any) -> Recommender:
    """With weights that are no longer as they are drawn, so that nothing is 0 or 1 by chance."""
    found: Recommender = worlds.recommender(worlds.params(name, **changes))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in found.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return found.eval()


def one_layer(name: str) -> dict[str, Any]:
    """Settings that make a graph small, of models that have several layers."""
    return {"architecture": {"num_layers": 1}} if "num_layers" in CASES[name].architecture else {}


def rows_of(table: FeatureTable) -> tuple[Tensor, Tensor]:
    """Rows of items 0, 1, …, padded with zeros, and how many are real."""
    counts = table.counts
    rows = torch.zeros(len(counts), int(counts.max()), table.dim)
    for item, count in enumerate(counts.tolist()):
        first = int(table.offsets[item])
        rows[item, :count] = table.vectors[first : first + count].float()
    return rows, counts


def features(widths: Any) -> list[Tensor]:
    tables = {"text": worlds.text_table(), "image": worlds.image_table()}
    return [part for name in widths for part in rows_of(tables[name])]


class Written(NamedTuple):
    model: Recommender
    folder: Path

    def run(self, graph: str, inputs: dict[str, Any]) -> list[Any]:
        session = onnxruntime.InferenceSession(self.folder / f"{graph}.onnx")
        found: list[Any] = session.run(None, inputs)
        return found

    def queries(self, history: Tensor) -> Any:
        read = np.load(self.folder / "item_inputs.npy")
        return self.run("user_tower", {"history": history.numpy(), "item_inputs": read})[0]


def write(model: Recommender, folder: Path) -> Written:
    write_towers(model, [f"i{item}" for item in range(1, worlds.NUM_ITEMS)], folder)
    return Written(model, folder)


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


@pytest.mark.parametrize("name", BY_CONTENT)
def test_an_item_tower_gives_the_vectors_of_the_model(name: str) -> None:
    model = model_of(name, **BY_CONTENT[name])
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
    text = worlds.table([1] * 12, dim=6, seed=1)
    image = worlds.table([1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1], dim=9, seed=2)
    params = worlds.params("pmmrec")
    model = worlds.recommender(params, world=worlds.data(text, image)).eval()
    tower = item_tower(model)
    assert isinstance(tower, ItemTower)
    with inference(tower.module):
        vectors, _ = tower.module(*rows_of(text), *rows_of(image))
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


@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime_ranks_as_the_model_does(name: str, tmp_path: Path) -> None:
    written = write(model_of(name, **one_layer(name)), tmp_path / "onnx")
    table = np.load(written.folder / "item_vectors.npy")
    for history in SHAPES:
        found = written.queries(history) @ table.T
        expected = written.model.scores(worlds.history(history)).numpy()
        np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def mp4sr(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("towers") / "onnx"
    changes = {"finetune": {"use_id": False}, "architecture": {"num_layers": 1}}
    return write(model_of("mp4sr", **changes), folder)


def test_onnxruntime_places_items_by_their_features(mp4sr: Written) -> None:
    given = dict(
        zip(
            ("text", "text_counts", "image", "image_counts"),
            features(("text", "image")),
            strict=True,
        )
    )
    arrays = {name: part.numpy() for name, part in given.items()}
    vectors, inputs = mp4sr.run("item_tower", arrays)
    for name, found in (("item_vectors", vectors), ("item_inputs", inputs)):
        expected = np.load(mp4sr.folder / f"{name}.npy")
        np.testing.assert_allclose(found[1:], expected[1:], atol=1e-5)
    # One item, of one row of text, and without pictures.
    one = {name: part[1:2, :1] if part.ndim > 1 else part[1:2] * 0 for name, part in arrays.items()}
    vectors, _ = mp4sr.run("item_tower", one | {"text_counts": np.array([1])})
    assert np.isfinite(vectors).all()


def test_items_that_are_added_can_be_in_histories(mp4sr: Written) -> None:
    read = np.load(mp4sr.folder / "item_inputs.npy")
    more = np.concatenate([read, read[3:4]])
    new, old = (np.array([[1, item]]) for item in (len(read), 3))
    found = mp4sr.run("user_tower", {"history": new, "item_inputs": more})[0]
    same = mp4sr.run("user_tower", {"history": old, "item_inputs": read})[0]
    np.testing.assert_array_equal(found, same)


def test_a_folder_tells_ids_and_limits_and_nothing_of_the_machine(
    mp4sr: Written, tmp_path: Path
) -> None:
    about = json.loads((mp4sr.folder / "about.json").read_text())
    assert about["item_ids"][:3] == [None, "i1", "i2"]
    assert about["max_sequence_length"] == mp4sr.model.max_sequence_length
    assert about["no_item_tower"] is None
    root = str(Path(__file__).parents[2]).encode()
    for path in mp4sr.folder.iterdir():
        content = path.read_bytes()
        assert root not in content, path
        assert b"site-packages" not in content, path
    again = write(mp4sr.model, tmp_path / "onnx")
    for path in mp4sr.folder.iterdir():
        assert (again.folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_model_without_vectors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the model scores items without vectors of them"):
        write(model_of("itemknn"), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()
