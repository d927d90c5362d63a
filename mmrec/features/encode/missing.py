"""Encoding what the cache does not know: a bar while it lasts, a line in the log after it."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeVar

from mmrec.features.contract import IntArray
from mmrec.features.encode.job import Executor, Job
from mmrec.stage import progress

E = TypeVar("E")

logger = logging.getLogger(__name__)


def encoded(
    job: Job[Any, Any, E], executor: Executor, *, unit: str, num_known: int
) -> Generator[tuple[IntArray, E]]:
    """The results of every unit of a job with its places; to be closed by who draws them.

    Args:
        job: what the cache does not know.
        executor: who encodes.
        unit: what contents are called in messages.
        num_known: contents that the cache knows, for the log.
    """
    name, count = job.extractor.fingerprint.extractor, len(job.places)
    started = time.perf_counter()
    with progress(job.places, total=count, unit=unit, desc=name) as bar:
        counted = replace(job, advance=bar.update)
        with closing(executor.encode(counted)) as units:
            yield from units
    seconds = time.perf_counter() - started
    logger.info(
        "%s: %s %s in the cache, %s encoded in %.1f s (%.0f/s)",
        name,
        f"{num_known:,}",
        unit,
        f"{count:,}",
        seconds,
        count / max(seconds, 1e-9),
    )
