"""What is evaluated, and can be compared and recommended from: runs, and ensembles of them."""

from __future__ import annotations

from collections.abc import Iterator

from mmrec.params.ensemble import EnsembleParams, EnsemblePart
from mmrec.params.known_names import unknown
from mmrec.params.pipeline import Params, RunParams

SLOTS = ("first", "second", "third")


def ranked_entries(params: Params) -> dict[str, RunParams | EnsembleParams]:
    """Entries of `runs` and `ensembles` by name, in the order of the file."""
    return {**params.runs, **params.ensembles}


def stage_of(params: Params, name: str) -> str:
    """The stage that evaluates one of them, as `dvc repro` takes it."""
    return f"{'evaluate_ensemble' if name in params.ensembles else 'evaluate'}@{name}"


def without_vectors(params: Params, name: str) -> str:
    """Why one of them has no vectors; empty where it has, or where it is wrong otherwise."""
    entry = params.ensembles.get(name)
    if entry is None:
        return _model_without_vectors(params, name)
    if entry.weights.name == "grouped":
        return "its weights differ by group, so that it"
    parts = (part.run for part in entry.parts if _model_without_vectors(params, part.run))
    return next((f"its part '{run}'" for run in parts), "")


def _model_without_vectors(params: Params, name: str) -> str:
    run = params.runs.get(name)
    model = params.models.get(run.model) if run else None
    if run is None or model is None or model.has_vectors:
        return ""
    return f"its model '{run.model}' ({model.name})"


def wrong_ensembles(params: Params) -> Iterator[str]:
    """Parts that there are not, of another dataset, or that read something else."""
    for name, entry in params.ensembles.items():
        if entry is None:
            continue
        where = f"ensembles.{name}"
        if name in params.runs:
            yield f"{where}: found a name that a run has; results lie by name, choose another"
        yield from unknown(f"{where}.dataset", entry.dataset, params.datasets)
        for slot in SLOTS:
            yield from _wrong_part(params, f"{where}.{slot}", entry.dataset, getattr(entry, slot))
        yield from _wrong_number(where, entry)
    if "none" in params.runs or "none" in params.ensembles:
        yield "runs.none: 'none' is the name of no run, an ensemble names it for no part"


def _wrong_part(params: Params, where: str, dataset: str, part: EnsemblePart) -> Iterator[str]:
    if part.run in params.ensembles:
        yield f"{where}.run: found '{part.run}', an ensemble; name its parts, which are runs"
        return
    yield from unknown(f"{where}.run", part.run, ["none", *params.runs])
    run = params.runs.get(part.run)
    if run and run.dataset != dataset:
        yield (
            f"{where}.run: found '{part.run}', which is on '{run.dataset}', but the ensemble is on "
            f"'{dataset}'; name runs on that alone"
        )
    reads = {"text": "none", "image": "none"}
    if run:
        reads = {"text": run.text, "image": run.image}
    elif part.run != "none":
        return
    for modality, feature in reads.items():
        found = getattr(part, modality)
        if found != feature:
            yield (
                f"{where}.{modality}: found '{found}', but {_what(part.run)} reads '{feature}'; "
                "write that, so that the ensemble depends on it"
            )


def _what(run: str) -> str:
    return "no run" if run == "none" else f"run '{run}'"


def _wrong_number(where: str, entry: EnsembleParams) -> Iterator[str]:
    names = [part.run for part in entry.parts]
    if len(names) < 2:
        yield f"{where}: found {len(names)} runs, expected at least 2; name another one"
    if len({*names}) < len(names):
        yield f"{where}: found the runs {', '.join(names)}, expected each once"
