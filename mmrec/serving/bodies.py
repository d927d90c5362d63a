"""What requests ask for: bodies of JSON in, checked settings out, or everything that is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.exceptions import HTTPException
from starlette.requests import Request

from mmrec.library.filters import Filters
from mmrec.library.histories import GivenHistories
from mmrec.library.run import Run
from mmrec.serving import limits

_SHOWN_ERRORS: Final = 5
_SHOWN_CHARACTERS: Final = 80

Id = Annotated[str, Field(max_length=limits.ID_LENGTH)]
FilterIds = Annotated[list[Id], Field(max_length=limits.FILTER_IDS)]
Asked = TypeVar("Asked", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    k: int = Field(10, ge=1, le=limits.K)
    exclude: FilterIds = []
    include: FilterIds | None = None
    category: Id | None = None
    max_per_category: int | None = None
    categories: Id | None = None
    diversity: float = 0.0

    def filters(self, *, keep_seen: bool) -> Filters:
        """As the library takes them.

        Raises:
            ValueError: an id is there twice, or a number is out of range.
        """
        return Filters(
            exclude=self.exclude,
            include=self.include,
            keep_seen=keep_seen,
            category=self.category,
            max_per_category=self.max_per_category,
            categories=self.categories,
            diversity=self.diversity,
        )


class RecommendBody(_Body):
    """Whom to recommend to, and what: the filters of `mmrec.library.filters`."""

    histories: (
        Annotated[
            list[Annotated[list[Id], Field(max_length=limits.ITEMS)]],
            Field(max_length=limits.HISTORIES),
        ]
        | None
    ) = None
    users: Annotated[list[Id], Field(max_length=limits.HISTORIES)] | None = None
    keep_seen: bool = False
    skip_unknown: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.histories is None) == (self.users is None):
            raise ValueError("expected one of histories and users")
        return self

    def histories_from(self, run: Run) -> GivenHistories:
        """Those that were given, or those of the users.

        Raises:
            ValueError: a user is not there.
        """
        if self.histories is not None:
            return self.histories
        assert self.users is not None
        return run.histories_of(self.users)


class SimilarBody(_Body):
    """Items, and what may be like them."""

    items: Annotated[list[Id], Field(max_length=limits.HISTORIES)]


async def read_body(request: Request, kind: type[Asked]) -> Asked:
    """What a request asks for.

    Raises:
        HTTPException: 400 for what is wrong, 408 too slow, 413 too large, 415 no JSON.
    """
    told = request.headers.get("content-type", "")
    if told.partition(";")[0].strip().lower() != "application/json":
        # Which also keeps pages of other sites from asking: browsers let them send other kinds.
        raise HTTPException(415, f"content-type: found {told!r}, expected application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(limits.BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.BODY_BYTES:
                    what = f"more than the {limits.BODY_BYTES:,} bytes that are allowed"
                    raise HTTPException(413, f"body: {what}; ask in several requests")
    except TimeoutError:
        raise HTTPException(408, f"body: not whole after {limits.BODY_SECONDS:g} s") from None
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        raise HTTPException(400, _in_words(error, kind)) from None


def _in_words(error: ValidationError, kind: type[BaseModel]) -> str:
    found = error.errors(include_url=False)
    told = [_describe(dict(one), kind) for one in found[:_SHOWN_ERRORS]]
    more = len(found) - len(told)
    return "; ".join([*told, *([f"and {more:,} others"] if more > 0 else [])])


def _describe(error: Mapping[str, Any], kind: type[BaseModel]) -> str:
    where = "body"
    for step in error["loc"]:
        where += f"[{step}]" if isinstance(step, int) else f".{step}"
    where = where.removeprefix("body.")
    message = error["msg"].removeprefix("Value error, ")
    match error["type"]:
        case "extra_forbidden":
            return f"{where}: unknown; allowed here: {', '.join(kind.model_fields)}"
        case "missing":
            return f"{where}: missing; it must be given"
        case "value_error" | "json_invalid" | "too_long" | "string_too_long":
            return f"{where}: {message}"
        case _:
            shown = repr(error["input"])
            cut = f"{shown[:_SHOWN_CHARACTERS]}…" if len(shown) > _SHOWN_CHARACTERS else shown
            return f"{where}: found {cut}; {message}"
