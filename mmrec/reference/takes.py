"""What a setting takes, and what it is by default, in words: a part of a JSON schema in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
"""A JSON schema, or a part of one."""

Link = Callable[[str], str]
"""How a section is named where something takes it, by the name of its definition."""

_REF: Final = "#/$defs/"
_NAME: Final = "^[A-Za-z0-9][A-Za-z0-9_-]*$"


def takes(schema: Schema, link: Link) -> str:
    """The values that a setting takes.

    >>> takes({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, str)
    'number > 0 and ≤ 1'
    >>> takes({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}, str)
    '`a`, `b` or `null`'
    """
    *others, last = dict.fromkeys(_alternatives(schema, link))
    if not others:
        return last
    comma = "," if any("," in one for one in others) else ""
    return f"{', '.join(others)}{comma} or {last}"


def _alternatives(schema: Schema, link: Link) -> list[str]:
    match schema:
        case {"anyOf": [*parts]} | {"oneOf": [*parts]}:
            return [one for part in parts for one in _alternatives(part, link)]
        case {"enum": [*values]}:
            return [shown(value) for value in values]
        case {"type": "boolean"}:
            return [shown(True), shown(False)]
        case _:
            return [_one(schema, link)]


def _one(schema: Schema, link: Link) -> str:
    match schema:
        case {"$ref": str(target)}:
            return link(target.removeprefix(_REF))
        case {"const": value}:
            return shown(value)
        case {"type": "null"}:
            return shown(None)
        case {"type": "string"}:
            return _text(schema)
        case {"type": "array"}:
            return _list(schema, link)
        case {"type": "object"}:
            return _entries(schema, link)
        case {"type": "integer" | "number"}:
            return _number(schema)
        case _:
            return "any value"


def definitions(schema: Schema) -> list[str]:
    """Names of the sections that a setting, an entry of it or a value of its list may be."""
    if "$ref" in schema:
        return [str(schema["$ref"]).removeprefix(_REF)]
    parts: list[Schema] = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    parts += schema.get("patternProperties", {}).values()
    parts += [
        part
        for key in ("additionalProperties", "items")
        if isinstance(part := schema.get(key), Mapping)
    ]
    return [name for part in parts for name in definitions(part)]


def default(schema: Schema) -> str:
    """What holds where a setting is left out; of a section that is as its own defaults, this."""
    if "default" not in schema:
        return "must be set"
    return (
        "as its own" if schema["default"] == {} and "$ref" in schema else shown(schema["default"])
    )


def shown(value: object) -> str:
    """A value as a line of a YAML file has it.

    >>> shown({"name": "step", "every": 3, "of": [1e-5, None]})
    '`{name: step, every: 3, of: [1e-05, null]}`'
    """
    return f"`{_flow(value)}`"


def _flow(value: object) -> str:
    match value:
        case Mapping():
            return f"{{{', '.join(f'{key}: {_flow(inner)}' for key, inner in value.items())}}}"
        case list():
            return f"[{', '.join(map(_flow, value))}]"
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _number(schema: Schema) -> str:
    whole = schema["type"] == "integer"
    lowest, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    if whole and above is not None:
        lowest, above = above + 1, None
    bounds = {
        "≥": lowest,
        ">": above,
        "≤": schema.get("maximum"),
        "<": schema.get("exclusiveMaximum"),
    }
    said = " and ".join(f"{sign} {bound}" for sign, bound in bounds.items() if bound is not None)
    return " ".join(filter(None, ["whole number" if whole else "number", said]))


def _text(schema: Schema) -> str:
    pattern = schema.get("pattern")
    if pattern is None:
        return "text"
    return "name" if pattern == _NAME else f"text like `{pattern}`"


def _list(schema: Schema, link: Link) -> str:
    if "prefixItems" in schema:
        each = dict.fromkeys(takes(part, link) for part in schema["prefixItems"])
        return f"list of {len(schema['prefixItems'])}, each: {', '.join(each)}"
    bounds = {"at least": schema.get("minItems"), "at most": schema.get("maxItems")}
    many = " and ".join(f"{words} {bound}" for words, bound in bounds.items() if bound is not None)
    of = f" of {many}" if many else ""
    return f"list{of}, each: {takes(schema['items'], link)}"


def _entries(schema: Schema, link: Link) -> str:
    values = [*schema.get("patternProperties", {}).values()]
    other = schema.get("additionalProperties")
    if isinstance(other, Mapping):
        values.append(other)
    each = " or ".join(takes(value, link) for value in values)
    return f"entries by name, each: {each}" if values else "settings as in the entry"
