"""A fork server that imports torch once, so that a process of a test costs a tenth of a second.

All tests of a process that tests share it, and what is imported in it: there is only one.
"""

from __future__ import annotations

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "tests.stages.preloaded",
        *(f"stages.{name}" for name in ("embed_image", "embed_text", "keywords")),
        "tests.training.test_distributed",
    ]
)
