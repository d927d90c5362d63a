"""Params files whose runs start from runs, as before there were `pretrainings`: told anew."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML

_SLOTS = ("dataset", "model", "text", "image", "seed")
_MAX_LINE = 100_000


def told_in_new_form(data: object) -> str | None:
    """What to write instead of the older form's runs, with their own names; None for other files.

    There every run was pre-trained under its own name, if only to note that it was not, and
    `init_from` named a run.
    """
    if not isinstance(data, Mapping) or data.get("pretrainings"):
        return None
    runs = dict(_entries(data, "runs"))
    starts = {name: str(run.get("init_from")) for name, run in runs.items()}
    former = [name for name, start in starts.items() if start in runs]
    if not former:
        return None
    models = dict(_entries(data, "models"))
    pretrained = {
        start: {slot: runs[start][slot] for slot in _SLOTS if slot in runs[start]}
        for start in dict.fromkeys(starts[name] for name in former)
        if models.get(str(runs[start].get("model")), {}).get("pretrain") is not None
    }
    changed = {
        name: {**run, "init_from": starts[name] if starts[name] in pretrained else "none"}
        if name in former
        else run
        for name, run in runs.items()
    }
    return (
        f"of an older form: runs.{former[0]}.init_from names the run '{starts[former[0]]}'. "
        "Pre-trainings have entries of their own now, and a run starts from one of these or from "
        "none; put this in the place of `runs:` and leave all else as it is\n\n"
        + "\n".join([*_section("pretrainings", pretrained), "", *_section("runs", changed)])
    )


def _entries(data: Mapping[Any, Any], section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = data.get(section)
    entries = found.items() if isinstance(found, Mapping) else ()
    return ((str(name), entry) for name, entry in entries if isinstance(entry, Mapping))


def _section(name: str, entries: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each entry, as in the files that come with the project."""
    yield f"{name}:" if entries else f"{name}: {{}}"
    for key, entry in entries.items():
        yield f"  {_flow({key: entry})[1:-1]}"


def _flow(entry: Mapping[str, Any]) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = _MAX_LINE
    text = io.StringIO()
    yaml.dump(dict(entry), text)
    return text.getvalue().strip()
