"""A run in, the study of what it loses with each of its features out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from mmrec.ids import require_name
from mmrec.params.features import EmbedParams
from mmrec.params.ids_alone import ids_alone
from mmrec.params.pipeline import Params, PretrainingParams, RunParams
from mmrec.params.study import StudyError, StudyParams
from mmrec.study.base import free_name

KINDS: Final = ("shuffled", "constant", "noise")
"""In what way a feature says nothing."""
IDS: Final = "IDs alone"
TOGETHER: Final = "with IDs alone, together"
"""The run and IDs alone as an ensemble, with weights from validation."""
POPULARITY: Final = "popularity"
_SEED: Final = 0
_SLOTS: Final = ("text", "image")


class Arm(NamedTuple):
    """A training of the run with some of its features knocked out."""

    slots: tuple[str, ...]
    kind: str

    @property
    def row(self) -> str:
        """Its name in tables."""
        return f"{' and '.join(self.slots)} {self.kind}"


def arms_of(run: RunParams) -> list[Arm]:
    """Every way for all features of a run together, then for each alone where it has two."""
    read = tuple(slot for slot in _SLOTS if getattr(run, slot) != "none")
    sets = [read, *((slot,) for slot in read if len(read) > 1)]
    return [Arm(slots, kind) for slots in sets for kind in KINDS]


def knockout_study(params: Params, name: str, seeds: Sequence[int], metric: str) -> StudyParams:
    """The run as it is, without content, by IDs alone, with these, and popularity.

    The run is the reference.

    Args:
        params: of the project.
        name: of the run.
        seeds: of every row.
        metric: that it is judged by, such as `recall@10`.

    Raises:
        ValueError: there is no such run.
        StudyError: it has no features to knock out, or its pre-training is of another kind than a
            row of a study can have.
    """
    if min(seeds) < 0 or len({*seeds}) < len(seeds):
        raise StudyError(f"--seeds: found {[*seeds]}, expected numbers of at least 0, each once")
    run = _run(params, name)
    ids, popularity = (free_name(one, params.models) for one in ("ids-alone", POPULARITY))
    start = params.pretrainings.get(run.init_from)
    row = {"model": run.model, **(_pretrained(params, name, run, start) if start else {})}
    features = {
        _feature(run, slot, kind): _variant(run, slot, kind) for slot, kind in _knocked(run)
    }
    without = {"text": "none", "image": "none"}
    rows: dict[str, Any] = {
        name: row,
        **{
            arm.row: {**row, **{slot: _feature(run, slot, arm.kind) for slot in arm.slots}}
            for arm in arms_of(run)
        },
        IDS: {"model": ids, **without},
        TOGETHER: {"ensemble": [name, IDS], "metric": metric},
        POPULARITY: {"model": popularity, **without},
    }
    untrained: dict[str, Any] = {
        "name": "popularity",
        "architecture": {},
        "pretrain": None,
        "finetune": None,
    }
    settings = {
        "base": "params.yaml",
        "models": {ids: ids_alone(params.models[run.model]), popularity: untrained},
        "features": features,
        "dataset": run.dataset,
        "text": run.text,
        "image": run.image,
        "seeds": [*seeds],
        "reference": name,
        "columns": [metric],
        "parts": ["all", "warm", "cold"],
        "rows": rows,
    }
    return StudyParams.model_validate(settings)


def _run(params: Params, name: str) -> RunParams:
    require_name("run", name, params.runs)
    run = params.runs[name]
    if not arms_of(run)[0].slots:
        with_features = [key for key, one in params.runs.items() if arms_of(one)[0].slots]
        raise StudyError(
            f"run '{name}' reads no features, so there is nothing to knock out; runs that do: "
            f"{', '.join(with_features) or 'none'}"
        )
    if params.models[run.model].finetune is None:
        raise StudyError(
            f"run '{name}': its model '{run.model}' is not trained, and with knock-outs trainings "
            "are compared; name a run of a model with a finetune section"
        )
    for slot, feature in ((slot, getattr(run, slot)) for slot in arms_of(run)[0].slots):
        if any(_is_knocked_out(params.embed, run.dataset, feature)):
            raise StudyError(
                f"run '{name}': its {slot} feature '{feature}' is knocked out itself "
                "(embed: knockout); name a run that reads a feature as it is"
            )
    return run


def _is_knocked_out(embed: EmbedParams, dataset: str, feature: str) -> Iterator[bool]:
    for kind in (embed.text, embed.image, embed.pair):
        for entry in kind.values():
            if (entry.dataset, entry.feature) == (dataset, feature):
                yield entry.knockout is not None


def _pretrained(
    params: Params, name: str, run: RunParams, start: PretrainingParams
) -> dict[str, Any]:
    """What a row says of the pre-training of the run, which reads knocked-out features as well."""
    model, other = params.models[run.model], params.models[start.model]
    where = f"run '{name}': its pre-training '{run.init_from}'"
    for slot in _SLOTS:
        if getattr(start, slot) != getattr(run, slot):
            raise StudyError(
                f"{where} reads {slot} '{getattr(start, slot)}', the run '{getattr(run, slot)}', "
                "but knock-outs replace one feature in both; give both the same"
            )
    if (model.name, model.architecture) != (other.name, other.architecture):
        raise StudyError(
            f"{where} is of model '{start.model}', which is built otherwise than '{run.model}', "
            "but a row of a study is one architecture; name a run that starts from its own, or none"
        )
    assert other.pretrain is not None
    of_another = {"pretrained_on": start.dataset} if start.dataset != run.dataset else {}
    return {
        "pretrained": True,
        **of_another,
        "change": {"pretrain": other.pretrain.model_dump(mode="json")},
    }


def _knocked(run: RunParams) -> Iterator[tuple[str, str]]:
    return ((slot, kind) for slot in arms_of(run)[0].slots for kind in KINDS)


def _feature(run: RunParams, slot: str, kind: str) -> str:
    """What a knocked-out feature is called."""
    return f"{getattr(run, slot)}-{kind}"


def _variant(run: RunParams, slot: str, kind: str) -> dict[str, Any]:
    seeded = {} if kind == "constant" else {"seed": _SEED}
    return {"of": getattr(run, slot), "change": {"knockout": {"name": kind, **seeded}}}
