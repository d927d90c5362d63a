"""Params of a model with one setting changed, for each setting there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from mmrec.params.models.registry import ModelParams
from mmrec.params.section import Section


def with_one_changed(params: ModelParams, stage: str) -> Iterator[tuple[Any, ModelParams]]:
    """The params once for each setting of the stage, with another value for this one.

    As they are where the setting is null, or any other value is refused beside the rest: what has
    no effect here, other params have to show.
    """
    for section in ("architecture", stage):
        for path, value in other_values(getattr(params, section), (section,)):
            dumped = params.model_dump()
            place = dumped
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            try:
                yield path, TypeAdapter(ModelParams).validate_python(dumped)
            except ValidationError:
                yield path, params


def other_values(section: Section, path: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from other_values(value, (*path, name))
        elif isinstance(value, tuple) and isinstance(value[0], Section):
            for index, one in enumerate(value):
                yield from other_values(one, (*path, name, index))
        elif get_origin(field.annotation) is Literal:
            others = [option for option in get_args(field.annotation) if option != value]
            yield from (((*path, name), option) for option in others)
        else:
            yield (*path, name), other_value(value)


def other_value(value: Any) -> Any:
    match value:
        case None:
            return None
        case bool():
            return not value
        case int():
            return 2 * value
        case float():
            return value / 2
        case str():
            return "mrr"
        case tuple():
            return (*value, 2 * value[-1] if isinstance(value[-1], int) else "other")
    raise AssertionError(f"no other value for {value}; give the model of this test one")
