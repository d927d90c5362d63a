"""What the settings of evaluation mean, and those that contradict each other.

Contradictions are settings that are allowed and yet measure something else than users are given.
"""

from __future__ import annotations

from collections.abc import Iterator

from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries


def ranked_by(params: Params, run: str) -> dict[str, object]:
    """What the ranks of a run mean, beside how its dataset was ordered and split.

    Runs that differ in it are not to be compared.
    """
    return {
        "dataset": ranked_entries(params)[run].dataset,
        "mask_history": params.evaluate.mask_history,
        "cold_positions": params.evaluate.cold_positions,
    }


def contradictions(params: Params) -> Iterator[str]:
    """A sentence for each: what contradicts what, what follows, and what to change."""
    used = sorted({run.dataset for run in params.runs.values()})
    told = {name: told for name in used for told in _repeats(params, name)}
    yield from told.values()
    if ranked_entries(params)[params.recommend.run].dataset not in told:
        yield from _lists(params)
    yield from _best_epoch(params)
    yield from _published(params)


def _repeats(params: Params, dataset: str) -> Iterator[str]:
    masked = params.evaluate.mask_history
    duplicates = params.datasets[dataset].clean.duplicates
    found = (
        f"evaluate.mask_history: {_word(masked)}, but datasets.{dataset}.clean.duplicates: "
        f"{duplicates}"
    )
    if not masked and duplicates != "keep_all":
        yield (
            f"{found}: what a user has seen is never the answer and competes with it; set "
            "mask_history: true (of evaluate and validation), or duplicates: keep_all"
        )
    if masked and duplicates == "keep_all":
        yield (
            f"{found}: an item that a user repeats is the answer, and ranked as the only seen one "
            "among all unseen; set mask_history: false (of evaluate and validation), or "
            "duplicates: keep_last"
        )


def _lists(params: Params) -> Iterator[str]:
    keeps, masked = params.recommend.keep_seen, params.evaluate.mask_history
    if keeps == bool(masked):
        listed, ranked = ("hold", "leave it out") if masked else ("leave out", "rank it")
        ranked = "give it the score 0" if masked == "zero" else ranked
        yield (
            f"recommend.keep_seen: {_word(keeps)}, but evaluate.mask_history: {_word(masked)}: "
            f"the lists {listed} what a user has seen, the metrics {ranked}; set keep_seen: "
            f"{_word(not masked)}"
        )


def _best_epoch(params: Params) -> Iterator[str]:
    found = params.evaluate.mask_history
    validated, evaluated = params.validation.mask_history, bool(found)
    trains = any(
        params.models[run.model].finetune or run.init_from != "none" for run in params.runs.values()
    )
    if trains and validated != evaluated:
        yield (
            f"validation.mask_history: {_word(validated)}, but evaluate.mask_history: "
            f"{_word(found)}: best epochs are chosen {_seen(masked=validated)}, and evaluated "
            f"{_seen(masked=evaluated)}; set both alike (another validation trains again)"
        )


def _published(params: Params) -> Iterator[str]:
    if params.evaluate.mask_history == "zero":
        yield (
            "evaluate.mask_history: zero, which is for repeating a published table alone: what a "
            "user has seen is ahead of every item with a negative score, so that metrics depend on "
            "where a model's scores lie; set mask_history: true to compare models"
        )


def _seen(*, masked: bool) -> str:
    return "with seen items left out" if masked else "with seen items competing"


def _word(value: object) -> str:
    return str(value).lower()
