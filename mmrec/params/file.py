"""Reads `params.yaml`: the checked settings, or one message with every error in it."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mmrec.params.pipeline import Params
from mmrec.params.references import valid_parts, wrong_references
from mmrec.params.yaml_file import YamlFileError, read_yaml, with_text_names


class ParamsError(ValueError):
    """`params.yaml` is wrong; the message lists every error with its YAML path."""


def load_params(path: Path) -> Params:
    """Read and check the settings.

    Raises:
        ParamsError: unreadable YAML, or any value that is missing, unknown or not allowed,
            all of them in one message.
    """
    lines: list[str] = []
    data = with_text_names(_sections_of(path), "", lines)
    try:
        params = Params.model_validate(data)
    except ValidationError as error:
        lines += [_describe(dict(details), data) for details in error.errors()]
        params = valid_parts(data)
    lines += wrong_references(params)
    if not lines:
        return params
    found = sorted({*lines})
    count = "1 error" if len(found) == 1 else f"{len(found)} errors"
    raise ParamsError("\n".join([f"{path.name}: {count}", *(f"  {line}" for line in found)]))


def _sections_of(path: Path) -> object:
    try:
        data = read_yaml(path)
    except YamlFileError as error:
        raise ParamsError(f"{path.name}: {error}") from None
    if isinstance(data, Mapping):
        return data
    found = "nothing" if data is None else _shown(data)
    raise ParamsError(
        f"{path.name}: found {found}, expected the sections {', '.join(Params.model_fields)}; "
        "start from a file of examples/"
    )


def _describe(error: dict[str, Any], data: object) -> str:
    path, found = _yaml_path(error["loc"], data)
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            what = "missing; this key must be set"
        case "extra_forbidden":
            allowed = _allowed_keys(error["loc"][:-1])
            near = difflib.get_close_matches(str(error["loc"][-1]), allowed, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            what = f"unknown key{hint}; allowed here: {', '.join(allowed) or 'nothing'}"
        case "union_tag_invalid":
            path = f"{path}.name"
            what = f"found '{context['tag']}', allowed: {context['expected_tags']}"
        case "union_tag_not_found":
            path, what = f"{path}.name", "missing; it says which kind this is"
        case "string_pattern_mismatch" if error["loc"][-1] == "[key]":
            what = f"a name is made of letters, digits, '-' and '_' ({context['pattern']})"
        case "literal_error" | "enum":
            what = f"found {_shown(found)}, allowed: {context['expected']}"
        case _:
            what = error["msg"].removeprefix("Value error, ")
            if error["loc"][-1:] != ("[key]",) and not isinstance(found, Mapping):
                what = f"found {_shown(found)}; {what}"
    return f"{path.removesuffix('.[key]') or 'params'}: {what}"


def _shown(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _yaml_path(location: tuple[int | str, ...], data: object) -> tuple[str, object]:
    """The path as written in the file: pydantic adds the tag of a union, which is no key.

    Where it is not one of several sections, what it stands in is a list or a plain value.
    """
    path, value = "", data
    for step in location:
        if isinstance(value, Mapping):
            if step not in value and value.get("name") == step:
                continue
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
        else:
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.removeprefix("."), value


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys that the section at `location` knows; a union's tag is one step of a location."""
    kinds: list[type[BaseModel]] = [Params]
    for step in location:
        tagged = [kind for kind in kinds if _tag(kind) == step]
        if tagged:
            kinds = tagged
            continue
        fields = [kind.model_fields[str(step)] for kind in kinds if step in kind.model_fields]
        if fields:
            kinds = list(_sections(fields[0].annotation))
        # Otherwise the step is a key of a mapping, whose values have this kind already.
    return sorted({name for kind in kinds for name in kind.model_fields})


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """Section classes anywhere inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _sections(inner)


def _tag(kind: type[BaseModel]) -> str | None:
    field = kind.model_fields.get("name")
    tags = typing.get_args(field.annotation) if field else ()
    return tags[0] if tags else None
