"""Contents whose vectors follow from their keys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmrec.features.cache.layout import ValueArray
from mmrec.features.cache.segments import KeyArray
from mmrec.features.cache.store import FeatureStore
from mmrec.features.contract import Fingerprint
from mmrec.io import content_key

FINGERPRINT = Fingerprint(
    extractor="fake",
    version=1,
    model="m",
    architecture="a",
    weights="w",
    preprocessing="p",
    pooling="mean",
    normalize=False,
    dim=6,
    precision="float16",
)


def keys_of(numbers: Iterable[int]) -> KeyArray:
    return np.frombuffer(b"".join(content_key(b"%d" % n) for n in numbers), "S16")


def vectors_of(keys: KeyArray) -> ValueArray:
    """Twelve bytes of each key, as finite halves."""
    raw = np.frombuffer(keys.tobytes(), np.uint8).reshape(len(keys), 16)
    return raw[:, : FINGERPRINT.dim].astype(np.float16)


def open_store(root: Path) -> FeatureStore:
    return FeatureStore(root, FINGERPRINT, {"torch": "1"})
