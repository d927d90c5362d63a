"""A trained recommender in, a folder of graphs and matrices that rank without torch or mmrec out.

- `user_tower.onnx`: `history` int64 [users, length] and `item_inputs` float32 [items, …] in,
  `user_vectors` float32 [users, …] out;
- `item_vectors.npy`: float32 [items, …]; the inner product with a user's vector is the score;
- `item_inputs.npy`: float32 [items, …], what the user tower reads of each item;
- `item_tower.onnx`, where items are known by content: for each feature, `text` or `image`, float32
  [items, rows, width] and `text_counts` int64 [items] in, `item_vectors` and `item_inputs` out;
- `about.json`: item ids by item index, how many items of a history are read, and why there is no
  item tower where there is none.

Row 0 of both matrices is padding.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from mmrec.io import write_json
from mmrec.onnx.item_towers import ItemTower, item_tower
from mmrec.onnx.user_towers import UserTower, user_tower
from mmrec.recommender import Recommender, VectorRecommender, inference

FORMAT: Final = 1
OPSET: Final = 20
_NEEDED: Final = ("onnx", "onnxscript")
_EXAMPLE: Final = ((3, 2, 1), (1, 0, 0))
"""Histories that a graph is drawn from: no dimension of 1, which would be taken for a constant."""


def require_packages() -> None:
    """Refuse what cannot be written for want of a package.

    Raises:
        ValueError: names the extra.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"the packages of the extra `onnx` are not installed ({', '.join(missing)}); "
            f"{sys.executable} -m pip install --constraint constraints.txt --editable '.[onnx]'"
        )


def write_towers(recommender: Recommender, item_ids: Sequence[str], folder: Path) -> None:
    """Write towers and matrices into a folder, which is made.

    Args:
        recommender: as it ranks; it is moved to the CPU.
        item_ids: of items 1, 2, ….
        folder: of the results.

    Raises:
        ValueError: a package is missing, or the model scores items without vectors of them.
    """
    require_packages()
    recommender = recommender.cpu().eval()
    tower = user_tower(recommender)
    if tower is None or not isinstance(recommender, VectorRecommender):
        raise ValueError(
            "onnx: the model scores items without vectors of them, so that it has no towers; "
            "export it without, or take a model with vectors"
        )
    folder.mkdir(parents=True)
    with inference(recommender):
        table = recommender.item_table().float()
    np.save(folder / "item_vectors.npy", table.numpy())
    np.save(folder / "item_inputs.npy", tower.item_inputs.detach().float().numpy())
    _write_user_tower(tower, folder / "user_tower.onnx")
    items = item_tower(recommender)
    if isinstance(items, ItemTower):
        _write_item_tower(items, folder / "item_tower.onnx")
    about = {
        "format": FORMAT,
        "max_sequence_length": recommender.max_sequence_length,
        "no_item_tower": items if isinstance(items, str) else None,
        "item_ids": [None, *item_ids],
    }
    write_json(about, folder / "about.json")


def _write_user_tower(tower: UserTower, path: Path) -> None:
    users, length, items = (torch.export.Dim(name) for name in ("users", "length", "items"))
    _write_graph(
        tower.module,
        {"history": torch.tensor(_EXAMPLE), "item_inputs": tower.item_inputs.detach().float()},
        ({0: users, 1: length}, {0: items}),
        ["user_vectors"],
        path,
    )


def _write_item_tower(tower: ItemTower, path: Path) -> None:
    items = torch.export.Dim("items")
    inputs: dict[str, Tensor] = {}
    shapes: list[dict[int, torch.export.Dim]] = []
    for name, width in tower.widths.items():
        inputs |= {name: torch.zeros(2, 3, width), f"{name}_counts": torch.tensor([3, 2])}
        shapes += [{0: items, 1: torch.export.Dim(f"{name}_rows")}, {0: items}]
    # Of a module that takes any number of inputs they are one argument.
    outputs = ["item_vectors", "item_inputs"]
    _write_graph(tower.module, inputs, (tuple(shapes),), outputs, path)


def _write_graph(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    shapes: tuple[object, ...],
    outputs: Sequence[str],
    path: Path,
) -> None:
    """Write a module as it computes an example, with nothing of this machine in the file."""
    import onnx

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch's exporter about itself
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            input_names=[*inputs],
            output_names=[*outputs],
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    # Stack traces, with paths.
    for described in (*model.graph.node, *model.graph.value_info, model.graph, model):
        described.ClearField("metadata_props")
        described.ClearField("doc_string")
    onnx.save(model, str(path))
