"""The feature `none`, of runs without a modality: written without importing what reads features."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from mmrec import schemas
from mmrec.part_writer import PartWriter


def write_empty_feature(directory: Path) -> None:
    """Write the feature `none`: no rows, dimension 0."""
    with PartWriter(directory, schemas.features(0, pa.float16())):
        pass
