"""From params of an extractor to all that a stage needs to run it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from mmrec.features.cache.place import FeatureCache, open_cache
from mmrec.features.contract import Extractor, TokenExtractor
from mmrec.features.encode.executor import choose_executor
from mmrec.features.encode.job import Executor
from mmrec.features.extractors.lazy import remembered
from mmrec.params.section import Section

X = TypeVar("X", bound=Extractor[Any] | TokenExtractor[Any])


class Opened(NamedTuple, Generic[X]):
    """An extractor, where its results are kept, and who runs it."""

    extractor: X
    cache: FeatureCache
    executor: Executor


def open_extractor(params: Section, build: Callable[..., X], project: Path) -> Opened[X]:
    """The extractor of `params`, its model not loaded before it is needed.

    Args:
        params: of the extractor.
        build: `build(params, device=...)` loads it, here or on another machine.
        project: folder of the DVC project.
    """
    load = partial(_load, build, params)
    cache = open_cache(project)
    extractor = remembered(params, load, cache.root / "fingerprints")
    return Opened(extractor, cache, choose_executor(load))


def _load(build: Callable[..., X], params: Section) -> X:
    # Here, so that torch is not imported where everything is in the cache.
    from mmrec.device import choose_device

    return build(params, device=str(choose_device()))
