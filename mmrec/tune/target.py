"""A search and its project in; the settings that trials have, each checked as `params.yaml` is."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mmrec.evaluation.metrics import metric_names
from mmrec.ids import require_name
from mmrec.library.fitting import params_with_run
from mmrec.models.next_item_training import VALIDATION_CUTOFFS
from mmrec.params.file import ParamsError, load_params
from mmrec.params.models.registry import ModelParams
from mmrec.params.pipeline import Params, RunParams
from mmrec.params.search import SearchParams, SearchRange, load_search, search_error
from mmrec.params.section import is_name
from mmrec.params.yaml_file import read_yaml
from mmrec.paths import Paths
from mmrec.study.base import free_name

_MISSING: Final = object()


@dataclass(frozen=True)
class Target:
    """What is searched.

    Attributes:
        name: of the search: that of its file.
        search: as read.
        paths: of the project.
        params: all settings as they are.
        entry: of `models` that the run names, as it is written.
        as_is: of the space, what the entry has now, with defaults; a setting that it has not (of
            a section of another kind) is left out.
        within: of `as_is`, what is within the space, as the space has it.
    """

    name: str
    search: SearchParams
    paths: Paths
    params: Params
    entry: dict[str, Any]
    as_is: dict[str, Any] = field(default_factory=dict)
    within: dict[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> RunParams:
        """The run, as it is."""
        return self.params.runs[self.search.run]

    @property
    def model(self) -> ModelParams:
        """The settings of its model, as they are."""
        return self.params.models[self.run.model]

    def entry_with(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The entry of `models`, as it is written, with other settings."""
        entry = copy.deepcopy(self.entry)
        for path, value in settings.items():
            *sections, last = path.split(".")
            inner = entry
            for section in sections:
                if not isinstance(inner.get(section), dict):
                    inner[section] = {}
                inner = inner[section]
            inner[last] = copy.deepcopy(value)
        return entry

    def model_with(self, settings: Mapping[str, Any]) -> ModelParams:
        """The settings of a trial.

        Raises:
            ParamsError: they are not allowed, or do not go together.
        """
        name = free_name("trial", {*self.params.models, *self.params.runs, *self.params.ensembles})
        run = self.run.model_dump(exclude={"model"})
        return params_with_run(self.paths, name, self.entry_with(settings), run).models[name]


def open_target(path: Path, project: Path) -> Target:
    """A search of a file, every setting in it tried on the schema; nothing is trained.

    Raises:
        SearchError: the file is wrong, with every line that is.
        ParamsError: `params.yaml` is.
    """
    search, paths = load_search(path), Paths(project)
    params = load_params(paths.params)
    lines = [*_of_names(path.stem, search, params)]
    if lines:
        raise search_error(path, lines)
    sections: Any = read_yaml(paths.params)
    entry = sections["models"][params.runs[search.run].model]
    target = Target(path.stem, search, paths, params, entry)
    resolved = target.model.model_dump(mode="json")
    found = {name: _value(resolved, name) for name in search.space}
    as_is = {name: value for name, value in found.items() if value is not _MISSING}
    within: dict[str, Any] = {}
    for name in search.space:
        lines += _of_setting(target, name, as_is, within)
    if lines:
        raise search_error(path, lines)
    return Target(path.stem, search, paths, params, entry, as_is, within)


def _of_names(name: str, search: SearchParams, params: Params) -> Iterator[str]:
    """What is wrong with the file's name, the run and the objective."""
    if not is_name(name):
        yield (
            f"the file's name is that of the search, found '{name}'; name it by letters, digits, "
            "'-' and '_'"
        )
    try:
        require_name("run", search.run, params.runs)
    except ValueError as error:
        yield str(error)
        return
    finetune = params.models[params.runs[search.run].model].finetune
    if finetune is None:
        trained = [name for name, run in params.runs.items() if params.models[run.model].finetune]
        yield f"run: '{search.run}' is not trained; allowed: {', '.join(trained)}"
        return
    told = metric_names(VALIDATION_CUTOFFS)
    if search.objective not in {*told, finetune.metric}:
        yield (
            f"objective: found '{search.objective}', allowed: {', '.join(told)} and "
            f"finetune.metric ({finetune.metric})"
        )


def _of_setting(
    target: Target, path: str, as_is: Mapping[str, Any], within: dict[str, Any]
) -> list[str]:
    """What is wrong with the options of a setting; to `within` goes the one that it has now."""
    options = target.search.space[path]
    tried = [options.low, options.high] if isinstance(options, SearchRange) else options
    refused: dict[str, None] = {}
    combined: list[str] = []
    for value in tried:
        try:
            resolved = target.model_with({path: value}).model_dump(mode="json")
        except ParamsError as error:
            alone, together = _about(error, path, value)
            refused |= dict.fromkeys(alone)
            combined += together
            continue
        if path in as_is and _value(resolved, path) == as_is[path]:
            within[path] = value
    if isinstance(options, SearchRange) and _is_in(as_is.get(path), options):
        within[path] = as_is[path]
    # Settings that do not go with the others as they are may go with others of the space.
    return [*refused, *(combined if len(combined) == len(tried) else [])]


def _is_in(value: object, options: SearchRange) -> bool:
    numbers = (int,) if options.is_whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, numbers):
        return False
    return options.low <= value <= options.high


def _about(error: ParamsError, path: str, value: object) -> tuple[list[str], list[str]]:
    """Lines about the setting itself, and a line where it does not go with others."""
    alone, together = [], []
    for line in str(error).splitlines()[1:]:
        place, _, message = line.strip().partition(": ")
        section, *below = place.split(".")
        where = ".".join(below[1:])
        if section == "models" and len(below) < 3:
            together.append(f"with {value!r}: {message}")
        elif where == path:
            alone.append(f"space.{path}: {message}")
        else:
            alone.append(f"space.{path}: with {value!r}, {where}: {message}")
    return alone, [f"space.{path}: {'; '.join(together)}"] if together and not alone else []


def _value(entry: Mapping[str, Any], path: str) -> Any:
    value: Any = entry
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value
