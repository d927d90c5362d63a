"""Feature files of simulated token states, written as the embed stage writes them."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from benchmarks.mmsr_encoders import TUNED, build_encoder, in_two
from benchmarks.mmsr_world import MODALITIES, Case
from mmrec.dataset_paths import DatasetPaths
from mmrec.features.cache.place import FeatureCache
from mmrec.features.contract import BlocksPlan, Fingerprint, TokenStates
from mmrec.features.encode.embed import embed_sentences
from mmrec.params.training import Modality


@dataclass(frozen=True)
class SimulatedExtractor:
    """Random states for every text, those that would enter the last blocks of an encoder."""

    modality: Modality
    case: Case

    level: Literal["tokens"] = "tokens"

    @property
    def dim(self) -> int:
        """Width of a state."""
        return self.case.width

    @property
    def libraries(self) -> dict[str, str]:
        """None take part."""
        return {}

    @property
    def fingerprint(self) -> Fingerprint:
        """Of this simulation."""
        return Fingerprint(
            extractor="simulated",
            version=1,
            model=self.modality,
            architecture="",
            weights="",
            preprocessing="",
            pooling="",
            normalize=False,
            dim=self.dim,
        )

    @property
    def last_blocks(self) -> torch.nn.Module:
        """With random weights."""
        return in_two(self._encoder())[1]

    @property
    def blocks_plan(self) -> BlocksPlan:
        """Of an encoder of the case's sizes."""
        config = json.loads(json.dumps(self._encoder().config.to_dict(), default=str))
        reads: Literal["text", "image"] = "text" if self.modality == "text" else "image"
        return BlocksPlan(reads, TUNED, config, num_image_tokens=0)

    def encode(self, contents: Iterable[str]) -> TokenStates:
        """Normal values, of which half precision leaves nothing to compress."""
        count = len(list(contents))
        lengths = np.full(count, self.case.tokens, np.int64)
        values = torch.randn(int(lengths.sum()), self.dim).numpy()
        return TokenStates(values, lengths)

    def _encoder(self) -> Any:
        own = asdict(self.case)
        sizes = {name: own[name] for name in ("width", "layers", "heads", "tokens", "patch")}
        return build_encoder(self.modality, **sizes)


def write_files(case: Case, folder: Path) -> dict[str, float]:
    """Write both features as the embed stage does; returns seconds and bytes.

    Pictures are simulated by texts, too: the files of their states are the same.
    """
    table = items(case)
    dataset = DatasetPaths(folder)
    started = time.perf_counter()
    for modality in MODALITIES:
        sentences = pa.table(
            {
                "item_id": table["item_id"],
                "position": pa.array(np.zeros(case.items, np.int32)),
                "sentence": [f"{modality} of item {one}" for one in range(case.items)],
            }
        )
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            embed_sentences(
                sentences,
                SimulatedExtractor(modality, case),
                dataset.features(modality),
                precision="float16",
                cache=FeatureCache(Path(cache), None),
            )
    spent = time.perf_counter() - started
    parts = [path for path in folder.rglob("*") if path.is_file()]
    states = [path for path in parts if path.suffix == ".parquet"]
    return {
        "write_s": spent,
        "bytes": sum(path.stat().st_size for path in states),
        "bytes_of_last_blocks": sum(path.stat().st_size for path in parts if path not in states),
        "bytes_of_values": 2 * len(MODALITIES) * case.items * case.tokens * case.width,
    }


def items(case: Case) -> pa.Table:
    """The catalogue."""
    numbers = np.arange(1, case.items + 1)
    ids = pa.array([f"item {one}" for one in numbers])
    return pa.table({"item_id": ids, "item_index": pa.array(numbers, pa.int32())})
