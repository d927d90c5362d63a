"""A file of `studies/`: the rows of a table, each trained from several seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, ValidationError, model_validator

from mmrec.params.section import Name, Section
from mmrec.params.training import Metric
from mmrec.params.yaml_file import YamlFileError, read_yaml

Part = Literal["all", "warm", "cold", "new"]


class StudyRow(Section):
    """A model, what is different about it, and the features it reads."""

    model: Name
    """An entry of the base's `models`."""
    change: dict[str, Any] = Field(default_factory=dict)
    """Settings that replace those of the entry, nested as there."""
    pretrained: bool = False
    """It starts from its own pre-training, which rows share that differ in fine-tuning alone."""
    text: Name | None = None
    """Another feature than the study's; `none` for no text."""
    image: Name | None = None


class StudyParams(Section):
    """Rows, seeds, and what is shown of them."""

    base: str
    """A params file of the project: its datasets, features, models and protocol are the study's,
    so that another base is the same study on other data."""
    dataset: Name
    text: Name
    image: Name
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1)]
    reference: str
    """The row that the others are compared with."""
    columns: Annotated[list[Metric], Field(min_length=1)]
    parts: Annotated[list[Part], Field(min_length=1)]
    """Of the held-out items: a table for each."""
    rows: Annotated[dict[str, StudyRow], Field(min_length=1)]

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
        return self


class StudyError(ValueError):
    """A study that cannot be done as it is written; says what to change."""


def load_study(path: Path) -> StudyParams:
    """Read a file of `studies/`.

    Raises:
        StudyError: there is no such file, or what is in it is not allowed.
    """
    known = sorted(file.stem for file in path.parent.glob("*.yaml"))
    if not path.is_file():
        raise StudyError(f"no study '{path.stem}' in {path.parent}; there are {', '.join(known)}")
    try:
        return StudyParams.model_validate(read_yaml(path))
    except YamlFileError as error:
        raise StudyError(f"{path.name}: {error}") from None
    except ValidationError as error:
        raise StudyError("\n".join([f"{path.name}:", *_lines(error)])) from None


def _lines(error: ValidationError) -> Iterator[str]:
    for details in error.errors():
        place = ".".join(map(str, details["loc"]))
        message = details["msg"].removeprefix("Value error, ")
        yield f"  {place}: {message}" if place else f"  {message}"


def changed(entry: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with some of its settings replaced; sections are gone into, all else is replaced.

    >>> changed({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": None})
    {'a': {'b': 3, 'c': 2}, 'd': None}
    """
    result = dict(entry)
    for key, value in change.items():
        before = result.get(key)
        into = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = changed(before, value) if into else value  # type: ignore[arg-type]
    return result
