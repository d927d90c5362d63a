"""What decoding found of each picture, kept between runs: none is decoded twice to be judged.

A verdict follows from the bytes and the decoder alone, so losing this folder costs time only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

import PIL
import pyarrow as pa

from mmrec import schemas
from mmrec.io import DataError, read_table, write_table

logger = logging.getLogger(__name__)

_RULES: Final = 1
"""Raised by hand whenever `decode_image` accepts or refuses something else."""

_VERDICTS: Final = pa.schema(
    [
        pa.field("content_key", schemas.CONTENT_KEY, nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)


class Verdicts:
    """Reasons by content key, empty for a picture that decodes."""

    def __init__(self, folder: Path) -> None:
        """Read what is kept in `folder` of the installed decoder."""
        self._folder = folder / f"pillow-{PIL.__version__}-{_RULES}"
        self._reasons: dict[bytes, str] = {}
        for path in sorted(self._folder.glob("*.parquet")):
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            table = read_table(path, _VERDICTS)
        except DataError as error:
            logger.warning("%s; its pictures are decoded again", error)
            path.unlink(missing_ok=True)
            return
        keys, reasons = (table[name].to_pylist() for name in _VERDICTS.names)
        self._reasons.update(zip(keys, reasons, strict=True))

    def __contains__(self, key: bytes) -> bool:
        return key in self._reasons

    def __getitem__(self, key: bytes) -> str:
        return self._reasons[key]

    def add(self, reasons: Mapping[bytes, str]) -> None:
        """Keep verdicts for this and later runs."""
        if not reasons:
            return
        self._reasons.update(reasons)
        keys = sorted(reasons)
        name = blake2b(b"".join(keys), digest_size=16).hexdigest()
        columns = [keys, [reasons[key] for key in keys]]
        table = pa.table(dict(zip(_VERDICTS.names, columns, strict=True)), schema=_VERDICTS)
        write_table(table, self._folder / f"{name}.parquet", _VERDICTS)
