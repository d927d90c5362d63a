"""Graphs give what the model gives, as onnxruntime runs them; and what lies beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest
from torch import Tensor

from mmrec.features.table import FeatureTable
from mmrec.onnx.item_towers import BY_ID
from mmrec.onnx.user_towers import Ones, Streams, user_tower
from mmrec.onnx.write import write_towers
from mmrec.recommender import Recommender
from tests.models import worlds
from tests.models.cases import CASES
from tests.onnx.worlds import MODELS, ONE_IMAGE, ONE_TEXT, SHAPES, model_of, rows_of

GRAPHS = ("sasrec", "gru4rec", "nextitnet", "bert4rec", "fdsa", "mmsrec", "pmmrec", "contentknn")
"""A model of every kind of graph but MP4SR's: others have the same, with other weights."""


def one_layer(name: str) -> dict[str, Any]:
    """Settings that make a graph small, of models that have several layers."""
    return {"architecture": {"num_layers": 1}} if "num_layers" in CASES[name].architecture else {}


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
