"""evaluate: a finished run -> ranks of the held-out items, metrics, vectors for retrieval."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_table, write_json, write_table
from mmrec.params.pipeline import Params
from mmrec.params.protocol import ranked_by
from mmrec.paths import Paths
from mmrec.run_paths import cold_ranks_of
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Rank the held-out items of run `key`."""
    from mmrec.evaluation.metrics import (
        compared_metrics,
        summarize_cold_positions,
        summarize_ranks,
    )
    from mmrec.models.data import load_model_data
    from mmrec.training.finished import evaluate_run, read_record
    from mmrec.training.validation import warn_if_validated_otherwise

    settings, results = entry(params.runs, key, "runs"), paths.run(key)
    dataset = paths.dataset(settings.dataset)
    data = load_model_data(dataset, text=settings.text, image=settings.image)
    users = read_table(dataset.users, schemas.CLEAN_USERS)
    protocol = params.evaluate
    warn_if_validated_otherwise(read_record(results.finetuned), mask_history=protocol.mask_history)
    ranks, cold_ranks, vectors = evaluate_run(
        results.finetuned,
        data,
        users,
        mask_history=protocol.mask_history,
        cold_positions=protocol.cold_positions,
    )
    metrics = summarize_ranks(ranks, cutoffs=protocol.cutoffs, history_bins=protocol.history_bins)
    write_table(ranks, results.ranks, schemas.RANKS)
    if cold_ranks is not None:
        metrics |= summarize_cold_positions(cold_ranks, cutoffs=protocol.cutoffs)
        write_table(cold_ranks, cold_ranks_of(results), schemas.RANKS)
    if vectors is not None:
        item_vectors, user_vectors = vectors
        write_table(item_vectors, results.item_vectors, item_vectors.schema)
        write_table(user_vectors, results.user_vectors, user_vectors.schema)
    write_json({**metrics, "protocol": ranked_by(params, key)}, results.all_metrics)
    compared = compared_metrics(metrics)
    write_json(compared, results.metrics)
    return compared["all"]


if __name__ == "__main__":
    run(main)
