"""The name of a run in; what `dvc repro` would do for it, as text for the terminal, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from mmrec.explain.plan import Step, plan
from mmrec.explain.values import shown, single_values
from mmrec.ids import require_name
from mmrec.params.ensemble import EnsembleParams
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params, PretrainingParams, RunParams
from mmrec.params.ranked import ranked_entries, stage_of
from mmrec.paths import Paths
from mmrec.project import check_project
from mmrec.run_paths import validation_of

Entry: TypeAlias = RunParams | EnsembleParams | PretrainingParams

_WIDTH: Final = 12


def explanation(name: str, project: Path, *, settings: bool) -> str:
    """What a run is, its chain of stages, and where its results lie.

    Args:
        name: of a run, an ensemble or a pre-training.
        project: folder with params.yaml and dvc.yaml.
        settings: whether those of every stage are shown, too.

    Raises:
        ValueError: there is no such run, or DVC cannot tell.
    """
    paths = Paths(project)
    params = load_params(paths.params)
    target, entry = _found(name, params)
    check_project(project, with_remote=False)
    steps = plan(target, params, paths)
    parts = [
        _headline(name, entry, params),
        "".join(_chain(steps)),
        _summary(target, steps),
        f"settings\n{''.join(_settings(steps))}" if settings else "",
        f"results\n{''.join(_results(name, target, paths))}",
    ]
    return "\n".join(filter(None, parts))


def _found(name: str, params: Params) -> tuple[str, Entry]:
    """The last stage of what has this name, and its entry; a run before a pre-training."""
    ranked = ranked_entries(params)
    require_name("run", name, dict.fromkeys([*ranked, *params.pretrainings]))
    if name in ranked:
        return stage_of(params, name), ranked[name]
    return f"pretrain@{name}", params.pretrainings[name]


def _headline(name: str, entry: Entry, params: Params) -> str:
    if isinstance(entry, EnsembleParams):
        names = " + ".join(part.run for part in entry.parts)
        return f"{name}: ensemble of {names} on {entry.dataset}\n"
    model = params.models[entry.model].name
    kind = "" if model == entry.model else f" ({model})"
    begins = f", starts from {entry.init_from}" if isinstance(entry, RunParams) else ""
    what = "" if isinstance(entry, RunParams) else "pre-training of "
    return (
        f"{name}: {what}{entry.model}{kind} on {entry.dataset}; text {entry.text}, image "
        f"{entry.image}{begins}, seed {entry.seed}\n"
    )


def _chain(steps: Sequence[Step]) -> Iterator[str]:
    width = max(len(step.stage) for step in steps)
    for step in steps:
        first, *others = step.reasons or [""]
        yield f"  {step.verdict:{_WIDTH}}{step.stage:{width}}  {first}".rstrip() + "\n"
        yield from (f"  {'':{_WIDTH}}{'':{width}}  {reason}\n" for reason in others)


def _summary(target: str, steps: Sequence[Step]) -> str:
    counts = Counter(step.verdict for step in steps)
    said = [
        f"runs {counts['run']} of {len(steps)} stages" if counts["run"] else "",
        f"takes {counts['restore']} from the cache" if counts["restore"] else "",
        f"may run {counts['perhaps']} more, if what is before them comes out different"
        if counts["perhaps"]
        else "",
    ]
    found = "; ".join(filter(None, said)) or "has nothing to do"
    return f"`dvc repro {target}` {found}.\n"


def _settings(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        values = dict(single_values(step.settings))
        if values:
            yield f"  {step.stage}\n"
            yield from (f"    {name}: {shown(value)}\n" for name, value in values.items())


def _results(name: str, target: str, paths: Paths) -> Iterator[str]:
    places = _places(name, target, paths)
    width = max(len(str(path)) for path in places)
    for path, what in places.items():
        there = "" if path.exists() else "; not there yet"
        yield f"  {path!s:{width}}  {what}{there}\n"


def _places(name: str, target: str, paths: Paths) -> Mapping[Path, str]:
    if target.startswith("pretrain@"):
        training = paths.pretraining(name)
        return {training.pretrained: "the model", training.history: "losses by epoch"}
    run = paths.run(name)
    model = (
        {paths.ensemble_weights(name): "weights of the parts"}
        if target.startswith("evaluate_ensemble@")
        else {
            run.finetuned: "the model",
            run.finetune_history: "losses by epoch",
            validation_of(run): "validation of the epoch that is kept",
        }
    )
    return {
        run.metrics: "what runs are compared by",
        run.all_metrics: "every metric",
        run.ranks: "rank of every held-out item",
        **model,
    }
