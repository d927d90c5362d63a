"""Where the sections of a file stand: its JSON schema in, the pages that tell them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mmrec.reference.takes import Schema, definitions

FILE: Final = "File"
"""Stands for the file itself among the definitions of its sections."""


@dataclass
class Place:
    """A section, and where it stands in a file."""

    definition: str
    depth: int
    """Sections around it on its page."""
    paths: list[str] = field(default_factory=list)
    """Such as `datasets.<name>.clean`; several where several settings take it."""


@dataclass(frozen=True)
class Page:
    """Sections that are told together."""

    name: str
    """Of its file, without suffix."""
    title: str
    places: list[Place]


def known_sections(schema: Schema) -> Mapping[str, Schema]:
    """All sections of a file, and the file itself where it is one."""
    return {**({FILE: schema} if "properties" in schema else {}), **schema["$defs"]}


def params_pages(schema: Schema) -> list[Page]:
    """Of all of `params.yaml`: the file, each section, each model, and what models share.

    No section is on two of them.
    """
    pages = [Page("params", "params.yaml", [Place(FILE, 0, [""])])]
    for name, setting in schema["properties"].items():
        if name == "models":
            pages += _pages_of_models(schema, setting)
        else:
            found = places(schema, setting, _step(name, setting))
            pages.append(Page(f"params_{name}", name, found))
    return pages


def file_page(name: str, title: str, schema: Schema) -> Page:
    """Of all that a file of one kind may have."""
    whole = {"$ref": FILE} if "properties" in schema else schema
    return Page(name, title, places(schema, whole, ""))


def places(schema: Schema, start: Schema, path: str) -> list[Place]:
    """The sections that a setting leads to, in the order of the file, each once."""
    known, found = known_sections(schema), dict[str, Place]()

    def visit(part: Schema, path: str, depth: int) -> None:
        for name in definitions(part):
            new = name not in found
            place = found.setdefault(name, Place(name, depth))
            if path not in place.paths:
                place.paths.append(path)
            for key, setting in known[name].get("properties", {}).items() if new else ():
                visit(setting, f"{path}.{_step(key, setting)}".removeprefix("."), depth + 1)

    visit(start, path, 0)
    return list(found.values())


def _pages_of_models(schema: Schema, models: Schema) -> list[Page]:
    path = _step("models", models)
    of_each = {name: places(schema, {"$ref": name}, path) for name in definitions(models)}
    counts = Counter(place.definition for found in of_each.values() for place in found)
    shared: dict[str, Place] = {}
    for place in (place for found in of_each.values() for place in found):
        if counts[place.definition] > 1:
            common = shared.setdefault(place.definition, Place(place.definition, 0))
            common.paths += [one for one in place.paths if one not in common.paths]
    pages = [Page("params_models", "models", [*shared.values()])]
    for name, found in of_each.items():
        (tag,) = kinds(schema["$defs"][name])
        own = [place for place in found if place.definition not in shared]
        pages.append(Page(f"model_{tag}", tag, own))
    return pages


def kinds(section: Schema) -> list[str]:
    """What `name` may be in a section that is one of several kinds; else nothing."""
    name = section.get("properties", {}).get("name", {})
    return [name["const"]] if "const" in name else [*name.get("enum", [])]


def _step(key: str, setting: Schema) -> str:
    """A step of a path: entries have names of their own, and values of a list a place."""
    entries = "patternProperties" in setting or isinstance(
        setting.get("additionalProperties"), Mapping
    )
    if entries and definitions(setting):
        return f"{key}.<name>"
    return f"{key}[]" if definitions(setting.get("items", {})) else key
