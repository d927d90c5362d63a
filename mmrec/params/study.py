"""What a file of `studies/` says: the rows of a table, each trained from several seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, NonNegativeInt, model_validator

from mmrec.params.pipeline import ColdPositions
from mmrec.params.section import Name, Section
from mmrec.params.study_rows import AnyRow, EnsembleRow, StudyRow

Part = Literal[
    "all", "warm", "cold", "new", "cold_positions", "cold_positions_few", "cold_positions_new"
]

_OF_RANKS = r"(mrr|(recall|ndcg)@[1-9]\d*)"
_OF_LISTS = r"(coverage|gini|novelty|popularity|diversity_(text|image))@[1-9]\d*"
Column = Annotated[str, Field(pattern=rf"^({_OF_RANKS}|{_OF_LISTS})$")]
"""A metric of ranks, or one of lists, which all users together have and no other part."""


class StudyVariant(Section):
    """A dataset or a feature of the base with some of its settings replaced."""

    of: Name
    """Its name in the base."""
    change: dict[str, Any]
    """Settings that replace those of its entry, nested as there."""


class StudyParams(Section):
    """Rows, seeds, and what is shown of them."""

    base: str
    """A params file of the project: its datasets, features, models and protocol are the study's,
    so that another base is the same study on other data."""
    models: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Models of the study's own, beside those of the base and written as there."""
    datasets: dict[Name, StudyVariant] = Field(default_factory=dict)
    """Datasets of the study's own, such as one of fewer users, with all features of that which
    they are made of, under the same names."""
    features: dict[Name, StudyVariant] = Field(default_factory=dict)
    """Features of the study's own, such as one that some items lack, of every dataset that has the
    one which they are made of."""
    dataset: Name
    """The dataset of all rows that name no other."""
    text: Name
    """The text feature of all rows that name no other."""
    image: Name
    """The picture feature of all rows that name no other."""
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1)]
    """Each row of a model is trained once from each."""
    reference: str
    """The row that others are compared with."""
    columns: Annotated[list[Column], Field(min_length=1)]
    """Metrics of the table, in this order; `@K` has any K above 0."""
    parts: Annotated[list[Part], Field(min_length=1)]
    """Of the held-out items, or of cold positions: a table for each."""
    cold_positions: ColdPositions | None = None
    """Which cold positions are ranked, in place of what the base says, for parts of them."""
    mask_history: bool | None = None
    """Whether what a user has seen is left out of validation and test, in place of what the base
    says: neighbours by content are nearest to what was seen."""
    convergence: Annotated[float, Field(gt=0, le=1)] | None = None
    """Set, validations are shown epoch by epoch, by the first of `columns`, and when each row has
    this share of the best of the row that it is compared with."""
    losses: bool = False
    """Shown are training and validation loss of each row in the epoch that is kept, of no ensemble:
    how low a training comes, and what of it holds for what it has not seen."""
    rows: Annotated[dict[str, AnyRow], Field(min_length=1)]
    """What is trained or put together, by the name that the table gives it."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.reference not in self.rows:
            raise ValueError(
                f"reference: found '{self.reference}', which is no row; there are "
                f"{', '.join(self.rows)}"
            )
        for name in ("seeds", "columns", "parts"):
            found = getattr(self, name)
            if len({*found}) < len(found):
                raise ValueError(f"{name}: found {found}, expected each once")
        of_positions = [part for part in self.parts if part.startswith("cold_positions")]
        if of_positions and self.cold_positions is None:
            raise ValueError(
                f"cold_positions: found nothing, though {', '.join(of_positions)} of parts needs "
                f"it; allowed: {', '.join(get_args(ColdPositions))}"
            )
        if self.convergence and not re.fullmatch(_OF_RANKS, self.columns[0]):
            raise ValueError(
                f"convergence: is told by the first of columns, found {self.columns[0]}, which "
                "nothing is validated by; name a metric of ranks first, such as ndcg@10"
            )
        for row, of in self.ensembles.items():
            self._check_ensemble(row, of.ensemble)
        for row in self.rows:
            self._check_comparison(row)
            if self.convergence and row in self.model_rows:
                self._check_convergence(row)
        for name, variant in self.features.items():
            if pinned := variant.change.keys() & {"dataset", "feature"}:
                raise ValueError(
                    f"features.{name}.change: found '{min(pinned)}', which is settled by the name "
                    "of the feature and the dataset of the row; take it out"
                )
        return self

    def _check_ensemble(self, row: str, parts: list[str]) -> None:
        where, allowed = f"rows.{row}.ensemble", list(self.model_rows)
        if wrong := [part for part in parts if part not in self.model_rows]:
            what = "an ensemble itself" if wrong[0] in self.rows else "no row"
            raise ValueError(
                f"{where}: found '{wrong[0]}', which is {what}; allowed: {', '.join(allowed)}"
            )
        if len({*parts}) < len(parts):
            raise ValueError(f"{where}: found {', '.join(parts)}, expected each once")
        datasets = {part: self.dataset_of(part) for part in parts}
        if len({*datasets.values()}) > 1:
            found = ", ".join(f"'{part}' of '{dataset}'" for part, dataset in datasets.items())
            raise ValueError(f"{where}: found {found}; name rows of one dataset")

    def _check_comparison(self, row: str) -> None:
        against = self.compared_with(row)
        if against not in self.rows:
            raise ValueError(
                f"rows.{row}.against: found '{against}', which is no row; there are "
                f"{', '.join(self.rows)}"
            )
        own, other = self.dataset_of(row), self.dataset_of(against)
        if own != other:
            found = f"'{against}'" if self.rows[row].against else f"nothing, hence '{against}'"
            allowed = [name for name in self.rows if self.dataset_of(name) == own]
            raise ValueError(
                f"rows.{row}.against: found {found}, a row of dataset '{other}', but this is one "
                f"of '{own}'; allowed: {', '.join(allowed)} ('{row}' for no comparison)"
            )

    def _check_convergence(self, row: str) -> None:
        if (against := self.compared_with(row)) in self.ensembles:
            raise ValueError(
                f"convergence: row '{row}' is compared with '{against}', an ensemble, which is not "
                "trained; compare it with a row of a model, or take convergence out"
            )

    @property
    def model_rows(self) -> dict[str, StudyRow]:
        """Rows that have runs of their own."""
        return {name: row for name, row in self.rows.items() if isinstance(row, StudyRow)}

    @property
    def ensembles(self) -> dict[str, EnsembleRow]:
        """Rows of several others."""
        return {name: row for name, row in self.rows.items() if isinstance(row, EnsembleRow)}

    def dataset_of(self, row: str) -> str:
        """The dataset that a row is trained on."""
        settings = self.rows[row]
        if isinstance(settings, EnsembleRow):
            return self.dataset_of(settings.ensemble[0])
        return settings.dataset or self.dataset

    def compared_with(self, row: str) -> str:
        """The row that a row is compared with; itself for none."""
        return self.rows[row].against or self.reference

    def comparisons(self) -> dict[str, str]:
        """The rows that are compared with another one, and with which."""
        against = {row: self.compared_with(row) for row in self.rows}
        return {row: other for row, other in against.items() if other != row}


class StudyError(ValueError):
    """A study that cannot be done as it is written; says what to change."""


def changed(entry: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with some of its settings replaced; sections are gone into, all else is replaced.

    So is a section that becomes one of another kind, with other settings.

    >>> changed({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": None})
    {'a': {'b': 3, 'c': 2}, 'd': None}
    >>> changed({"a": {"name": "x", "b": 1}}, {"a": {"name": "y", "c": 2}})
    {'a': {'name': 'y', 'c': 2}}
    """
    result = dict(entry)
    for key, value in change.items():
        before = result.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            same_kind = value.get("name", before.get("name")) == before.get("name")
            result[key] = changed(before, value) if same_kind else value
        else:
            result[key] = value
    return result
