"""Settings of the optimiser: which, its rate over the epochs, and parameters that differ."""

from __future__ import annotations

import re
from itertools import combinations, product
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from mmrec.params.section import FROM_LIST, Section

Decay = Annotated[float, Field(gt=0, le=1)]


def _a_dotted_name(prefix: str) -> str:
    if not re.fullmatch(r"\w+(\.\w+)*", prefix):
        raise ValueError(
            "a prefix is the name of a parameter or a module, its parts between single dots, as "
            "item_encoder.pooling"
        )
    return prefix


def _not_empty(prefixes: tuple[str, ...]) -> tuple[str, ...]:
    if not prefixes:
        raise ValueError("a group without a prefix has no parameters; name one, or leave it out")
    return prefixes


Prefix = Annotated[str, AfterValidator(_a_dotted_name)]


class ConstantRate(Section):
    """The same rate in every epoch."""

    name: Literal["constant"]


class LinearRate(Section):
    """The whole rate first, then in equal steps to `factor` times it, which stays."""

    name: Literal["linear_to"]
    factor: NonNegativeFloat
    """Of the whole rate, what is left in the end."""
    from_epoch: NonNegativeInt
    """The last epoch with the whole rate; with 0 the first has less already."""
    to_epoch: PositiveInt
    """The first epoch with `factor` times the rate."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.to_epoch <= self.from_epoch:
            raise ValueError(
                f"to_epoch ({self.to_epoch}) must be above from_epoch ({self.from_epoch})"
            )
        return self


class StepRate(Section):
    """`factor` times the rate after each `every` epochs."""

    name: Literal["step"]
    every: PositiveInt
    """Epochs between two steps."""
    factor: Decay
    """Of the rate, what is left after a step."""


class ExponentialRate(Section):
    """`factor` times the rate after each epoch."""

    name: Literal["exponential"]
    factor: Decay
    """Of the rate, what is left after an epoch."""


ScheduleParams = Annotated[
    ConstantRate | LinearRate | StepRate | ExponentialRate, Field(discriminator="name")
]


class ParameterGroup(Section):
    """Parameters that are trained with settings of their own.

    A model may come with groups, too (`mmrec.training.trainer.train`): a parameter that both
    claim follows the group of `params.yaml`.
    """

    prefixes: Annotated[tuple[Prefix, ...], FROM_LIST, AfterValidator(_not_empty)]
    """Names of parameters, or of modules and all that is in them, as the recommender has them and
    its saved weights: `item_encoder` means `item_encoder.weight`, and not `item_encoders.weight`.
    What is trained beside the recommender is in `objective`: `objective.losses.projections`."""
    learning_rate: PositiveFloat | None = None
    """That of the training by default; the schedule holds for all groups."""
    weight_decay: NonNegativeFloat | None = None
    """That of the training by default."""


class OptimizerParams(Section):
    """How gradients move the weights."""

    optimizer: Literal["adam", "adamw"] = "adam"
    """Adam, or AdamW, which takes decay off the weights."""
    learning_rate: PositiveFloat = 1e-3
    """The whole rate, of which `schedule` makes that of an epoch."""
    weight_decay: NonNegativeFloat = 0.0
    """Coupled L2 of `adam`: added to the gradient; decoupled of `adamw`: taken off the weights."""
    schedule: ScheduleParams = Field(default_factory=lambda: ConstantRate(name="constant"))
    """Of all learning rates, epoch by epoch."""
    groups: Annotated[tuple[ParameterGroup, ...], FROM_LIST] = ()
    """Parameters with another rate or decay; all others have those above."""

    @model_validator(mode="after")
    def _groups_are_apart(self) -> Self:
        for (number, group), (other_number, other) in combinations(enumerate(self.groups), 2):
            for one, two in product(group.prefixes, other.prefixes):
                if f"{one}.".startswith(f"{two}.") or f"{two}.".startswith(f"{one}."):
                    raise ValueError(
                        f"groups {number} and {other_number} both claim what is in "
                        f"'{max(one, two, key=len)}' (prefixes '{one}' and '{two}'); a parameter "
                        "belongs to one group: narrow a prefix, or join the groups"
                    )
        return self
