"""A file of `searches/`: a run, which settings of its model are tried, and how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from mmrec.params.section import Name, Section
from mmrec.params.yaml_file import YamlFileError, read_yaml, with_text_names

Objective = Annotated[str, StringConstraints(pattern=r"^((recall|ndcg|mrr)@[1-9]\d*|mrr)$")]
"""A metric of validation; there is no name for one of the test."""

SettingPath = Annotated[
    str, StringConstraints(pattern=r"^(architecture|finetune)(\.[A-Za-z0-9_]+)+$")
]
"""Keys below an entry of `models`. A trial starts from the pre-training as it is, so `pretrain` is
not among them."""

_TAGS: Final = ("range", "choices", "[key]")
_IN_WORDS: Final = {
    "missing": "missing; this key must be set",
    "extra_forbidden": "unknown key",
}


class SearchError(ValueError):
    """A search is wrong, or cannot go on; the message says all that is."""


class SearchRange(Section):
    """Numbers from `low` to `high`, both included; whole ones where both are written as such."""

    low: int | float
    """The lowest of them."""
    high: int | float
    """The highest of them."""
    log: bool = False
    """Whether 0.001 to 0.01 is as likely as 0.01 to 0.1."""

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and self.low <= 0:
            raise ValueError(f"low ({self.low}) must be above 0 for log: true")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether it has whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)


def _kind_of_options(found: object) -> str:
    return "choices" if isinstance(found, list) else "range"


Options = Annotated[
    Annotated[SearchRange, Tag("range")]
    | Annotated[list[Any], Field(min_length=1), Tag("choices")],
    Discriminator(_kind_of_options),
]


class SearchParams(Section):
    """What is tried of a run."""

    run: Name
    """An entry of `runs`: its data, features and seed are those of every trial."""
    objective: Objective
    """What a trial is worth: this metric of validation, in the epoch that the run would keep."""
    num_trials: Annotated[int, Field(ge=2)] | None
    """With the settings as they are, which are trial 0; `null` for `grid`, which tries all."""
    seed: NonNegativeInt
    """Of the choice of settings; trainings have the run's."""
    sampler: Literal["tpe", "random", "grid"]
    """Where trials are: where earlier ones were good (`tpe`), anywhere, or everywhere."""
    pruner: Literal["median", "none"]
    """`median` ends a trial that is worse than the median of the trials before it after as many
    epochs."""
    space: Annotated[dict[SettingPath, Options], Field(min_length=1)]
    """Settings that are tried, as keys below an entry of `models`, each with its values."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for path, options in self.space.items():
            if isinstance(options, list):
                _check_choices(path, options)
            elif self.sampler == "grid":
                raise ValueError(f"space.{path}: found a range; sampler: grid needs a list of it")
        if (self.sampler == "grid") != (self.num_trials is None):
            wanted = "null, since grid tries all combinations"
            expected = wanted if self.sampler == "grid" else f"a number for sampler: {self.sampler}"
            raise ValueError(f"num_trials: found {self.num_trials}, expected {expected}")
        return self


def _check_choices(path: str, choices: list[Any]) -> None:
    try:
        texts = [json.dumps(choice, sort_keys=True) for choice in choices]
    except TypeError as error:
        raise ValueError(f"space.{path}: {error}; write dates and the like in quotes") from None
    if len({*texts}) < len(texts):
        raise ValueError(f"space.{path}: found {choices}, expected each once")


def load_search(path: Path) -> SearchParams:
    """Read and check a search; whether its run and settings exist, `params.yaml` says.

    Raises:
        SearchError: it is unreadable or wrong, with every error.
    """
    lines: list[str] = []
    try:
        data = with_text_names(read_yaml(path), "", lines)
    except YamlFileError as error:
        raise SearchError(f"{path}: {error}") from None
    if not lines:
        try:
            return SearchParams.model_validate(data)
        except ValidationError as error:
            lines += _lines(error)
    raise search_error(path, lines)


def search_error(path: Path, lines: list[str]) -> SearchError:
    """One message with every line of it."""
    count = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
    return SearchError("\n".join([f"{path}: {count}", *(f"  {line}" for line in lines)]))


def _lines(error: ValidationError) -> Iterator[str]:
    for details in error.errors():
        place = ".".join(str(step) for step in details["loc"] if step not in _TAGS)
        message = details["msg"].removeprefix("Value error, ")
        match details["type"]:
            case "missing" | "extra_forbidden":
                message = _IN_WORDS[details["type"]]
            case "string_pattern_mismatch" if details["loc"][0] == "objective":
                message = (
                    f"found '{details['input']}', expected a metric of validation: recall@K, "
                    "ndcg@K, mrr@K or mrr"
                )
            case "string_pattern_mismatch" if details["loc"][0] == "space":
                message = (
                    "expected the keys below an entry of `models` that lead to a setting of "
                    "architecture or finetune, as finetune.learning_rate"
                )
            case _ if place and not isinstance(details["input"], dict):
                message = f"found {details['input']!r}; {message}"
        yield f"{place}: {message}" if place else message
