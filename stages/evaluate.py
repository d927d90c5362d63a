"""evaluate: a finished run -> ranks of the held-out items, metrics, vectors for retrieval."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_table, write_json, write_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Rank the held-out items of run `key`."""
    from mmrec.evaluation.metrics import compared_metrics, summarize_ranks
    from mmrec.models.data import load_model_data
    from mmrec.training.finished import evaluate_run, read_record
    from mmrec.training.validation import warn_if_validated_otherwise

    settings, results = entry(params.runs, key, "runs"), paths.run(key)
    dataset = paths.dataset(settings.dataset)
    data = load_model_data(dataset, text=settings.text, image=settings.image)
    users = read_table(dataset.users, schemas.CLEAN_USERS)
    mask_history = params.evaluate.mask_history
    warn_if_validated_otherwise(read_record(results.finetuned), mask_history=mask_history)
    ranks, vectors = evaluate_run(results.finetuned, data, users, mask_history=mask_history)
    metrics = summarize_ranks(
        ranks, cutoffs=params.evaluate.cutoffs, history_bins=params.evaluate.history_bins
    )
    write_table(ranks, results.ranks, schemas.RANKS)
    if vectors is not None:
        item_vectors, user_vectors = vectors
        write_table(item_vectors, results.item_vectors, item_vectors.schema)
        write_table(user_vectors, results.user_vectors, user_vectors.schema)
    write_json(metrics, results.all_metrics)
    compared = compared_metrics(metrics)
    write_json(compared, results.metrics)
    return compared["all"]


if __name__ == "__main__":
    run(main)
