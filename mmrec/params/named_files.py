"""Which settings of an extractor may name files: every text, but those that are said not to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike, fspath
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from mmrec.params.section import Section


class _NamesNoFile:
    """Marks a text that never names a file."""


NAMES_NO_FILE: Final = _NamesNoFile()
"""In an annotation: `revision: Annotated[str, NAMES_NO_FILE] | None`.

Whoever forgets it of a new setting has the model loaded in every run; whoever had to say of a
setting that it does name a file, and forgot, would have the vectors of an older file.
"""


def texts_that_may_name_files(params: Section) -> list[str]:
    """What stands in the settings that may name a file, a folder, or something on a hub."""
    return [
        text
        for name, field in type(params).model_fields.items()
        if NAMES_NO_FILE not in field.metadata and not _names_none(field.annotation)
        for text in _texts(getattr(params, name))
    ]


def _names_none(annotation: Any) -> bool:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return NAMES_NO_FILE in parts[1:] or _names_none(parts[0])
    if origin in (Union, UnionType):
        return all(map(_names_none, parts))
    return origin is Literal or annotation is NoneType


def _texts(value: object) -> Iterator[str]:
    match value:
        case Section():
            yield from texts_that_may_name_files(value)
        case str() | PathLike():
            yield fspath(value)
        case Mapping():
            for part in value.values():
                yield from _texts(part)
        case list() | tuple() | set() | frozenset():
            for part in value:
                yield from _texts(part)
