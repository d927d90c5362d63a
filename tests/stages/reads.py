"""Which settings a stage reads, and which `dvc.yaml` says it reads."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mmrec.params.pipeline import Params
from mmrec.params.section import Section
from mmrec.paths import Paths


class Reads:
    """Settings that were read, by stage and key, as dotted paths of `params.yaml`."""

    def __init__(self, checked: Params, patch: pytest.MonkeyPatch) -> None:
        self.by_call: dict[tuple[str, str], set[str]] = {}
        self._checked = checked
        self._path_of = dict(paths_of_sections(checked, ""))
        self._current: set[str] | None = None
        plain = Section.__getattribute__

        def recorded(section: Section, name: str) -> Any:
            path = self._path_of.get(id(section))
            is_field = name in type(section).model_fields
            if self._current is not None and path is not None and is_field:
                self._current.add(f"{path}.{name}".lstrip("."))
            return plain(section, name)

        patch.setattr(Section, "__getattribute__", recorded)

    def call(self, stage: str, *key: str) -> None:
        """Run a stage in the current folder."""
        self._current = self.by_call.setdefault((stage, "".join(key)), set())
        importlib.import_module(f"stages.{stage}").main(self._checked, Paths(Path()), *key)
        self._current = None


def paths_of_sections(value: object, path: str) -> Iterator[tuple[int, str]]:
    """Identity and dotted path of every section at and below a value."""
    if isinstance(value, BaseModel):
        yield id(value), path
        value = dict(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths_of_sections(inner, f"{path}.{name}".lstrip("."))


def value_at(data: Any, path: str) -> Any:
    for step in path.split("."):
        data = data[step]
    return data


def declared(stage: dict[str, Any], kind: str = "params") -> list[str]:
    """The `params`, or `deps`, of a stage of `dvc.yaml`."""
    found: list[str] = stage.get("do", stage).get(kind, [])
    return found


def filled_in(
    stage: dict[str, Any], key: str, data: dict[str, Any], kind: str = "params"
) -> tuple[dict[str, str], set[str]]:
    """The `params` of a stage by what they are for one key, and the slots in its other parts."""
    section = stage["foreach"][2:-1] if "foreach" in stage else ""
    entry = flat(value_at(data, section)[key]) if section else {}
    filled = {}
    for path in declared(stage, kind):
        text = path.replace("${key}", key)
        for slot, value in entry.items():
            text = text.replace(f"${{item.{slot}}}", str(value))
        filled[path] = text
    slots = {f"{section}.{key}.{name}" for name in re.findall(r"item\.([\w.]+)", str(stage))}
    return filled, slots


def flat(entry: dict[str, Any]) -> dict[str, Any]:
    """Slots by name, those of slots by both names."""
    inner = {
        f"{slot}.{name}": value
        for slot, own in entry.items()
        if isinstance(own, dict)
        for name, value in own.items()
    }
    return {**entry, **inner}
