"""What a finished run ranked and listed in; all of its metrics, and its tables on disk, out."""

from __future__ import annotations

from typing import Any

from mmrec import schemas
from mmrec.evaluation.history_groups import history_ends
from mmrec.evaluation.metrics import summarize_cold_positions, summarize_ranks
from mmrec.io import write_table
from mmrec.models.data import ModelData
from mmrec.models.list_metrics import list_metrics
from mmrec.params.pipeline import EvaluateParams, HistoryQuantiles
from mmrec.run_paths import RunPaths, cold_ranks_of, lists_of
from mmrec.training.finished import Evaluated


def all_metrics(found: Evaluated, data: ModelData, protocol: EvaluateParams) -> dict[str, Any]:
    """Metrics of all groups of users; of their lists and of cold positions where there are any.

    Args:
        found: of a run.
        data: of the same run.
        protocol: the cut-offs and groups.
    """
    cutoffs, bins = protocol.cutoffs, protocol.history_bins
    if isinstance(bins, HistoryQuantiles):
        bins = history_ends(found.ranks["history_length"].to_numpy(), bins.groups)
    metrics: dict[str, Any] = summarize_ranks(found.ranks, cutoffs=cutoffs, history_bins=bins)
    if found.lists is not None:
        metrics["lists"] = list_metrics(
            found.lists, found.ranks, data, cutoffs=protocol.lists_at, history_bins=bins
        )
    if found.cold_ranks is not None:
        metrics |= summarize_cold_positions(found.cold_ranks, cutoffs=cutoffs)
    return metrics


def write_evaluated(found: Evaluated, results: RunPaths) -> None:
    """Write tables of ranks, and of lists, cold positions and vectors where there are any."""
    write_table(found.ranks, results.ranks, schemas.RANKS)
    if found.lists is not None:
        write_table(found.lists, lists_of(results), schemas.LISTS)
    if found.cold_ranks is not None:
        write_table(found.cold_ranks, cold_ranks_of(results), schemas.RANKS)
    if found.vectors is not None:
        item_vectors, user_vectors = found.vectors
        write_table(item_vectors, results.item_vectors, item_vectors.schema)
        write_table(user_vectors, results.user_vectors, user_vectors.schema)
