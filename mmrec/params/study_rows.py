"""Rows of a study: a model of several seeds, or an ensemble of other rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Discriminator, Field, Tag, model_validator

from mmrec.params.ensemble import GlobalWeights, WeightsParams
from mmrec.params.section import Name, Section
from mmrec.params.training import Metric


class StudyRow(Section):
    """A model, what is different about it, and the features it reads."""

    model: Name
    """An entry of the base's `models`."""
    change: dict[str, Any] = Field(default_factory=dict)
    """Settings that replace those of the entry, nested as there."""
    pretrained: bool = False
    """It starts from its own pre-training, which rows share that differ in fine-tuning alone."""
    pretrained_on: Name | None = None
    """Another dataset, with features of the same names, that this pre-training is on: transfer."""
    dataset: Name | None = None
    """Another one than the study's."""
    text: Name | None = None
    """Another feature than the study's; `none` for no text."""
    image: Name | None = None
    """Another feature than the study's; `none` for no pictures."""
    against: str | None = None
    """The row that it is compared with, of the same dataset; the study's reference by default.
    A row that names itself is compared with none."""

    @model_validator(mode="after")
    def _pretrained_where_it_is_said_on_what(self) -> Self:
        if self.pretrained_on is not None and not self.pretrained:
            raise ValueError(
                f"pretrained_on: found '{self.pretrained_on}', but pretrained is false; set it to "
                "true, or take pretrained_on out"
            )
        return self


class EnsembleRow(Section):
    """Two or three rows whose runs of each seed rank together; nothing is trained."""

    ensemble: Annotated[list[str], Field(min_length=2, max_length=3)]
    """Rows of one dataset, none of which is an ensemble itself."""
    weights: WeightsParams = Field(default_factory=lambda: GlobalWeights(name="global", steps=10))
    """How their weights are found on the validation targets, of each seed anew."""
    metric: Metric = "ndcg@10"
    """What weights are chosen by."""
    against: str | None = None
    """As of a row of a model."""


_KINDS: Final = ("a model", "an ensemble")


def _kind(found: object) -> str:
    is_ensemble = isinstance(found, EnsembleRow) or (
        isinstance(found, Mapping) and "ensemble" in found
    )
    return _KINDS[is_ensemble]


AnyRow = Annotated[
    Annotated[StudyRow, Tag(_KINDS[0])] | Annotated[EnsembleRow, Tag(_KINDS[1])],
    Discriminator(_kind),
]


def is_kind_of_row(step: object) -> bool:
    """Whether a step of an error's location is which kind of row was found, and no key."""
    return step in _KINDS
