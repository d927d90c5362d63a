"""evaluate_ensemble: finished runs and their weights -> what `evaluate` gives of a run."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_json, read_table, write_json
from mmrec.params.pipeline import Params
from mmrec.params.protocol import ranked_by
from mmrec.paths import Paths, costs_of
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Rank the held-out items of ensemble `key`."""
    from mmrec.evaluation.metrics import compared_metrics
    from mmrec.training.costs import CostClock
    from mmrec.training.ensemble import evaluate_ensemble, load_members, read_weights
    from mmrec.training.measured import all_metrics, write_evaluated

    clock = CostClock(costs_of(paths))
    settings, results = entry(params.ensembles, key, "ensembles"), paths.run(key)
    dataset, protocol = paths.dataset(settings.dataset), params.evaluate
    members = load_members(settings, paths)
    weights = read_weights(paths.ensemble_weights(key), members.names)
    found = evaluate_ensemble(
        members,
        weights,
        read_table(dataset.users, schemas.CLEAN_USERS),
        mask_history=protocol.mask_history,
        list_length=max(protocol.lists_at, default=0),
        cold_positions=protocol.cold_positions,
    )
    metrics = all_metrics(found, members.data, protocol)
    write_evaluated(found, results)
    cleaned = read_json(dataset.clean_summary, schemas.CleanProtocol)["protocol"]
    told = {**cleaned, **ranked_by(params, key)}
    write_json(metrics | {"protocol": told, "ensemble": weights}, results.all_metrics)
    clock.stop(results.all_metrics)
    compared = compared_metrics(metrics)
    write_json(compared, results.metrics)
    return compared["all"]


if __name__ == "__main__":
    run(main)
