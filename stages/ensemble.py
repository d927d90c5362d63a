"""ensemble: finished runs and validation targets -> the weights by which the runs rank together."""

from __future__ import annotations

from mmrec.params.pipeline import Params
from mmrec.paths import Paths, costs_of
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Find the weights of ensemble `key`."""
    from mmrec.training.costs import CostClock
    from mmrec.training.ensemble import load_members, search_weights, weights_record, write_weights

    clock = CostClock(costs_of(paths))
    settings = entry(params.ensembles, key, "ensembles")
    members = load_members(settings, paths)
    found = search_weights(
        members,
        settings.weights,
        metric=settings.metric,
        mask_history=params.validation.mask_history,
    )
    record = weights_record(members, found, settings.metric)
    write_weights(record, paths.ensemble_weights(key))
    clock.stop(paths.ensemble_weights(key))
    return {f"validation {settings.metric}": record["validation"]}


if __name__ == "__main__":
    run(main)
