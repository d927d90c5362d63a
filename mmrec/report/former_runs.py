"""Results of runs that `params.yaml` no longer has, so that the report depends on those it has."""

from __future__ import annotations

import logging
from collections.abc import Container

from mmrec.paths import Paths
from mmrec.run_paths import cold_ranks_of, lists_of

logger = logging.getLogger(__name__)


def remove_former_runs(runs: Container[str], paths: Paths) -> None:
    """Delete what `evaluate` wrote for other runs than these, and no other file.

    The report depends on the folder of all runs' results: with those of a former run in it, it
    would be another one than in a colleague's clone, and the report would run there again.
    """
    if not paths.evaluated.is_dir():
        return
    for folder in sorted(paths.evaluated.iterdir()):
        if folder.name in runs or not folder.is_dir():
            continue
        results = paths.run(folder.name)
        vectors = (results.item_vectors, results.user_vectors)
        ranks = (results.ranks, cold_ranks_of(results), lists_of(results))
        for file in (*ranks, *vectors, results.all_metrics):
            file.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
        logger.info(
            "%s: params.yaml has no such run any more; its ranks, lists, vectors and metrics were "
            "removed (DVC's cache keeps them: they are back with the run)",
            folder,
        )
