"""What every part of `params.yaml` has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

IGNORED_BY_RUN_CACHE = ("nfiles", "size")
"""Keys that DVC leaves out when it looks for an earlier run with the same parameters.

It means those of its own file records, but drops them anywhere in a parameter's value: with
a key of this name, another value would silently restore the outputs of the earlier one.
"""


FROM_LIST = Strict(strict=False)
"""Of a tuple: YAML has lists only. What is in it stays strict."""


class Section(BaseModel):
    """A part of `params.yaml`: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _seen_by_run_cache(name: str) -> str:
    if name in IGNORED_BY_RUN_CACHE:
        raise ValueError(f"DVC's run-cache ignores keys named '{name}'; choose another name")
    return name


Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100),
    AfterValidator(_seen_by_run_cache),
]
"""Names become folder and DVC stage names."""


def is_name(text: str) -> bool:
    """Whether an entry may be called so."""
    try:
        TypeAdapter(Name).validate_python(text)
    except ValidationError:
        return False
    return True
