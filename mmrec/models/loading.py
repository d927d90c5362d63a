"""Give a model weights that were trained before: of another run, or its own.

Weights with a row per item are of certain items; others serve any catalogue.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor, nn

from mmrec.io import DataError
from mmrec.recommender import Recommender

logger = logging.getLogger(__name__)


class TrainedWeights(NamedTuple):
    """Weights as they lie on disk.

    Attributes:
        tensors: by the name of the parameter.
        item_ids: those they were trained on, 1..I in order.
        where: their file, for errors.
    """

    tensors: Mapping[str, Tensor]
    item_ids: pa.ChunkedArray
    where: str

    def without(self, prefixes: Sequence[str]) -> TrainedWeights:
        """The same, but for parameters of these names and what is in modules of these names."""
        kept = {
            name: value
            for name, value in self.tensors.items()
            if not any(f"{name}.".startswith(f"{prefix}.") for prefix in prefixes)
        }
        return TrainedWeights(kept, self.item_ids, self.where)


@dataclass(frozen=True)
class LoadReport:
    """Parameter names by what happened to them."""

    loaded: list[str]
    fresh: list[str]  # in the model only: they keep their initial values
    unused: list[str]  # in the weights only


def load_pretrained(model: nn.Module, weights: Mapping[str, Tensor]) -> LoadReport:
    """Copy every parameter that model and weights share by name.

    Raises:
        ValueError: A shared parameter has another shape, or no parameter is shared.
    """
    own = model.state_dict()
    shared = sorted(own.keys() & weights.keys())
    if not shared:
        raise ValueError(
            f"none of the {len(weights)} pre-trained parameters (first: "
            f"{min(weights, default='-')}) belongs to this model (first: {min(own, default='-')}); "
            "init_from must name a pre-training of the same kind of model, or none"
        )
    for name in shared:
        if own[name].shape != weights[name].shape:
            raise ValueError(
                f"pre-trained parameter {name} has shape {tuple(weights[name].shape)}, this model "
                f"needs {tuple(own[name].shape)}; init_from must name a pre-training with the "
                "same architecture and feature width, or none"
            )
    model.load_state_dict({name: weights[name] for name in shared}, strict=False)
    return LoadReport(
        loaded=shared,
        fresh=sorted(own.keys() - weights.keys()),
        unused=sorted(weights.keys() - own.keys()),
    )


def load_finished(model: nn.Module, weights: TrainedWeights) -> None:
    """Take all weights, each of which must be of this model.

    Raises:
        DataError: a parameter is missing, unknown, or of another shape.
    """
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.tensors.items()}
    for name in sorted(own.keys() | found.keys()):
        if own.get(name) != found.get(name):
            raise DataError(
                f"{weights.where}: {name} has shape {found.get(name, 'none')}, the model over "
                f"these items and features has {own.get(name, 'none')}; run the stage that writes "
                "it again"
            )
    model.load_state_dict(weights.tensors)


def check_items(model: Recommender, weights: TrainedWeights, item_ids: pa.ChunkedArray) -> None:
    """Refuse weights with rows of other items; of content alone they serve, which is logged.

    Args:
        model: that is to take them.
        weights: whatever of them it takes.
        item_ids: of the catalogue, 1..I in order.

    Raises:
        DataError: a parameter with a row per item was trained on other items.
    """
    if weights.item_ids.equals(item_ids):
        return
    differences = _differences(weights.item_ids, item_ids)
    by_item = [name for name in model.item_parameters() if name in weights.tensors]
    if by_item:
        raise DataError(
            f"{weights.where}: trained on other items than the catalogue has ({differences}), and "
            f"{', '.join(by_item)} has a row for each; run the stage that writes it again, or take "
            "weights that were trained on these items"
        )
    logger.info(
        "%s: trained on other items than the catalogue has (%s); they know items by their content "
        "alone and serve these as well",
        weights.where,
        differences,
    )


def _differences(trained: pa.ChunkedArray, catalogue: pa.ChunkedArray) -> str:
    gone = trained.filter(pc.invert(pc.is_in(trained, value_set=catalogue)))
    new = catalogue.filter(pc.invert(pc.is_in(catalogue, value_set=trained)))
    if not len(gone) and not len(new):
        return f"the same {len(trained):,} in another order"
    return (
        f"{len(gone):,} of its {len(trained):,} are not among the catalogue's{_first(gone)}, "
        f"{len(new):,} of the catalogue's {len(catalogue):,} are new{_first(new)}"
    )


def _first(item_ids: pa.ChunkedArray) -> str:
    return f" (first: {item_ids[0].as_py()!r})" if len(item_ids) else ""
