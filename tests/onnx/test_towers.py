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
from mmrec.onnx.user_towers import Ones, Streams, user_tower
from mmrec.onnx.write import write_towers
from mmrec.recommender import Recommender, VectorRecommender, inference
from tests.models import worlds
from tests.models.cases import CASES

# Odd lengths, one of a single item, and in another row all that is read.
HISTORIES = worlds.sequences([4, 9, 1, 2, 6])
SHAPES = (HISTORIES, HISTORIES[:1, :4], HISTORIES[2:3, :1], HISTORIES[3:4])
ONE_TEXT = worlds.table([1] * 12, dim=6, seed=1)
ONE_IMAGE = worlds.table([1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1], dim=9, seed=2)
"""Features of at most one content an item."""
NEAR = {"rtol": 0, "atol": 1e-5}

MODELS = [name for name, case in CASES.items() if case.vectors]
WITHOUT = [name for name, case in CASES.items() if not case.vectors]
GRAPHS = ("sasrec", "gru4rec", "nextitnet", "bert4rec", "fdsa", "mmsrec", "pmmrec", "contentknn")
"""A model of every kind of graph but MP4SR's: others have the same, with other weights."""
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


@pytest.fixture(scope="module")
def mp4sr(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("towers") / "onnx"
    changes = {"finetune": {"use_id": False}, "architecture": {"num_layers": 1}}
    return write(model_of("mp4sr", **changes), folder)


def ranks_alike(written: Written) -> None:
    """Scores by onnxruntime and numpy are those of the model, of every shape of histories."""
    table = np.load(written.folder / "item_vectors.npy")
    for history in SHAPES:
        found = written.queries(history) @ table.T
        expected = written.model.scores(worlds.history(history)).numpy()
        np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=1e-5, atol=1e-5)


def places_alike(written: Written, arrays: dict[str, Any]) -> None:
    """Vectors by onnxruntime and features are those beside it; of one item with one row, too."""
    found = written.run("item_tower", arrays)
    for name, array in zip(("item_vectors", "item_inputs"), found, strict=True):
        expected = np.load(written.folder / f"{name}.npy")
        np.testing.assert_allclose(array[1:], expected[1:], atol=1e-5)
    one = {name: part[1:2, :1] if part.ndim > 1 else part[1:2] * 0 for name, part in arrays.items()}
    one["text_counts"] += 1
    vectors, _ = written.run("item_tower", one)
    assert np.isfinite(vectors).all()


def inputs_of(text: FeatureTable, image: FeatureTable) -> dict[str, Any]:
    names = ("text", "text_counts", "image", "image_counts")
    parts = (*rows_of(text), *rows_of(image))
    return {name: part.numpy() for name, part in zip(names, parts, strict=True)}


@pytest.mark.parametrize("name", GRAPHS)
def test_onnxruntime_ranks_as_the_model_does(name: str, tmp_path: Path) -> None:
    world = worlds.data(ONE_TEXT, ONE_IMAGE) if name == "pmmrec" else worlds.data()
    model = worlds.recommender(worlds.params(name, **one_layer(name)), world=world)
    written = write(model, tmp_path / "onnx")
    ranks_alike(written)
    if name == "mmsrec":
        places_alike(written, inputs_of(worlds.text_table(), worlds.image_table()))
    if name == "pmmrec":
        places_alike(written, inputs_of(ONE_TEXT, ONE_IMAGE))


def test_every_kind_of_graph_is_run() -> None:
    towers = {name: user_tower(model_of(name)) for name in MODELS}
    kinds = {name: type(tower.module) for name, tower in towers.items() if tower}
    assert {*kinds.values()} - {kinds[name] for name in GRAPHS} == {Streams, Ones}


def test_onnxruntime_ranks_and_places_as_mp4sr_does(mp4sr: Written) -> None:
    ranks_alike(mp4sr)
    places_alike(mp4sr, inputs_of(worlds.text_table(), worlds.image_table()))


def test_items_that_are_added_can_be_in_histories(mp4sr: Written) -> None:
    read = np.load(mp4sr.folder / "item_inputs.npy")
    more = np.concatenate([read, read[3:4]])
    new, old = (np.array([[1, item]]) for item in (len(read), 3))
    found = mp4sr.run("user_tower", {"history": new, "item_inputs": more})[0]
    same = mp4sr.run("user_tower", {"history": old, "item_inputs": read})[0]
    np.testing.assert_array_equal(found, same)


def test_a_folder_tells_ids_and_limits_and_nothing_of_the_machine(mp4sr: Written) -> None:
    about = json.loads((mp4sr.folder / "about.json").read_text())
    assert about["item_ids"][:3] == [None, "i1", "i2"]
    assert about["max_sequence_length"] == mp4sr.model.max_sequence_length
    assert about["no_item_tower"] is None
    root = str(Path(__file__).parents[2]).encode()
    for path in mp4sr.folder.iterdir():
        content = path.read_bytes()
        assert root not in content, path
        assert b"site-packages" not in content, path


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write(model_of("gru4rec"), tmp_path / name) for name in ("a", "b"))
    for path in first.folder.iterdir():
        assert (second.folder / path.name).read_bytes() == path.read_bytes(), path.name
    about = json.loads((first.folder / "about.json").read_text())
    assert about["no_item_tower"] == BY_ID


def test_a_model_without_vectors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the model scores items without vectors of them"):
        write(model_of("itemknn"), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()
