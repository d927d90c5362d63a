"""Graphs give what the model gives, as onnxruntime runs them; and what lies beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest
from torch import Tensor

from mmrec.features.table import FeatureTable
from mmrec.onnx.item_towers import BY_ID
from mmrec.onnx.user_towers import Ones, user_tower
from mmrec.onnx.write import write_towers
from mmrec.recommender import Recommender
from tests.models import worlds
from tests.onnx.worlds import MODELS, ONE_IMAGE, ONE_TEXT, SHAPES, model_of, rows_of

SMALL: dict[str, dict[str, Any]] = {
    "gru4rec": {},
    "nextitnet": {"architecture": {"dilations": [2]}},
    "bert4rec": {"architecture": {"num_layers": 1}},
    "fdsa": {"architecture": {"num_layers": 1}},
    "mmsrec": {"architecture": {"num_layers": 1}},
    "mp4sr": {"architecture": {"num_layers": 1}, "finetune": {"use_id": False}},
    "pmmrec": {
        "architecture": {
            "encoder": {"num_layers": 1, "feedforward_dim": 16, "positions": "from_start"}
        }
    },
    "contentknn": {},
}
"""A model of every kind of graph, as small as it can be: others have the same, other weights."""
FEATURES = {
    "mmsrec": (worlds.text_table(), worlds.image_table()),
    "mp4sr": (worlds.text_table(), worlds.image_table()),
    "pmmrec": (ONE_TEXT, ONE_IMAGE),
}
"""What items are known by, of those that have a graph for it."""


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


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Written]:
    """Writes a small model, each of them once: a graph takes seconds."""

    @cache
    def once(name: str) -> Written:
        world = worlds.data(*FEATURES.get(name, ()))
        model = model_of(name, world=world, **SMALL[name])
        return write(model, tmp_path_factory.mktemp(name) / "onnx")

    return once


def inputs_of(text: FeatureTable, image: FeatureTable) -> dict[str, Any]:
    names = ("text", "text_counts", "image", "image_counts")
    parts = (*rows_of(text), *rows_of(image))
    return {name: part.numpy() for name, part in zip(names, parts, strict=True)}


@pytest.mark.parametrize("name", SMALL)
def test_onnxruntime_ranks_as_the_model_does(name: str, written: Callable[[str], Written]) -> None:
    """Scores by onnxruntime and numpy are those of the model, of every shape of histories."""
    towers = written(name)
    table = np.load(towers.folder / "item_vectors.npy")
    for history in SHAPES:
        found = towers.queries(history) @ table.T
        expected = towers.model.scores(worlds.history(history)).numpy()
        np.testing.assert_allclose(found[:, 1:], expected[:, 1:], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FEATURES)
def test_onnxruntime_places_items_as_the_model_does(
    name: str, written: Callable[[str], Written]
) -> None:
    """Vectors by onnxruntime and features are those beside it; of one item with one row, too."""
    towers, arrays = written(name), inputs_of(*FEATURES[name])
    found = towers.run("item_tower", arrays)
    for output, array in zip(("item_vectors", "item_inputs"), found, strict=True):
        expected = np.load(towers.folder / f"{output}.npy")
        np.testing.assert_allclose(array[1:], expected[1:], atol=1e-5)
    one = {key: part[1:2, :1] if part.ndim > 1 else part[1:2] * 0 for key, part in arrays.items()}
    one["text_counts"] += 1
    vectors, _ = towers.run("item_tower", one)
    assert np.isfinite(vectors).all()


def test_every_kind_of_graph_is_run() -> None:
    towers = {name: user_tower(model_of(name)) for name in MODELS}
    kinds = {name: type(tower.module) for name, tower in towers.items() if tower}
    assert {*kinds.values()} - {kinds[name] for name in SMALL} == {Ones}


def test_items_that_are_added_can_be_in_histories(written: Callable[[str], Written]) -> None:
    mp4sr = written("mp4sr")
    read = np.load(mp4sr.folder / "item_inputs.npy")
    more = np.concatenate([read, read[3:4]])
    new, old = (np.array([[1, item]]) for item in (len(read), 3))
    found = mp4sr.run("user_tower", {"history": new, "item_inputs": more})[0]
    same = mp4sr.run("user_tower", {"history": old, "item_inputs": read})[0]
    np.testing.assert_array_equal(found, same)


def test_a_folder_tells_ids_and_limits_and_nothing_of_the_machine(
    written: Callable[[str], Written],
) -> None:
    mp4sr = written("mp4sr")
    about = json.loads((mp4sr.folder / "about.json").read_text())
    assert about["item_ids"][:3] == [None, "i1", "i2"]
    assert about["max_sequence_length"] == mp4sr.model.max_sequence_length
    assert about["no_item_tower"] is None
    root = str(Path(__file__).parents[2]).encode()
    for path in mp4sr.folder.iterdir():
        content = path.read_bytes()
        assert root not in content, path
        assert b"site-packages" not in content, path


def test_the_same_model_gives_the_same_bytes(
    written: Callable[[str], Written], tmp_path: Path
) -> None:
    first = written("gru4rec")
    second = write(model_of("gru4rec"), tmp_path / "onnx")
    for path in first.folder.iterdir():
        assert (second.folder / path.name).read_bytes() == path.read_bytes(), path.name
    about = json.loads((first.folder / "about.json").read_text())
    assert about["no_item_tower"] == BY_ID


def test_a_model_without_vectors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the model scores items without vectors of them"):
        write(model_of("itemknn"), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()
