"""Settings of ensembles: runs whose scores are summed, and how their weights are found."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from mmrec.params.section import Name, Section
from mmrec.params.training import Metric


class EnsemblePart(Section):
    """A run, and the features that it reads: slots, so that DVC depends on these and no others."""

    run: Name
    """An entry of `runs`, or `none` for no part."""
    text: Name
    """As the run has it."""
    image: Name


class GlobalWeights(Section):
    """One weight for each part."""

    name: Literal["global"]
    steps: PositiveInt
    """Weights are multiples of 1 / steps that sum to 1; all of them are tried."""


class GroupedWeights(Section):
    """Weights by the length of the history and by the candidate's training interactions."""

    name: Literal["grouped"]
    steps: PositiveInt
    """As of global weights."""
    history_ends: list[PositiveInt]
    """Upper ends of the groups by history length, the last of which is open; none for one group."""
    count_ends: list[NonNegativeInt]
    """Upper ends of the groups of candidates by training interactions, likewise."""
    min_targets: PositiveInt
    """A group by history length with fewer validation targets takes the global weights."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name in ("history_ends", "count_ends"):
            values = getattr(self, name)
            if sorted(set(values)) != values:
                raise ValueError(f"{name} must ascend without repeats, found {values}")
        return self


WeightsParams = Annotated[GlobalWeights | GroupedWeights, Field(discriminator="name")]


class EnsembleParams(Section):
    """Finished runs on one dataset, the sum of whose scores ranks."""

    dataset: Name
    first: EnsemblePart
    """A part."""
    second: EnsemblePart
    """Another part."""
    third: EnsemblePart
    """A third part, or none: `{run: none, text: none, image: none}`."""
    metric: Metric
    """What weights are chosen by, on the validation targets."""
    weights: WeightsParams
    """How the weights of the parts are found."""

    @property
    def parts(self) -> list[EnsemblePart]:
        """Those that there are."""
        return [part for part in (self.first, self.second, self.third) if part.run != "none"]
