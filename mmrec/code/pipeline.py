"""From `dvc.yaml` and `params.yaml` to the files that stages depend on instead of code.

A stage of `dvc.yaml` names its file among its deps: `data/code/clean.txt`, or with slots
(`data/code/finetune/${item.model}.txt`), so that entries which choose differently have a file
each. The sections that it reads are those of its `params` and slots.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from mmrec.code.closure import Closure, Code
from mmrec.code.sources import CodeError
from mmrec.paths import Paths

IN_OUTPUTS: Final = {"evaluate": ["models.${item.model}"]}
"""Sections that a stage reads as they lie beside an output of another one: a trained model's."""
PARTS: Final = {"ensembles": ("first", "second", "third")}
"""Slots of an entry that have slots themselves, of which one names a run: its model's section is
read as it lies beside an output, too."""


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Look for no garbage: syntax trees are many objects, all kept, and each search is of all."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@_without_collecting()
def closures(
    dvc_yaml: Path, values: Mapping[str, Any], code: Code | None = None
) -> dict[str, Closure]:
    """What each file that stages name is about, by its path.

    Args:
        dvc_yaml: the pipeline.
        values: all of `params.yaml`, with every default filled in.
        code: of the project; this one's if None.

    Raises:
        CodeError: what a stage depends on cannot be found out, or nothing handles the choice
            that its entry makes.
    """
    code = code or Code()
    stages = YAML(typ="safe").load(dvc_yaml)["stages"]
    sections: dict[str, tuple[str, set[tuple[str, ...]]]] = {}
    for name in stages:
        for path, read in _files_of(name, stages[name], values):
            sections.setdefault(path, (name, set()))[1].update(read)
    closed = {}
    for path, (name, read) in sections.items():
        found = code.closure(f"stages.{name}", sorted(read), values)
        if "foreach" in stages[name] and not found.choices <= found.cases:
            missing = ", ".join(sorted(found.choices - found.cases))
            raise CodeError(
                f"stages.{name}: nothing that it reaches has a case for '{missing}' (for {path}); "
                "add one to what builds its kind"
            )
        closed[path] = found
    return closed


def _files_of(
    name: str, stage: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[tuple[str, set[tuple[str, ...]]]]:
    """The file of each entry of a stage, and the sections that it reads for it."""
    body = stage.get("do", stage)
    folder = Paths(Path()).code.as_posix()
    templates = [dep for dep in body.get("deps", []) if dep.startswith(f"{folder}/")]
    read = [*body.get("params", []), *IN_OUTPUTS.get(name, [])]
    section = stage["foreach"][2:-1] if "foreach" in stage else ""
    for key, item in _at(values, section).items() if section else [("", {})]:
        slots = {"key": key, **{f"item.{slot}": str(value) for slot, value in item.items()}}
        used = {f"{section}.{key}.{slot}" for slot in re.findall(r"item\.([\w.]+)", str(body))}
        paths = {
            *used,
            *(_filled(path, slots) for path in read),
            *_models_of(section, item, values),
        }
        for template in templates:
            yield _filled(template, slots), {tuple(path.split(".")) for path in paths}


def _models_of(section: str, item: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """Sections of the models of the runs that an entry is made of."""
    for part in PARTS.get(section, ()):
        if (run := item[part]["run"]) != "none":
            yield f"models.{values['runs'][run]['model']}"


def _filled(text: str, slots: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([\w.]+)\}", lambda slot: slots.get(slot[1], slot[0]), text)


def _at(values: Any, path: str) -> Any:
    for step in path.split("."):
        values = values[step]
    return values
