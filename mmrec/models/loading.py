"""Start a model from the weights of another run, and say what was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn


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
            "init_from must name a run of the same kind of model"
        )
    for name in shared:
        if own[name].shape != weights[name].shape:
            raise ValueError(
                f"pre-trained parameter {name} has shape {tuple(weights[name].shape)}, this model "
                f"needs {tuple(own[name].shape)}; init_from must name a run with the same "
                "architecture and feature width"
            )
    model.load_state_dict({name: weights[name] for name in shared}, strict=False)
    return LoadReport(
        loaded=shared,
        fresh=sorted(own.keys() - weights.keys()),
        unused=sorted(weights.keys() - own.keys()),
    )
