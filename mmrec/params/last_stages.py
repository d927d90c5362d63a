"""Runs that the last stages show, which have to be there and to have what is shown of them."""

from __future__ import annotations

from collections.abc import Iterator

from mmrec.params.known_names import unknown
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries, without_vectors


def wrong_last_stages(params: Params) -> Iterator[str]:
    """What `recommend` and `report` name and there is not, or does not go together."""
    yield from _wrong_lists(params)
    yield from _wrong_maps(params)


def _wrong_lists(params: Params) -> Iterator[str]:
    recommend, report = params.recommend, params.report
    if recommend is not None:
        yield from unknown("recommend.run", recommend.run, ranked_entries(params))
    if report is not None:
        yield from unknown("report.dataset", report.dataset, params.datasets)
    recommended = ranked_entries(params).get(recommend.run) if recommend is not None else None
    if recommend is not None and (reason := without_vectors(params, recommend.run)):
        yield (
            f"recommend.run: found '{recommend.run}', but {reason} has no vectors to search; name "
            "a run of another model"
        )
    if report is not None and recommended and report.dataset != recommended.dataset:
        yield (
            f"report.dataset: found '{report.dataset}', but recommend.run '{recommend.run}' is on "
            f"'{recommended.dataset}'; the page shows its lists"
        )


def _wrong_maps(params: Params) -> Iterator[str]:
    report = params.report
    for name in report.maps if report is not None else []:
        yield from unknown("report.maps", name, ranked_entries(params))
        run = ranked_entries(params).get(name)
        if run and run.dataset != report.dataset:
            yield (
                f"report.maps: found '{name}', which is on '{run.dataset}', but report.dataset is "
                f"'{report.dataset}'; name runs on that alone"
            )
        if reason := without_vectors(params, name):
            yield (
                f"report.maps: found '{name}', but {reason} has no vectors to lay out; name a run "
                "of another model"
            )
