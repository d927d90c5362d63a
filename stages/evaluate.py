"""evaluate: a finished run -> ranks of the held-out items, lists, metrics, retrieval vectors."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_json, read_table, write_json
from mmrec.params.pipeline import Params
from mmrec.params.protocol import ranked_by
from mmrec.paths import Paths, costs_of
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Rank the held-out items of run `key`."""
    from mmrec.evaluation.metrics import compared_metrics
    from mmrec.models.data import load_model_data
    from mmrec.training.costs import CostClock
    from mmrec.training.finished import evaluate_run, read_record
    from mmrec.training.measured import all_metrics, write_evaluated
    from mmrec.training.validation import warn_if_validated_otherwise

    clock = CostClock(costs_of(paths))
    settings, results = entry(params.runs, key, "runs"), paths.run(key)
    dataset, protocol = paths.dataset(settings.dataset), params.evaluate
    data = load_model_data(dataset, text=settings.text, image=settings.image)
    users = read_table(dataset.users, schemas.CLEAN_USERS)
    warn_if_validated_otherwise(read_record(results.finetuned), mask_history=protocol.mask_history)
    found = evaluate_run(
        results.finetuned,
        data,
        users,
        mask_history=protocol.mask_history,
        list_length=max(protocol.lists_at, default=0),
        cold_positions=protocol.cold_positions,
    )
    metrics = all_metrics(found, data, protocol)
    write_evaluated(found, results)
    cleaned = read_json(dataset.clean_summary, schemas.CleanProtocol)["protocol"]
    told = {**cleaned, **ranked_by(params, key)}
    write_json(metrics | {"protocol": told}, results.all_metrics)
    clock.stop(results.all_metrics)
    compared = compared_metrics(metrics)
    write_json(compared, results.metrics)
    return compared["all"]


if __name__ == "__main__":
    run(main)
